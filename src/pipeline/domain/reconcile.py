"""Broker against ledger: what differs, and whether anything does. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.domain.ledger import Ledger
from pipeline.domain.money import money_decimal, qty_decimal
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import ID_PREFIX, Fill, Order
from pipeline.domain.portfolio import BrokerPosition, cash_of

CASH_TOLERANCE = 10_000
"""One cent: brokers round cash to cents."""

GRACE = timedelta(seconds=10)
"""How long a broker's lists may disagree after an execution (measured at Alpaca: up to 10 s)."""

LISTED_WITHIN = timedelta(minutes=3)
"""How long an execution may be missing from the lists before that means anything: far beyond every lag."""

APART = timedelta(seconds=20)
"""What lies at least between two looks of different passes: lists of replicas lag behind by less."""

CORPORATE_ACTION, UNREADABLE = "corporate_action", "unreadable"
ENDED_ORDER = "ended_order"
_NAMED = frozenset({CORPORATE_ACTION, UNREADABLE})
"""Kinds whose cause is known: their symbol is kept from trading, the account is not."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference. ``ledger`` and ``broker`` are shown to people; ``kind`` is stable.

    Kinds: position, cash, missing_order, stray_order (an order with our kind of id that this journal did
    not make), ended_order (one of ours that had ended by all we were told, and is open), unlisted (executed
    by the broker's word, and never listed), corporate_action, unreadable.

    Attributes:
        settling: an execution of the last seconds, or one list that lags, explains it; it counts when it
            does not go away.
    """

    kind: str
    symbol: str
    ledger: str
    broker: str
    detail: str = ""
    settling: bool = False

    @property
    def halts(self) -> bool:
        """Whether nothing explains it, so that nobody may trade."""
        return not self.settling and self.kind not in _NAMED


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger holds, after every execution and fee the broker knows was booked.

    Attributes:
        cash: all of it, with what orders did that are not ours.
        held: quantity by symbol, holdings that are not ours included.
        lives: the open ones; ours: every id that we ever gave; order_ids: ours by the broker's for them.
        ended: those whose order can no longer be open, and whether it was ever there; one that may still
            arrive is not among them.
        overdue: lives of whose executions some were not listed for minutes; confirmed: what a pass before
            this one had missed already, by its key.
        recent: executions so young that the broker's other lists may not show them yet.
        tagged: the broker's ids of orders that were known not to be ours before.
    """

    cash: int
    held: Mapping[str, int]
    lives: Sequence[OrderLife] = ()
    ours: Container[str] = frozenset()
    order_ids: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, bool] = field(default_factory=dict)
    overdue: Container[str] = frozenset()
    confirmed: Container[str] = frozenset()
    recent: Sequence[Fill] = ()
    tagged: Container[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """What the broker holds at the same instant.

    Attributes:
        unreadable: a sentence for each row that is missing from the lists.
        doubtful: symbols in which an order of ours cannot be read: what is listed of them may be ours, under
            another id, too, as when a person replaced it.
    """

    cash: int
    positions: Sequence[BrokerPosition] = ()
    orders: Sequence[Order] = ()
    equity: int = 0
    unreadable: Sequence[str] = field(default=())
    doubtful: Container[str] = frozenset()

    @property
    def held(self) -> dict[str, int]:
        """Quantity by symbol."""
        return {position.symbol: position.quantity for position in self.positions}


def books_of(ledger: Ledger, now: datetime) -> Books:
    """Return what a ledger says that the account holds."""
    symbols = sorted({*ledger.positions, *ledger.external})
    fills = (*ledger.fills.values(), *ledger.external_fills.values())
    return Books(
        cash=(ledger.cash or 0) + ledger.external_cash,
        held={symbol: held for symbol in symbols if (held := ledger.held_there(symbol))},
        lives=ledger.open_lives,
        ours=ledger.lives.keys(),
        order_ids=ledger.by_order,
        ended={
            key: bool(life.order_id)
            for key, life in ledger.lives.items()
            if life.state.terminal and not life.tombstone
        },
        overdue={life.intent.id for life in ledger.open_lives if overdue(ledger, life, now)},
        confirmed={key for key, since in ledger.sighted.items() if now - since >= APART},
        recent=[fill for fill in fills if now - fill.at <= GRACE and fill.id not in ledger.busts],
        tagged={order.id for order in ledger.external_orders},
    )


def compare(books: Books, statement: Statement) -> tuple[Discrepancy, ...]:
    """Return every difference; an empty tuple means that both agree."""
    unread = (Discrepancy(UNREADABLE, "", "", "", sentence) for sentence in statement.unreadable)
    moved = (*_unlisted(books), *_positions(books, statement), *_cash(books, statement))
    return (*moved, *_orders(books, statement), *_ended(books, statement), *unread)


def awaiting(life: OrderLife) -> str:
    """Return the key under which it is noted since when an execution of an order is missing from the list."""
    return f"{life.intent.id}:{life.booked}"


def awaits(life: OrderLife) -> bool:
    """Tell whether the broker calls more executed than it has listed."""
    return life.filled > life.booked


def overdue(ledger: Ledger, life: OrderLife, now: datetime) -> bool:
    """Tell whether an execution is missing from the list for longer than any list lags."""
    return awaits(life) and now - ledger.sighted.get(awaiting(life), now) >= LISTED_WITHIN


def ended_orders(books: Books, statement: Statement) -> dict[str, str]:
    """Return the orders listed as open that had ended by all we were told: our id by the broker's."""
    named = {order.id: books.order_ids.get(order.id, order.client_id) for order in statement.orders}
    return {order_id: key for order_id, key in named.items() if key in books.ended}


