"""The account of a simulation: market orders against the next bar, by the fill rules of the exchange.

What is assumed. An order sent at an instant meets the open of the first bar that starts then or later. It
takes at most its share of that bar's volume, in whole shares; the rest waits for the next bar. Between two
bars the last price is the open of the bar in progress, and a quote lies around it by half the spread, in
cents. No request is lost, no order is late, and nothing else trades in the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.domain.market import Quote
from pipeline.domain.money import PPM, notional
from pipeline.domain.orders import Fill, Intent, IntentState, Order, Side
from pipeline.domain.rules.fees import fee
from pipeline.domain.rules.fills import fill_quantity, market_fill_price
from pipeline.domain.session import Session
from pipeline.research.history import Series

SHARE = 1_000_000_000
"""Bars fill orders in whole shares; only the last piece of a fractional order is smaller."""

MARKET_BUY_BUFFER = 30_000
"""A market order counts this much above the market, in ppm, when buying power is checked (Alpaca: 3 %)."""

_CENT = 100


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs. ``per_share`` in micro units of money, the rest parts per million."""

    per_share: int = 0
    sell_ppm: int = 0
    half_spread_ppm: int = 20
    slippage_ppm: int = 30
    participation_ppm: int = 100_000


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill with what it cost: its fee, and the bar's open that it is measured against."""

    fill: Fill
    fee: int
    open: int


@dataclass(slots=True)
class _Working:
    """An order at the exchange, and what has become of it."""

    intent: Intent
    quantity: int
    submitted: datetime
    filled: int = 0
    value: int = 0
    state: IntentState = IntentState.ACKED

    @property
    def remaining(self) -> int:
        """Quantity not filled."""
        return self.quantity - self.filled


