"""The order gates: what each limit says to a wanted trade, in the order of DESIGN §5.

Pure functions of values. An exit meets only the gates that protect it from nonsense
(instrument, fresh price); no entry limit ever refuses an exit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline.domain.market import Defect, Flaw, Instrument
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Order, Purpose, Side
from pipeline.domain.portfolio import Position, gross_exposure
from pipeline.domain.risk import Breach, Limit, RiskLimits, Verdict
from pipeline.domain.rules.limits import beyond_collar, fraction
from pipeline.domain.rules.sizing import cost_of, quantity_for, room, share
from pipeline.domain.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class View:
    """Everything a decision sees. Money, prices and quantities in the units of ``domain.rules``.

    Attributes:
        instant: the tick, UTC; seconds_to_close: until the session's real close.
        equity, cash, buying_power: as the broker told them.
        positions, lives: as the ledger holds them; ``lives`` are the open ones.
        prices: last price by symbol; prices_at: when each was true.
        size_factor: fraction of full size allowed now, ppm.
        entries_enabled: after GO and until new positions are disabled.
        locks: symbols nobody may trade, with the reason.
        sent: orders sent this session; sent_in_minute: within the last sixty seconds.
        flaws: what is wrong with the data of each symbol that may not be entered for it.
        doubt: why nothing at all may be entered: clocks or calendars that disagree; None when they agree.
        outside_hours: whether the exchange's regular session is not open.
        external, external_orders: holdings and open orders in the account that are not ours.
        excess: by symbol, how much of a position must go: what a stop wants sold, what is short at all.
    """

    instant: datetime
    seconds_to_close: int
    bar_seconds: int
    equity: int
    cash: int
    buying_power: int
    positions: Mapping[str, Position]
    lives: tuple[OrderLife, ...]
    prices: Mapping[str, int]
    prices_at: Mapping[str, datetime]
    instruments: Mapping[str, Instrument]
    state: TradingState
    size_factor: int
    entries_enabled: bool
    locks: Mapping[str, str]
    sent: int
    excess: Mapping[str, int] = field(default_factory=dict)
    sent_in_minute: int = 0
    flaws: Mapping[str, tuple[Flaw, ...]] = field(default_factory=dict)
    doubt: Breach | None = None
    outside_hours: bool = False
    external: Mapping[str, Position] = field(default_factory=dict)
    external_orders: tuple[Order, ...] = ()

    def age(self, symbol: str) -> int | None:
        """Return how many seconds old the price of ``symbol`` is, None when there is none."""
        known = self.prices_at.get(symbol)
        return None if known is None else int((self.instant - known).total_seconds())

    def unconfirmed(self, symbol: str) -> bool:
        """Tell whether the price of ``symbol`` jumped so far that one bar alone is not believed."""
        return any(flaw.defect is Defect.SPIKE for flaw in self.flaws.get(symbol, ()))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trade wanted, before the gates. ``quantity`` 0 in an entry means: size it."""

    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    price: int
    reason: str
    quantity: int = 0
    allocation: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Capacity:
    """What entries already accepted leave for the next one."""

    symbols: frozenset[str]
    exposure: int
    committed: int
    sent: int
    in_minute: int = 0

    def with_entry(self, symbol: str, cost: int) -> Capacity:
        """Return the capacity after one more entry."""
        return replace(
            self,
            symbols=self.symbols | {symbol},
            exposure=self.exposure + cost,
            committed=self.committed + cost,
            sent=self.sent + 1,
            in_minute=self.in_minute + 1,
        )


