"""Orders as the exchange holds them, in Alpaca's words, and what happens to them.

Sides are +1 and -1 (:mod:`pipeline.domain.rules.fills`); instants are microseconds since 1970
UTC, 0 when it has not happened; prices, quantities and money are decision units, 0 when absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.domain.rules.fills import BUY
from pipeline.errors import Terminal

FINAL = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
"""Statuses in which nothing happens any more; every other one, known or not, is open."""

MATCHED = frozenset({"accepted", "new", "partially_filled", "held", "pending_cancel", "stopped"})
"""Statuses in which an order meets the market: one that waits for its cancel still fills."""

UNHEARD = frozenset({"received", "refused", "change", "change_refused"})
"""Events of the exchange's own log that no client hears of."""


class Refused(Terminal):
    """A request the exchange does not carry out: HTTP status, Alpaca's code, message, extra fields."""

    def __init__(self, status: int, code: int, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(status, code, message, details)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def invalid(message: str) -> Refused:
    """Return the refusal of a request that can never be right (422)."""
    return Refused(422, 42210000, message)


def not_found(message: str) -> Refused:
    """Return the refusal of a request for something that does not exist (404)."""
    return Refused(404, 40410000, message)


def forbidden(message: str, **details: str) -> Refused:
    """Return the refusal of a request the account may not make now (403)."""
    return Refused(403, 40310000, message, details)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client asks for.

    Attributes:
        kind: market, limit, stop or stop_limit.
        order_class: simple, bracket, oco or oto.
        take_profit: limit price of the profit-taking leg.
        stop_loss, stop_loss_limit: trigger and, for a stop-limit leg, limit of the protective leg.
    """

    symbol: str
    side: int
    kind: str
    time_in_force: str
    qty: int
    limit: int = 0
    stop: int = 0
    order_class: str = "simple"
    client_order_id: str = ""
    extended_hours: bool = False
    take_profit: int = 0
    stop_loss: int = 0
    stop_loss_limit: int = 0

    @property
    def buys(self) -> bool:
        """Whether it is a buy."""
        return self.side == BUY


@dataclass(frozen=True, slots=True)
class Order:
    """One order. Changing it makes a new value; a final one is never changed.

    Attributes:
        seq: position among all orders, from 1.
        eligible: instant from which it may match: the first bar is one that starts then or later.
        value: sum of price times quantity over its fills, exact.
        live: False for a leg whose entry is not complete.
        triggered: whether a stop's price was reached.
        parent, legs: ids within a bracket, OCO or OTO order.
    """

    id: str
    seq: int
    ticket: Ticket
    status: str
    submitted: int
    eligible: int
    expires: int
    updated: int
    filled: int = 0
    value: int = 0
    live: bool = True
    triggered: bool = False
    parent: str = ""
    legs: tuple[str, ...] = ()
    filled_at: int = 0
    canceled_at: int = 0
    expired_at: int = 0
    replaced_at: int = 0
    replaced_by: str = ""
    replaces: str = ""

    @property
    def remaining(self) -> int:
        """Quantity not filled."""
        return self.ticket.qty - self.filled

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it."""
        return self.status not in FINAL


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. ``cumulative`` is the order's filled quantity after it, ``fee`` what it cost."""

    id: str
    at: int
    order_id: str
    symbol: str
    side: int
    price: int
    qty: int
    cumulative: int
    fee: int


@dataclass(frozen=True, slots=True)
class Activity:
    """One account activity that is no execution: money or shares that moved otherwise.

    Attributes:
        kind: Alpaca's activity type, as in ``CSD``.
        money: micro units, signed as it changes cash.
        qty: quantity units, signed, 0 when no shares are concerned.
        per_share: price units a share, for a dividend.
    """

    id: str
    at: int
    kind: str
    money: int = 0
    symbol: str = ""
    qty: int = 0
    per_share: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: an entry of the exchange's own log.

    Attributes:
        kind: ``received`` or ``refused`` for a submission, ``change`` or ``change_refused`` for
            what the control port did, otherwise the trade-updates event name.
        order: the order as it was then; None for a refusal.
        position: quantity held in the symbol after a fill.
        refusal: reason, and the client's order id it was for.
        note: what was changed, for a ``change``.
    """

    seq: int
    at: int
    kind: str
    order: Order | None = None
    fill: Fill | None = None
    position: int = 0
    client_order_id: str = ""
    refusal: str = ""
    note: str = ""


@dataclass(slots=True)
class Registry:
    """Every order ever accepted, those open, and every client order id ever used."""

    orders: dict[str, Order] = field(default_factory=dict)
    open: dict[str, Order] = field(default_factory=dict)
    by_client: dict[str, str] = field(default_factory=dict)

    def put(self, order: Order) -> Order:
        """Keep the newest value of an order."""
        self.orders[order.id] = order
        self.by_client[order.ticket.client_order_id] = order.id
        if order.is_open:
            self.open[order.id] = order
        else:
            self.open.pop(order.id, None)
        return order

    def get(self, order_id: str) -> Order:
        """Return an order. Raises Refused (404) when there is none."""
        if order_id not in self.orders:
            raise not_found(f"order not found for {order_id}")
        return self.orders[order_id]

    def siblings(self, order: Order) -> list[Order]:
        """Return the open orders that cancel when ``order`` is done: the other exits of its family."""
        root = self.orders[order.parent] if order.parent else order
        exits = ((root.id,) if root.ticket.order_class == "oco" else ()) + root.legs
        if order.id not in exits:
            return []
        return [self.orders[i] for i in exits if i != order.id and self.orders[i].is_open]


def to_datetime(at: int) -> datetime:
    """Return an instant as a datetime, UTC."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)


def to_instant(moment: datetime) -> int:
    """Return an aware datetime as microseconds since 1970 UTC."""
    return round(moment.timestamp() * 1_000_000)