class Account:
    """Cash, holdings and orders, moved through time.

    Attributes:
        cash: money; holdings: quantity by symbol; executions: every fill, oldest first.
    """

    def __init__(self, series: Mapping[str, Series], costs: Costs, cash: int) -> None:
        self.cash = cash
        self.holdings: dict[str, int] = {}
        self.executions: list[Execution] = []
        self._series = series
        self._costs = costs
        self._cost_ppm = costs.half_spread_ppm + costs.slippage_ppm
        self._orders: dict[str, _Working] = {}
        self._open: dict[str, _Working] = {}
        self._now = self._opens = self._closes = 0

    def begin(self, session: Session) -> None:
        """Let the exchange open and close at the session's hours from here on."""
        self._opens, self._closes = int(session.open.timestamp()), int(session.close.timestamp())

    def advance(self, to: datetime) -> None:
        """Let time pass: each bar that starts before ``to`` fills what waits; the close ends every order."""
        second = int(to.timestamp())
        if self._open:
            first, last = max(self._now, self._opens), min(second, self._closes)
            symbols = {order.intent.symbol for order in self._open.values()}
            for start in sorted({s for name in symbols for s in self._series[name].starts(first, last)}):
                self._match(start)
            if self._now < self._closes <= second:
                for key in tuple(self._open):
                    self._end(key, IntentState.EXPIRED)
        self._now = second

    def submit(self, intent: Intent, quantity: int, at: datetime) -> bool:
        """Take in an order; False when cash or shares do not cover it."""
        if not self._covered(intent, quantity):
            return False
        self._orders[intent.id] = self._open[intent.id] = _Working(intent, quantity, at)
        return True

    def cancel(self, intent_id: str) -> None:
        """End an order, unless it has ended."""
        if intent_id in self._open:
            self._end(intent_id, IntentState.CANCELLED)

    def order(self, intent_id: str) -> Order:
        """Return an order as a broker tells of it. Raises KeyError: never submitted."""
        found = self._orders[intent_id]
        intent, filled = found.intent, found.filled
        state = found.state
        if state is IntentState.ACKED and filled:
            state = IntentState.PARTIAL
        average = found.value // filled if filled else 0
        return Order(
            intent_id,
            intent_id,
            intent.symbol,
            intent.side,
            found.quantity,
            filled,
            average,
            state,
            state.value,
            found.submitted,
        )

    def equity(self) -> int:
        """Return cash plus holdings at their last price."""
        return self.cash + self.exposure()

    def exposure(self) -> int:
        """Return what is held at its last price."""
        return sum(notional(self.price(symbol) or 0, held) for symbol, held in self.holdings.items())

    def buying_power(self) -> int:
        """Return the money left for new buys: open ones hold back theirs, above the market."""
        held = sum(
            self._reserve(order.intent.symbol, order.remaining)
            for order in self._open.values()
            if order.intent.side is Side.BUY
        )
        return max(self.cash - held, 0)

    def price(self, symbol: str) -> int | None:
        """Return the last traded price now, None before the first trade."""
        return self._series[symbol].price(self._now)

    def quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        """Return the quotes now: outside the last price by at least half the spread, in cents."""
        half = self._costs.half_spread_ppm
        found: dict[str, Quote] = {}
        for symbol in symbols:
            price, since = self.price(symbol), self._series[symbol].priced_at(self._now)
            if price is None or since is None:
                continue
            bid = price * (PPM - half) // PPM // _CENT * _CENT
            ask = -(-price * (PPM + half) // (PPM * _CENT)) * _CENT
            bid = bid if bid < ask else bid - _CENT
            found[symbol] = Quote(symbol, datetime.fromtimestamp(since, UTC), bid, ask)
        return found

    def _covered(self, intent: Intent, quantity: int) -> bool:
        if intent.side is Side.BUY:
            return self._reserve(intent.symbol, quantity) <= self.buying_power()
        selling = sum(
            order.remaining
            for order in self._open.values()
            if order.intent.symbol == intent.symbol and order.intent.side is Side.SELL
        )
        return quantity <= self.holdings.get(intent.symbol, 0) - selling

    def _reserve(self, symbol: str, quantity: int) -> int:
        price = self.price(symbol) or 0
        return notional(-(-price * (PPM + MARKET_BUY_BUFFER) // PPM), quantity)

    def _match(self, start: int) -> None:
        """Fill what waits at the open of the bars that start at ``start``, in order of arrival."""
        taken: dict[str, int] = {}
        for key, order in tuple(self._open.items()):
            symbol = order.intent.symbol
            series = self._series[symbol]
            at = series.at(start)
            if at is None:
                continue
            quantity = self._quantity(order, series.volumes[at], taken.get(symbol, 0))
            if quantity:
                taken[symbol] = taken.get(symbol, 0) + quantity
                self._fill(key, order, series.opens[at], quantity, start)

    def _quantity(self, order: _Working, volume: int, taken: int) -> int:
        """Return how much of the order a bar fills, of which the account already has ``taken``."""
        reach = fill_quantity(order.remaining + taken, volume, self._costs.participation_ppm, SHARE)
        quantity = max(reach - taken, 0)
        return quantity if quantity == order.remaining else quantity - quantity % SHARE

    def _fill(self, key: str, order: _Working, opened: int, quantity: int, start: int) -> None:
        intent, sign = order.intent, order.intent.side.sign
        price = market_fill_price(opened, sign, self._cost_ppm)
        money = notional(price, quantity)
        charged = fee(money, quantity, sign < 0, self._costs.per_share, self._costs.sell_ppm)
        name, at = f"x{len(self.executions) + 1}", datetime.fromtimestamp(start, UTC)
        fill = Fill(name, key, key, intent.symbol, intent.side, quantity, price, at)
        self.executions.append(Execution(fill, charged, opened))
        self.cash -= sign * money + charged
        left = self.holdings.get(intent.symbol, 0) + sign * quantity
        if left:
            self.holdings[intent.symbol] = left
        else:
            self.holdings.pop(intent.symbol, None)
        order.filled += quantity
        order.value += price * quantity
        if not order.remaining:
            self._end(key, IntentState.FILLED)

    def _end(self, key: str, state: IntentState) -> None:
        self._open.pop(key).state = state