def capacity_of(view: View, leaving_out: str = "") -> Capacity:
    """Return what is in use: positions, and every open entry in full, whatever its order's state.

    ``leaving_out`` is the id of an intent that shall not count, because it is the one being asked about.
    """
    entering = [
        life.intent
        for life in view.lives
        if life.intent.purpose is Purpose.ENTRY and life.intent.id != leaving_out
    ]
    unsettled = {life.intent.id: life.unsettled for life in view.lives}
    cost = sum(
        cost_of(view.prices.get(intent.symbol, intent.decision_price), unsettled[intent.id])
        for intent in entering
    )
    held = (view.positions, view.external)
    exposure = sum(gross_exposure(each, _marks(view, each)) for each in held)
    return Capacity(
        symbols=frozenset(view.positions) | {intent.symbol for intent in entering},
        exposure=exposure + cost + _external_orders(view),
        committed=cost,
        sent=view.sent,
        in_minute=view.sent_in_minute,
    )


def _marks(view: View, held: Mapping[str, Position]) -> Mapping[str, int]:
    return {symbol: view.prices.get(symbol, each.average_price) for symbol, each in held.items()}


def _external_orders(view: View) -> int:
    """Return what a person's own open buys would add, in full; a sell can only take away."""
    return sum(
        cost_of(view.prices.get(order.symbol, order.average_price), order.quantity - order.filled)
        for order in view.external_orders
        if order.side is Side.BUY
    )


def check_exit(proposal: Proposal, view: View) -> Verdict:
    """Return the verdict on a trade that reduces risk: refused only when it cannot be made at all."""
    breaches = [*_instrument(proposal, view)]
    if (refused := _exit_state(proposal, view)) is not None:
        breaches.append(refused)
    return Verdict(proposal.quantity, 0 if breaches else proposal.quantity, tuple(breaches))


def check_entry(proposal: Proposal, view: View, limits: RiskLimits, used: Capacity) -> Verdict:
    """Return the verdict on new risk. The first refusal ends the asking; shrinking limits all speak."""
    for breach in _refusals(proposal, view, limits, used):
        return Verdict(proposal.quantity, 0, (breach,))
    return _sized(proposal, view, limits, used)


def _exit_state(proposal: Proposal, view: View) -> Breach | None:
    if proposal.purpose is Purpose.LIQUIDATION and view.state is TradingState.LIQUIDATING:
        return None
    if proposal.purpose is Purpose.REDUCTION and proposal.quantity <= view.excess.get(proposal.symbol, 0):
        return None
    return _breach(Limit.TRADING_STATE, 2, view.state, "state") if view.state.latched else None


def _refusals(proposal: Proposal, view: View, limits: RiskLimits, used: Capacity) -> Iterator[Breach]:
    yield from _numbers(proposal, view)
    if not view.state.allows_entries:
        yield _breach(Limit.TRADING_STATE, TradingState.CAUTIOUS, view.state, "state")
    yield from _window(view, limits)
    yield from _instrument(proposal, view)
    instrument = view.instruments[proposal.symbol]
    if proposal.side is Side.SELL and not instrument.shortable:
        yield _breach(Limit.NOT_SHORTABLE, 0, 1, "count")
    yield from _price_refusals(proposal, view, limits)
    if proposal.symbol in used.symbols:
        yield _breach(Limit.DUPLICATE, 0, 1, "count")
    if used.sent >= limits.max_orders_per_session:
        yield _breach(Limit.THROTTLE, limits.max_orders_per_session, used.sent, "count")
    if used.in_minute >= limits.max_orders_per_minute:
        yield _breach(Limit.RATE, limits.max_orders_per_minute, used.in_minute, "count")
    if proposal.symbol in view.locks:
        yield _breach(Limit.SYMBOL_LOCK, 0, 1, "count")
    if len(used.symbols) >= limits.max_positions:
        yield _breach(Limit.MAX_POSITIONS, limits.max_positions, len(used.symbols), "count")


def _numbers(proposal: Proposal, view: View) -> Iterator[Breach]:
    """Refuse what is no integer: every comparison with a NaN is false, and a limit would not be met."""
    numbers = (view.equity, view.cash, view.buying_power, proposal.price, proposal.quantity)
    strange = sum(not isinstance(number, int) for number in (*numbers, view.prices.get(proposal.symbol, 0)))
    if strange:
        yield _breach(Limit.NUMBERS, 0, strange, "count")


