"""Bookkeeping: what the broker knows and the ledger does not, into the journal. Idempotent.

The broker is the truth for what exists. Its rows that cannot be read concern only themselves: the
others are booked, and a sentence for each is handed to whoever compares.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from pipeline.domain.codec import encode
from pipeline.domain.corporate import CorporateAction
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import ID_PREFIX, Fill
from pipeline.domain.portfolio import BrokerPosition, Position, split
from pipeline.domain.reconcile import (
    CASH_TOLERANCE,
    Statement,
    books_of,
    is_certain,
    overdue,
    taken_back,
    unequal,
)
from pipeline.domain.rules.sizing import cost_of
from pipeline.errors import RowsUnreadable
from pipeline.operations.desk import Desk
from pipeline.operations.recovery import record_fills

_OVERLAP = timedelta(days=1)
"""Asked again at every reconciliation: executions and fees are listed late, fees by the day only."""

_ORDER_AGE = timedelta(days=7)
"""How long before its execution an order that is not ours may have been made."""

Asked = TypeVar("Asked", date, datetime)
Row = TypeVar("Row")


def since_last(ledger: Ledger, now: datetime) -> datetime:
    """Return from when on the broker is asked: what was booked before needs no second look."""
    return max(ledger.opened_at, (ledger.reconciled_at or now) - _OVERLAP)


def readable(
    fetch: Callable[[Asked], tuple[Row, ...]], since: Asked
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the rows of a list that can be read, and a sentence for every other one.

    Raises:
        BrokerUnavailable: no list came.
    """
    try:
        return fetch(since), ()
    except RowsUnreadable as error:
        rows: tuple[Row, ...] = error.readable  # type: ignore[assignment]
        return rows, error.unreadable


def open_books(desk: Desk, now: datetime) -> None:
    """The ledger begins: it takes over what the account holds."""
    account = desk.broker.fetch_account()
    held = {position.symbol: as_held(position, now) for position in desk.broker.fetch_positions()}
    positions = {symbol: encode(position) for symbol, position in held.items()}
    desk.journal.append(Kind.OPENING, {"cash": account.cash, "positions": positions}, now)


def as_held(held: BrokerPosition, now: datetime) -> Position:
    """Return a position of the broker's as one of ours, at the broker's average price."""
    cost = cost_of(held.average_price, abs(held.quantity))
    return Position(held.symbol, held.quantity, cost if held.quantity > 0 else -cost, now)


def book_executions(
    desk: Desk, now: datetime, doubtful: Container[str]
) -> tuple[tuple[Fill, ...], tuple[str, ...]]:
    """Book executions, ours and others'; return what the broker lists, and what of it cannot be read.

    Those of ``doubtful`` symbols wait, until the order of ours in them can be read.
    """
    ledger = desk.journal.read()
    listed, unread = readable(desk.broker.fetch_fills, since_last(ledger, now))
    record_fills(desk, listed, now)
    for fill in _others(desk, [fill for fill in listed if fill.symbol not in doubtful]):
        desk.journal.append(Kind.EXTERNAL, encode(fill) | {"intent_id": ""}, now)
    return listed, unread


def _others(desk: Desk, listed: Iterable[Fill]) -> tuple[Fill, ...]:
    """Return new executions of orders that are provably not ours: the broker tells whose id they carry.

    An order that nobody can find, or that carries our kind of id, may yet be ours: its executions stay
    unexplained, and unexplained halts.
    """
    ledger = desk.journal.read()
    known = {*ledger.fills, *ledger.external_fills}
    new = [fill for fill in listed if fill.id not in known and fill.at > ledger.opened_at]
    if not new:
        return ()
    orders, _ = readable(desk.broker.fetch_orders, min(fill.at for fill in new) - _ORDER_AGE)
    named = {order.id: order.client_id for order in orders}
    return tuple(fill for fill in new if _is_foreign(ledger, named.get(fill.order_id)))


def _is_foreign(ledger: Ledger, client_id: str | None) -> bool:
    return client_id is not None and client_id not in ledger.lives and not client_id.startswith(ID_PREFIX)


def book_activities(desk: Desk, since: datetime, now: datetime) -> tuple[str, ...]:
    """Book fees, dividends, deposits and withdrawals that the ledger does not know; return what is unread."""
    ledger = desk.journal.read()
    listed, unread = readable(desk.broker.fetch_cash_activities, since.date())
    for activity in listed:
        if activity.id not in ledger.activities and activity.at >= ledger.opened_at:
            desk.journal.append(Kind.CASH, encode(activity), now)
    return unread