def sightings(
    ledger: Ledger, statement: Statement, gone: Iterable[Fill], now: datetime
) -> dict[str, datetime]:
    """Return since when each thing is missed that a lagging list alone may explain, by its key."""
    keys = [awaiting(life) for life in ledger.open_lives if awaits(life)]
    keys += [fill.id for fill in gone]
    keys += ended_orders(books_of(ledger, now), statement)
    return {key: ledger.sighted.get(key, now) for key in keys}


def external_orders(books: Books, statement: Statement) -> tuple[Order, ...]:
    """Return the open orders that others made in the account: those that cannot be ours."""
    return tuple(
        order
        for order in statement.orders
        if _foreign(books, order)
        and not _looks_ours(order)
        and (order.symbol not in statement.doubtful or order.id in books.tagged)
    )


def unequal(books: Books, statement: Statement) -> dict[str, tuple[int, int]]:
    """Return our quantity and theirs of each symbol in which they differ."""
    held = statement.held
    both = {
        symbol: (books.held.get(symbol, 0), held.get(symbol, 0)) for symbol in sorted({*books.held, *held})
    }
    return {symbol: (ours, theirs) for symbol, (ours, theirs) in both.items() if ours != theirs}


def taken_back(
    candidates: Iterable[Fill], ledger: Ledger, statement: Statement, now: datetime
) -> tuple[Fill, ...]:
    """Return the executions that the broker took back, among those that it no longer lists.

    They count only where shares and cash differ by exactly what they had moved: a list that merely
    lags takes nothing back. All three may lag alike: see :func:`is_certain`.
    """
    books = books_of(ledger, now)
    gaps = {symbol: theirs - ours for symbol, (ours, theirs) in unequal(books, statement).items()}
    gone = [fill for fill in candidates if fill.symbol in gaps]
    moved: dict[str, int] = {}
    for fill in gone:
        moved[fill.symbol] = moved.get(fill.symbol, 0) - fill.signed_quantity
    cash = statement.cash - books.cash + sum(cash_of(fill) for fill in gone)
    return tuple(gone) if gone and moved == gaps and abs(cash) <= CASH_TOLERANCE else ()