def _window(view: View, limits: RiskLimits) -> Iterator[Breach]:
    no_entry = max(limits.no_entry_minutes, limits.flatten_minutes) * 60
    if not view.entries_enabled or view.seconds_to_close <= no_entry:
        yield _breach(Limit.SESSION_WINDOW, no_entry, view.seconds_to_close, "seconds")
    if view.outside_hours:
        yield _breach(Limit.OUTSIDE_HOURS, 0, 1, "count")
    if view.doubt is not None:
        yield view.doubt


def _price_refusals(proposal: Proposal, view: View, limits: RiskLimits) -> Iterator[Breach]:
    age, allowed = view.age(proposal.symbol), limits.max_data_age_bars * view.bar_seconds
    if age is None or age > allowed:
        yield _breach(Limit.DATA_FRESH, allowed, allowed + 1 if age is None else age, "seconds")
    for flaw in view.flaws.get(proposal.symbol, ()):
        yield Breach(flaw.defect.value, flaw.allowed, flaw.actual, flaw.unit)
    price = view.prices.get(proposal.symbol, 0)
    if price <= 0 or proposal.price <= 0 or beyond_collar(price, proposal.price, limits.price_collar):
        gap = fraction(abs(price - proposal.price), proposal.price)
        yield _breach(Limit.PRICE_SANE, limits.price_collar, gap, "ppm")


def _instrument(proposal: Proposal, view: View) -> Iterator[Breach]:
    instrument = view.instruments.get(proposal.symbol)
    if instrument is None or not instrument.tradable:
        yield _breach(Limit.INSTRUMENT, 1, 0, "count")
    elif instrument.halted:
        yield _breach(Limit.SYMBOL_HALTED, 0, 1, "count")


def _sized(proposal: Proposal, view: View, limits: RiskLimits, used: Capacity) -> Verdict:
    """Shrink the wanted size to what every limit leaves, in lots."""
    lot = view.instruments[proposal.symbol].lot
    price = view.prices[proposal.symbol]
    wanted = share(share(view.equity, limits.position_size), proposal.allocation)
    asked = proposal.quantity or quantity_for(wanted, price, lot)
    money = cost_of(price, asked) if proposal.quantity else wanted
    breaches: list[Breach] = []
    for limit, allowed in _money_limits(view, limits, used, wanted):
        if money > allowed:
            breaches.append(_breach(limit, allowed, money, "money"))
            money = allowed
    quantity = min(asked, quantity_for(money, price, lot))
    most = limits.max_order_quantity
    if most is not None and quantity > most:
        breaches.append(_breach(Limit.QUANTITY, most, quantity, "quantity"))
        quantity = most // lot * lot
    if quantity == 0:
        breaches.append(_breach(Limit.LOT, lot, money * 10_000_000 // price, "quantity"))
    return Verdict(asked, quantity, tuple(breaches))


def _money_limits(view: View, limits: RiskLimits, used: Capacity, wanted: int) -> Iterator[tuple[Limit, int]]:
    yield Limit.SIZE, share(wanted, view.size_factor)
    if limits.max_position_money is not None:
        yield Limit.POSITION_CAP, limits.max_position_money
    yield Limit.EXPOSURE, room(share(view.equity, limits.max_exposure), used.exposure)
    yield Limit.LEVERAGE, room(share(view.equity, limits.max_leverage), used.exposure)
    yield Limit.BUYING_POWER, room(view.buying_power, used.committed)
    yield Limit.MIN_CASH, room(view.cash - used.committed, share(view.equity, limits.min_cash))


def _breach(limit: Limit, allowed: int, actual: int, unit: str) -> Breach:
    return Breach(limit.value, int(allowed), int(actual), unit)