def book_busts(
    desk: Desk, listed: Sequence[Fill], statement: Statement, now: datetime
) -> tuple[int, tuple[Fill, ...]]:
    """Undo what the broker took back: executions it no longer lists, when shares and cash prove it.

    Return how many, and those that may be gone, yet only for a list that lags: a later look tells.
    """
    ledger = desk.journal.read()
    there, since = {fill.id for fill in listed}, since_last(ledger, now)
    booked = {**ledger.fills, **ledger.external_fills}
    gone = [
        fill
        for key, fill in booked.items()
        if key not in there and key not in ledger.busts and fill.at >= since
    ]
    found = taken_back(gone, ledger, statement, now)
    if not is_certain(found, ledger, now):
        return 0, found
    for fill in found:
        data = {
            "fill_id": fill.id,
            "reason": f"{desk.broker.name} no longer lists the execution; shares and cash went back by it",
            "realized": ledger.realized.get(fill.id, 0),
            "external": fill.id in ledger.external_fills,
            "fill": encode(fill),
        }
        desk.journal.append(Kind.BUST, data, now)
    return len(found), ()


def give_up_unlisted(desk: Desk, statement: Statement, now: datetime) -> int:
    """Settle orders that ended executed, of whose execution for minutes nothing has been shown.

    Neither list nor shares nor cash know of it: the broker took it back before it was booked. Waited for
    any longer, it would keep its symbol from being traded. Return how many were settled.
    """
    ledger = desk.journal.read()
    books = books_of(ledger, now)
    gaps = unequal(books, statement)
    if abs(statement.cash - books.cash) > CASH_TOLERANCE:
        return 0
    count = 0
    for life in ledger.open_lives:
        missing = life.filled - life.booked
        if not life.state.terminal or not overdue(ledger, life, now) or life.intent.symbol in gaps:
            continue
        key = f"unlisted-{life.intent.id}-{life.filled}"
        intent = life.intent
        fill = Fill(
            key, life.order_id, intent.id, intent.symbol, intent.side, missing, 0, life.sent_at or now
        )
        reason = f"{desk.broker.name} called the order executed, and neither lists nor shows the execution"
        data = {"fill_id": key, "reason": reason, "realized": 0, "external": False, "unbooked": True}
        desk.journal.append(Kind.BUST, data | {"fill": encode(fill)}, now)
        count += 1
    return count


def fetch_actions(desk: Desk, now: datetime) -> tuple[CorporateAction, ...]:
    """Return the corporate actions since the last reconciliation, a few days more."""
    since = (desk.journal.read().reconciled_at or now) - _ORDER_AGE
    return readable(desk.broker.fetch_corporate_actions, since.date())[0]


def book_splits(desk: Desk, actions: Iterable[CorporateAction], held: dict[str, int], now: datetime) -> int:
    """Count in new shares what the broker counts so; return how many splits were booked.

    A position is rescaled only when the broker holds exactly what the ratio makes of ours, so that
    neither a split that is announced nor one from before we held it moves anything.
    """
    count = 0
    for action in actions:
        ledger = desk.journal.read()
        done = {one.activity_id for one in ledger.splits}
        if not action.rescales or action.id in done or not ledger.opened_at <= action.at <= now:
            continue
        rescaled = _rescaled(ledger, action)
        before = ledger.held_there(action.symbol)
        if before and held.get(action.symbol, 0) not in (before, rescaled):
            continue  # something else moved as well: it stays unexplained
        moves = before != 0 and held.get(action.symbol, 0) == rescaled
        data = {
            "activity_id": action.id,
            "symbol": action.symbol,
            "numerator": action.numerator,
            "denominator": action.denominator,
            "at": action.at.isoformat(),
            "rescale": moves,
        }
        if moves or not before or _held_since(ledger, action):
            desk.journal.append(Kind.SPLIT, data, now)
            count += 1
    return count


def _rescaled(ledger: Ledger, action: CorporateAction) -> int:
    held = (ledger.positions.get(action.symbol), ledger.external.get(action.symbol))
    scaled = (split(one, action.numerator, action.denominator) for one in held if one is not None)
    return sum(one.quantity for one in scaled if one is not None)


def _held_since(ledger: Ledger, action: CorporateAction) -> bool:
    """Tell whether everything held of the symbol was bought in new shares already."""
    held = (ledger.positions.get(action.symbol), ledger.external.get(action.symbol))
    return all(one is None or one.opened_at >= action.at for one in held)
