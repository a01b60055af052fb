"""A broker in memory that keeps Alpaca's promises and answers as badly as asked.

What it promises: an id is an order for ever, looked up by it, never accepted twice. What it does not: that
an answer arrives, that it arrives soon, or that an order waits while its cancel is on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pipeline.domain.market import Bar, BySymbol, Instrument, Quote, Timeframe
from pipeline.domain.orders import Fill, Intent, IntentState, Order
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.domain.session import SessionTable
from pipeline.errors import AnswerUnreadable, BrokerUnavailable, OrderRejected
from pipeline.ports import BrokerClock, Headline, Idempotency

NAME = "memory"
SHARE = 1_000_000_000
LATE = timedelta(seconds=150)
"""How long a request that is late is under way: longer than any decision is young."""
BASE = {"SPY": 1_000_000, "QQQ": 2_000_000, "AIG": 500_000}
"""Prices of the three symbols, price units; they move by a few cents from minute to minute."""


class Answer(StrEnum):
    """What becomes of a request to submit."""

    OK = "ok"
    GATEWAY = "504 after accept"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    TIMEOUT = "timeout"
    LIMITED = "429"
    FAILED_BEFORE = "500 before"
    MALFORMED = "malformed 200"
    REJECTED = "rejected 422"
    DUPLICATE = "duplicate id"
    PARTIAL = "partial fill"
    LATE = "late arrival"
    RACE = "filled while cancelling"


ACCEPTED_UNHEARD = frozenset({Answer.GATEWAY, Answer.RESET_AFTER, Answer.TIMEOUT, Answer.MALFORMED})
NEVER_ARRIVED = frozenset({Answer.RESET_BEFORE, Answer.LIMITED, Answer.FAILED_BEFORE})


@dataclass(slots=True)
class Held:
    """An order as the broker holds it, and how it executes."""

    order: Order
    answer: Answer = Answer.OK
    limit: int | None = None
    fills: int = 0

    @property
    def open(self) -> bool:
        return not self.order.state.terminal


@dataclass(slots=True)
class Venue:
    """The broker's side: what survives every restart of ours.

    Attributes:
        now: the time, for everybody.
        resting: symbols whose orders nobody takes.
        arrivals: requests under way, with the instant at which they arrive.
        watch: told of every request that leaves us, before anything becomes of it.
        silent: no question is answered; deaf: how many cancels are lost on the way.
        scrambled: executions are told newest first, and each of them twice.
        late: how many orders arrived after their answer was given up.
    """

    now: datetime
    cash: int = 1_000_000_000_000
    resting: frozenset[str] = frozenset({"QQQ"})
    orders: dict[str, Held] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    activities: list[CashActivity] = field(default_factory=list)
    arrivals: list[tuple[datetime, Intent]] = field(default_factory=list)
    silent: bool = False
    deaf: int = 0
    scrambled: bool = False
    late: int = 0
    watch: Callable[[Intent], None] = lambda _intent: None

    def price(self, symbol: str) -> int:
        """Return what a share costs now, price units."""
        return price_at(symbol, self.now)

    def accept(self, client_id: str, intent: Intent, answer: Answer = Answer.OK) -> Order:
        """Take an order in, unless there is one under its id; execute what is to be had."""
        if client_id in self.orders:
            return self.orders[client_id].order
        number = f"b-{len(self.orders) + 1}"
        order = Order(
            number,
            client_id,
            intent.symbol,
            intent.side,
            intent.quantity,
            0,
            0,
            IntentState.ACKED,
            "new",
            self.now,
        )
        held = self.orders[client_id] = Held(order, answer, getattr(intent, "limit_price", None))
        if intent.symbol not in self.resting and answer is not Answer.RACE:
            half = intent.quantity // SHARE // 2 * SHARE
            self.execute(held, half if answer is Answer.PARTIAL else intent.quantity)
        return held.order

    def execute(self, held: Held, quantity: int) -> None:
        """Execute some of an order at the price of now."""
        order, price = held.order, self.price(held.order.symbol)
        quantity = min(quantity, order.quantity - order.filled)
        away = held.limit is not None and order.side.sign * (price - held.limit) > 0
        if quantity <= 0 or order.state.terminal or away:
            return
        held.fills += 1
        name = f"{order.id}/{held.fills}"
        intent_id = order.client_id if order.client_id.startswith("md1-") else ""
        self.fills.append(
            Fill(name, order.id, intent_id, order.symbol, order.side, quantity, price, self.now)
        )
        moved = order.side.sign * quantity
        self.positions[order.symbol] = self.positions.get(order.symbol, 0) + moved
        self.cash -= price * moved // 10_000_000
        filled = order.filled + quantity
        done = filled == order.quantity
        state = IntentState.FILLED if done else IntentState.PARTIAL
        held.order = replace(
            order,
            filled=filled,
            average_price=price,
            state=state,
            raw_status="filled" if done else "partially_filled",
        )

    def cancel(self, order_id: str) -> None:
        """End an order; one that races its cancel is executed first."""
        for held in self.orders.values():
            if held.order.id == order_id and held.open:
                if held.answer is Answer.RACE:
                    self.execute(held, held.order.quantity)
                if held.open:
                    held.order = replace(held.order, state=IntentState.CANCELLED, raw_status="canceled")

    def to(self, instant: datetime) -> None:
        """Let time pass; what was under way arrives."""
        self.now = max(self.now, instant)
        due = [intent for at, intent in self.arrivals if at <= self.now]
        self.arrivals = [one for one in self.arrivals if one[0] > self.now]
        for intent in due:
            self.late += intent.id not in self.orders
            self.accept(intent.id, intent)

    def close(self) -> None:
        """End the day: what is still open expires."""
        for held in self.live():
            held.order = replace(held.order, state=IntentState.EXPIRED, raw_status="expired")

    def live(self) -> list[Held]:
        """Return the orders that may still execute."""
        return [held for held in self.orders.values() if held.open]

    def ours(self) -> list[Held]:
        """Return every order under an id of ours."""
        return [held for key, held in self.orders.items() if key.startswith("md1-")]

    def equity(self) -> int:
        """Return cash and shares, money."""
        return self.cash + sum(n * self.price(s) // 10_000_000 for s, n in self.positions.items())


def price_at(symbol: str, instant: datetime) -> int:
    """Return a price that moves a little every minute and repeats after 11 of them."""
    minute = int(instant.timestamp()) // 60
    return BASE[symbol] + (minute % 11) * 100


class Line:
    """One process's connection to a venue: a ``ports.Broker`` and a ``ports.MarketData``.

    Attributes:
        answers: what becomes of a request to submit.
    """

    name = NAME
    idempotency = Idempotency.KEY_FOREVER

    def __init__(self, venue: Venue, sessions: SessionTable, answers: Callable[[Intent], Answer]) -> None:
        self.venue = venue
        self.answers = answers
        self._sessions = sessions

    def _ask(self) -> None:
        if self.venue.silent:
            raise BrokerUnavailable(NAME, "connection refused", sent=False)

    def submit(self, intent: Intent) -> Order:
        """Send one request; what becomes of it is the answer's business."""
        venue = self.venue
        venue.watch(intent)
        self._ask()
        answer = self.answers(intent)
        if answer is Answer.LATE:
            venue.arrivals.append((venue.now + LATE, intent))
            raise BrokerUnavailable(NAME, "read timed out")
        if answer in NEVER_ARRIVED:
            raise BrokerUnavailable(NAME, f"HTTP {answer}", sent=answer is not Answer.LIMITED)
        if answer is Answer.REJECTED:
            raise OrderRejected(intent.id, "422", "insufficient buying power")
        held = venue.accept(intent.id, intent, answer)
        if answer is Answer.MALFORMED:
            raise AnswerUnreadable(NAME, "200 with half a body")
        if answer is Answer.DUPLICATE:
            raise BrokerUnavailable(NAME, "422 duplicate id, and the order could not be looked up")
        if answer in ACCEPTED_UNHEARD:
            raise BrokerUnavailable(NAME, str(answer))
        return held

    def cancel(self, order_id: str) -> None:
        """Ask to cancel."""
        self._ask()
        if self.venue.deaf:
            self.venue.deaf -= 1
            raise BrokerUnavailable(NAME, "reset")
        self.venue.cancel(order_id)

    def cancel_all(self) -> Mapping[str, str]:
        """Ask to cancel everything."""
        self._ask()
        for held in self.venue.live():
            self.venue.cancel(held.order.id)
        return {}

    def fetch_clock(self) -> BrokerClock:
        self._ask()
        now = self.venue.now
        session = next(one for one in self._sessions.sessions if one.close > now)
        following = self._sessions.following(session.day + timedelta(days=1), 1)[0]
        begun = session.open <= now
        return BrokerClock(now, begun, following.open if begun else session.open, session.close)

    def fetch_account(self) -> Account:
        self._ask()
        venue = self.venue
        return Account("PA3MEMORY", "paper", venue.equity(), venue.cash, max(0, venue.cash), False)

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        self._ask()
        return tuple(
            BrokerPosition(symbol, held, held, self.venue.price(symbol), self.venue.price(symbol))
            for symbol, held in sorted(self.venue.positions.items())
            if held
        )

    def fetch_open_orders(self) -> tuple[Order, ...]:
        self._ask()
        return tuple(held.order for held in self.venue.live())

    def fetch_order(self, client_id: str) -> Order | None:
        self._ask()
        held = self.venue.orders.get(client_id)
        return None if held is None else held.order

    def fetch_orders(self, since: datetime) -> tuple[Order, ...]:
        self._ask()
        return tuple(one.order for one in self.venue.orders.values() if one.order.submitted_at >= since)

    def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        self._ask()
        found = tuple(fill for fill in self.venue.fills if fill.at >= since)
        return tuple(reversed(found * 2)) if self.venue.scrambled else found

    def fetch_cash_activities(self, since: date) -> tuple[CashActivity, ...]:
        self._ask()
        return tuple(one for one in self.venue.activities if one.at.date() >= since)

    def fetch_corporate_actions(self, since: date) -> tuple[Any, ...]:
        self._ask()
        return ()

    def fetch_instruments(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        self._ask()
        return {name: Instrument(name, lot=SHARE, fractionable=False) for name in symbols}

    def fetch_bars(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> BySymbol[Sequence[Bar]]:
        """Return a bar for every minute asked for."""
        until = min(end, self.venue.now)
        return BySymbol({symbol: tuple(self._bars(symbol, start, until)) for symbol in symbols})

    def _bars(self, symbol: str, start: datetime, end: datetime) -> Iterator[Bar]:
        minute = timedelta(minutes=1)
        while start + minute <= end:
            close = price_at(symbol, start)
            yield Bar(symbol, start, close, close + 100, close - 100, close, 100_000)
            start += minute

    def fetch_quotes(self, symbols: Sequence[str]) -> BySymbol[Quote]:
        now = self.venue.now
        return BySymbol({s: Quote(s, now, price_at(s, now), price_at(s, now)) for s in symbols})

    def fetch_headlines(self, symbols: Sequence[str], since: datetime) -> Sequence[Headline]:
        return ()

    def close(self) -> None:
        """Release nothing."""