def is_certain(gone: Iterable[Fill], ledger: Ledger, now: datetime) -> bool:
    """Tell whether what :func:`taken_back` returned is more than a replica that lags.

    It was missed by a pass before this one, and is older than any lag.
    """
    return all(
        now - fill.at >= LISTED_WITHIN and now - ledger.sighted.get(fill.id, now) >= APART for fill in gone
    )


def _positions(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    for symbol, (ours, theirs) in unequal(books, statement).items():
        if _within(theirs - ours, _reach(books, symbol)):
            continue
        late = [-fill.signed_quantity for fill in books.recent if fill.symbol == symbol]
        settling = _within(theirs - ours, [*_reach(books, symbol), *late])
        shown = str(qty_decimal(ours)), str(qty_decimal(theirs))
        detail = "the broker holds what the ledger does not, or less"
        yield Discrepancy("position", symbol, *shown, detail, settling)


def _reach(books: Books, symbol: str) -> list[int]:
    """Return what our orders under way may have moved: positions change before executions are listed.

    But not by minutes: an execution that is overdue explains nothing any more.
    """
    moving = (life for life in books.lives if life.intent.symbol == symbol)
    return [
        life.intent.side.sign * (life.remaining if life.intent.id in books.overdue else life.unsettled)
        for life in moving
    ]


def _within(gap: int, moves: Sequence[int]) -> bool:
    return sum(each for each in moves if each < 0) <= gap <= sum(each for each in moves if each > 0)


def _cash(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    executing = any(awaits(life) and life.intent.id not in books.overdue for life in books.lives)
    differing = unequal(books, statement).items()
    if executing or any(
        _within(theirs - ours, _reach(books, symbol)) for symbol, (ours, theirs) in differing
    ):
        return  # cash moves with executions that are not listed yet; it is compared once they are
    gap = statement.cash - books.cash
    if abs(gap) > CASH_TOLERANCE:
        ours, theirs = f"{money_decimal(books.cash):.2f}", f"{money_decimal(statement.cash):.2f}"
        settling = bool(books.recent) and _within(gap, [-cash_of(fill) for fill in books.recent])
        detail = "cash moved that no fill, fee or deposit explains"
        yield Discrepancy("cash", "", ours, theirs, detail, settling)


def _unlisted(books: Books) -> Iterator[Discrepancy]:
    for life in books.lives:
        if life.intent.id in books.overdue:
            booked, told = f"{qty_decimal(life.booked)} booked", f"{qty_decimal(life.filled)} executed"
            detail = f"the broker calls {life.intent.id} executed, and does not list the execution"
            yield Discrepancy("unlisted", life.intent.symbol, booked, told, detail)


def _ended(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    symbols = {order.id: order.symbol for order in statement.orders}
    for order_id, key in ended_orders(books, statement).items():
        # A list that lags shows what was there a moment ago, never what was refused.
        settling = books.ended[key] and order_id not in books.confirmed
        detail = f"{key} had ended, and the broker lists its order as open: it is being cancelled"
        yield Discrepancy(ENDED_ORDER, symbols[order_id], "ended", order_id, detail, settling)


def _orders(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    for order in statement.orders:
        if _foreign(books, order) and _looks_ours(order):
            detail = "an order with our kind of id that this journal did not make: does another desk trade?"
            yield Discrepancy("stray_order", order.symbol, "none", order.id, detail)
    open_there = {order.client_id for order in statement.orders} | {order.id for order in statement.orders}
    for life in books.lives:
        listed = life.intent.id in open_there or life.order_id in open_there
        if life.order_id and life.state.at_broker and not listed:
            detail = "the broker does not list it as open"
            yield Discrepancy("missing_order", life.intent.symbol, life.order_id, "none", detail)


def _foreign(books: Books, order: Order) -> bool:
    return order.client_id not in books.ours and order.id not in books.order_ids


def _looks_ours(order: Order) -> bool:
    return order.client_id.startswith(ID_PREFIX)
