"""The matching engine: a state machine without input, output or clock of its own.

Its state is a function of its configuration and the commands it was given, in order. Every
bar is seen twice: at its open, when time moves past its start, and as a range, when time
reaches its end. So nothing is decided by prices that have not happened yet, and the answer to
a submission never shows a fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from heapq import heappush
from typing import Any

from pipeline.domain.money import price_decimal, qty_decimal
from pipeline.exchange.bars import MINUTE, SECOND_US, Minute
from pipeline.exchange.book import Book
from pipeline.exchange.conditions import FILLED, REFUSED, STUCK, Conditions, cannot_cancel
from pipeline.exchange.config import ExchangeConfig, SymbolProfile
from pipeline.exchange.intake import parse_changes, parse_ticket
from pipeline.exchange.ledger import buy_reserve, held_by_buys
from pipeline.exchange.matching import SHARE, Match, match_at_open, match_in_bar, match_quantity
from pipeline.exchange.orders import MATCHED, Order, Refused, Ticket, forbidden, invalid, to_instant
from pipeline.exchange.tape import Tape

GTC_US = 90 * 86_400 * SECOND_US
"""A good-till-cancelled order expires after 90 days (Alpaca's documentation)."""

SETTINGS: Mapping[str, Any] = {
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "no_shorting": True,
    "ptp_no_exception_entry": False,
    "suspend_trade": False,
    "trade_confirm_email": "all",
}
"""The account's configuration as it starts; only ``suspend_trade`` has an effect here."""

Matcher = Callable[[Order, Minute, int], Match]


class Engine:
    """One account on one exchange. Instants are microseconds since 1970 UTC.

    Attributes:
        now: virtual time.
        book: orders, money, events.
        closes: (close of a session, equity then), oldest first.
        conditions: how the broker behaves just now.
        agenda: a heap of the changes to come: (instant, number, what).
    """

    def __init__(self, config: ExchangeConfig, tape: Tape) -> None:
        self.config = config
        self.tape = tape
        self.now = to_instant(config.start)
        self.book = Book(config.account, config.costs)
        self.settings: dict[str, Any] = dict(SETTINGS)
        self.closes: list[tuple[int, int]] = []
        self.conditions = Conditions()
        self.agenda: list[tuple[int, int, Mapping[str, Any]]] = []
        self._planned = 0
        self._cost_ppm = config.costs.half_spread_ppm + config.costs.slippage_ppm
        self._taken: dict[str, int] = {}

    def submit(self, body: Mapping[str, Any]) -> Order:
        """Accept an order. Raises Refused; both outcomes are logged."""
        try:
            ticket = parse_ticket(body)
            self._admit(ticket)
        except Refused as refused:
            self.book.log_refusal(str(body.get("client_order_id") or ""), str(refused), self.now)
            raise
        status = "new" if self.tape.is_open(self.now) else "accepted"
        return self.book.enter(ticket, status, self.now, self.expiry(ticket.time_in_force))

    def replace(self, order_id: str, body: Mapping[str, Any]) -> Order:
        """Replace an open order by a changed one, and return that. Raises Refused."""
        old = self.book.registry.get(order_id)
        if not old.is_open:
            raise invalid(f"cannot replace order in {old.status} status")
        ticket = parse_changes(old, body)
        self._check_client_id(ticket.client_order_id)
        if old.live:
            self.check_funds(ticket, old)
        return self.book.exchange(old, ticket, self.now, self.expiry(ticket.time_in_force))

    def cancel(self, order_id: str) -> Order:
        """Cancel an open order and its family, as cancels go just now. Raises Refused."""
        order = self.book.registry.get(order_id)
        if not order.is_open:
            raise invalid(f'order is already in "{order.status}" state')
        mode = self.conditions.take_cancel(order)
        if mode.mode == REFUSED:
            raise cannot_cancel()
        if mode.mode == FILLED and order.live:
            self.book.fill(order, self.price(order.ticket.symbol), order.remaining, self.now)
            raise invalid('order is already in "filled" state')
        if mode.mode == STUCK and order.live:
            self._hold_cancel(order, mode.delay)
        else:
            self.book.end(order, "canceled", self.now)
        return self.book.registry.get(order_id)

    def plan(self, at: int, what: Mapping[str, Any]) -> None:
        """Put a change on the agenda; those of one instant happen in the order of planning."""
        self._planned += 1
        heappush(self.agenda, (at, self._planned, what))

    def check_time(self, to: int) -> None:
        """Check that time can pass until ``to``.

        Raises:
            Refused: 409 for a time in the past, 422 where the table has no session after it.
        """
        if to < self.now:
            raise Refused(409, 40910000, "the clock does not go backwards")
        if self.tape.hours(self.tape.session_index(to)) is None:
            raise invalid("the session table ends before that time")

    def configure(self, body: Mapping[str, Any]) -> None:
        """Change the account's settings; unknown keys and nulls are ignored, as Alpaca does."""
        self.settings.update({k: v for k, v in body.items() if k in SETTINGS and v is not None})

    def advance(self, to: int) -> None:
        """Let time pass until ``to``; nothing when it is then. Raises as :meth:`check_time`."""
        self.check_time(to)
        for index in range(self.tape.session_index(self.now), self.tape.session_index(to) + 1):
            hours = self.tape.hours(index)
            if hours is not None and hours[0] * SECOND_US <= to:
                self._pass_session(hours, to)
        self.now = to

    def price(self, symbol: str) -> int:
        """Return the last price of a listed symbol. Raises Refused when it has not traded yet."""
        found = self.tape.price(symbol, self.now)
        if found is None:
            raise invalid(f'asset "{symbol}" has no price yet')
        return found

    def profile(self, symbol: str) -> SymbolProfile:
        """Return a listed symbol. Raises Refused."""
        profile = self.tape.profiles.get(symbol)
        if profile is None:
            raise invalid(f'asset "{symbol}" not found')
        return profile

    def buying_power(self) -> int:
        """Return the money left for new buys."""
        free = self.book.ledger.cash - held_by_buys(self.book.registry, self.price)
        return self.conditions.capped(max(free, 0))

    def equity(self) -> int:
        """Return cash plus holdings at their last price."""
        return self.book.ledger.cash + self.book.ledger.market_value(self.price)

    def _admit(self, ticket: Ticket) -> None:
        profile = self.profile(ticket.symbol)
        self._check_client_id(ticket.client_order_id)
        if self.settings["suspend_trade"]:
            raise forbidden("new orders are rejected by user request")
        self.conditions.check(ticket)
        if ticket.qty % SHARE and not self.conditions.fractionable(profile):
            raise invalid(f'asset "{ticket.symbol}" is not fractionable')
        base = ticket.limit or (self.price(ticket.symbol) if ticket.stop_loss else 0)
        if ticket.buys and ticket.stop_loss and ticket.stop_loss >= base:
            raise invalid("stop_loss.stop_price must be <= base_price - 0.01")
        self.check_funds(ticket, None)

    def _check_client_id(self, client_order_id: str) -> None:
        if client_order_id in self.book.registry.by_client:
            raise Refused(422, 40010001, "client_order_id must be unique")

    def check_funds(self, ticket: Ticket, replaced: Order | None) -> None:
        """Check that cash or shares cover the order; what the replaced one holds is free again."""
        probe = Order("", 0, ticket, "new", 0, 0, 0, 0, filled=replaced.filled if replaced else 0)
        if ticket.buys:
            free = self.buying_power() + (buy_reserve(replaced, self.price) if replaced else 0)
            cost = buy_reserve(probe, self.price)
            if cost > free:
                raise forbidden(
                    "insufficient buying power", buying_power=_cents(free), cost_basis=_cents(cost)
                )
            return
        held = self.book.ledger.quantity(ticket.symbol)
        if not held:
            raise forbidden("account is not allowed to short")
        sellable = self.book.available(ticket.symbol) + (replaced.remaining if replaced else 0)
        if probe.remaining > sellable:
            raise _insufficient(ticket.symbol, probe.remaining, sellable, held)

    def expiry(self, time_in_force: str) -> int:
        """Return when an order entered now expires."""
        hours = self.tape.hours(self.tape.session_index(self.now))
        if time_in_force == "gtc" or hours is None:
            return self.now + GTC_US
        return hours[1] * SECOND_US

    def _pass_session(self, hours: tuple[int, int], to: int) -> None:
        """Let one session happen as far as it lies in ``(now, to]``; an open needs time to move past it."""
        opens, closes = hours
        if self.now < opens * SECOND_US:
            self._open_session(opens * SECOND_US)
        first = max(-(-self.now // (MINUTE * SECOND_US)) * MINUTE, opens)
        for start in range(first, closes + 1, MINUTE):
            at = start * SECOND_US
            if at > to or not self.book.registry.open:
                break
            if self.now < at and start > opens:
                self._match(start - MINUTE, at, match_in_bar)
            if at < to and start < closes:
                self._taken.clear()
                self._match(start, at, match_at_open)
        if self.now < closes * SECOND_US <= to:
            self._close_session(closes * SECOND_US)

    def _hold_cancel(self, order: Order, delay: int) -> None:
        """Let an order wait for its cancel; asking again changes nothing."""
        if order.status == "pending_cancel":
            return
        waiting = self.book.registry.put(replace(order, status="pending_cancel", updated=self.now))
        self.book.log("pending_cancel", self.now, waiting)
        if delay:
            self.plan(self.now + delay, {"kind": "end_cancel", "order": order.id})

    def _open_session(self, at: int) -> None:
        for order in list(self.book.registry.open.values()):
            if order.status in ("accepted", "done_for_day"):
                self.book.log("new", at, self.book.registry.put(replace(order, status="new", updated=at)))

    def _close_session(self, at: int) -> None:
        for order_id in list(self.book.registry.open):
            order = self.book.registry.open.get(order_id)
            if order is not None and order.expires <= at:
                self.book.end(order, "expired", at)
        value = self.book.ledger.market_value(lambda symbol: self.tape.price(symbol, at) or 0)
        self.closes.append((at, self.book.ledger.cash + value))

    def _match(self, start: int, at: int, matcher: Matcher) -> None:
        """Match the orders that may take part in the bar at ``start``; protective stops go first."""
        registry = self.book.registry
        orders = [
            o
            for o in registry.open.values()
            if o.live and o.eligible <= start * SECOND_US and o.status in MATCHED
        ]
        orders.sort(key=lambda o: (o.ticket.stop == 0, o.seq))
        symbols = {o.ticket.symbol for o in orders if not self.tape.altered.paused(o.ticket.symbol, at)}
        bars = {symbol: self.tape.bar(symbol, start) for symbol in symbols}
        for seen in orders:
            order, bar = registry.open.get(seen.id), bars.get(seen.ticket.symbol)
            if order is not None and bar is not None:
                self._match_one(order, bar, at, matcher)

    def _match_one(self, order: Order, bar: Minute, at: int, matcher: Matcher) -> None:
        match = matcher(order, bar, self._cost_ppm)
        if match.triggered and not order.triggered:
            order = self.book.registry.put(replace(order, triggered=True, updated=at))
        taken = self._taken.get(order.ticket.symbol, 0)
        participation = self.config.costs.participation_ppm
        qty = match_quantity(order, bar, participation, taken) if match.price else 0
        if qty:
            self._taken[order.ticket.symbol] = taken + qty
            self.book.fill(order, match.price, qty, at)


def _insufficient(symbol: str, wanted: int, free: int, held: int) -> Refused:
    requested, available = f"{qty_decimal(wanted):f}", f"{qty_decimal(free):f}"
    return forbidden(
        f"insufficient qty available for order (requested: {requested}, available: {available})",
        available=available,
        existing_qty=f"{qty_decimal(held):f}",
        held_for_orders=f"{qty_decimal(held - free):f}",
        symbol=symbol,
    )


def _cents(money: int) -> str:
    return f"{price_decimal(money // 100):.2f}"
