"""Recovery: the first act of every pass. What became of every order whose life has not ended?

It asks and records; it cancels what must not be there; it never sends. Idempotent: run again after
a crash in the middle of it, it converges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION
from pipeline.domain.money import qty_decimal
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Fill, IntentState, Order
from pipeline.errors import AnswerUnreadable, RowsUnreadable
from pipeline.failpoints import reach
from pipeline.operations.alerting import raise_alert
from pipeline.operations.cancelling import ask_every, cancel_every, check_line
from pipeline.operations.desk import Desk
from pipeline.operations.looking_up import Answers, watched_tombstones
from pipeline.operations.sending import MAX_DECISION_AGE
from pipeline.operations.telling import tell_lasting
from pipeline.ports import Idempotency

RECOVERY = "recovery"
"""Who locks a symbol of which one order cannot be read: released as soon as it can."""
_CANCEL_PATIENCE = timedelta(minutes=2)
"""How long the broker may take to call an order final that it was asked to cancel."""
_SLACK = timedelta(minutes=1)
"""What our clock and the broker's may differ by, when executions are asked for."""


@dataclass(slots=True)
class Recovered:
    """What recovery found.

    Attributes:
        asked: orders that may be at the broker; changed: lives of which there was news.
        fills: executions booked; abandoned: intents given up.
        unsent: intents that certainly are not at the broker and still may go, gated once more.
        there: ids of orders that the broker has.
        unreadable: symbols of orders whose answer made no sense, with the reason.
    """

    asked: int = 0
    changed: int = 0
    fills: int = 0
    abandoned: int = 0
    unsent: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def recover(desk: Desk, now: datetime) -> Recovered:
    """Bring every open life up to what the broker knows, and look for orders that were given up.

    An answer that cannot be read concerns its own order alone: it counts in full, and its symbol takes
    no new risk until it can be read.

    Raises:
        BrokerUnavailable: the broker does not answer; nothing was assumed.
    """
    reach("before_recover")
    ledger = desk.journal.read()
    lives, given_up = ledger.open_lives, watched_tombstones(desk, ledger, now)
    answers = Answers(desk, (*lives, *given_up), now)
    found = Recovered(asked=sum(life.state.at_broker for life in lives))
    for life in lives:
        reach("in_recover")
        _recover_one(desk, life, answers, found, now)
    for life in given_up:
        reach("in_recover")
        _look_for(desk, life, answers, found, now)
    _keep_cancelled(desk, found.there, now)
    found.fills = book_fills(desk, now)
    _lock_unreadable(desk, found.unreadable, now)
    _lock_shorts(desk, now)
    reach("after_recover")
    return found


def _recover_one(desk: Desk, life: OrderLife, answers: Answers, found: Recovered, now: datetime) -> None:
    if life.state is IntentState.HELD:
        return
    if not life.sends:
        _unsent(desk, life, found, now)
        return
    try:
        order = answers.of(life)
    except AnswerUnreadable as error:
        found.unreadable[life.intent.symbol] = str(error)
        return
    if order is not None:
        found.there.append(life.intent.id)
        found.changed += record_order(desk, life, order, now)
    elif life.state in (IntentState.SENDING, IntentState.UNKNOWN):
        _absent(desk, life, found, now)
    # Acknowledged, yet unknown now: reconciliation reports it, nothing is assumed.


def _absent(desk: Desk, life: OrderLife, found: Recovered, now: datetime) -> None:
    """The broker definitely has no such order: the same id may be sent again, or is given up."""
    if life.state is IntentState.SENDING:
        reason = "the process that sent it did not hear the answer; the broker has no such order"
        desk.journal.append(Kind.UNKNOWN, {"intent_id": life.intent.id, "reason": reason}, now)
    if desk.broker.idempotency is Idempotency.KEY_FOREVER:
        _unsent(desk, life, found, now)
    # Elsewhere a second send might be a second order: it is watched, counted in full, left to a person.


def _unsent(desk: Desk, life: OrderLife, found: Recovered, now: datetime) -> None:
    decided = life.intent.release_at or life.intent.decided_at
    session = desk.sessions.on(decided.astimezone(desk.zone).date())
    if session is not None and decided < session.close <= now:
        reason = "never reached the broker, and the session is over"  # it would wait for the next open
    elif life.cancel_requested or (now - decided > MAX_DECISION_AGE and not life.intent.purpose.reduces):
        # An exit goes again under its id for as long as it reduces: given up, it would be decided anew
        # under another one, and both might arrive.
        reason = "never reached the broker, and is too old to send"
    else:
        found.unsent.append(life.intent.id)
        return
    desk.journal.append(Kind.VETOED, {"intent_id": life.intent.id, "reason": reason}, now)
    found.abandoned += 1


def _keep_cancelled(desk: Desk, intent_ids: Iterable[str], now: datetime) -> None:
    """Cancel what arrived after it was given up; ask again for what was asked to go and is still there.

    The request may be lost, or was made before anybody knew the broker's id of the order. One that the
    broker fails to take keeps no other from being made.

    Raises:
        BrokerUnavailable: the line is dead.
    """
    ledger = desk.journal.read()
    live = [life for key in intent_ids if not (life := ledger.lives[key]).state.terminal]
    late = [life for life in live if life.late and life.cancel_at is None]
    failed = cancel_every(desk, late, "it arrived after it had been given up", now).failed
    asked = [life for life in live if life.cancel_at is not None]
    check_line(desk, failed + ask_every(desk, asked))
    for life in asked:
        waited = now - (life.cancel_at or now)
        if waited >= _CANCEL_PATIENCE:
            minutes = waited // timedelta(minutes=1)
            text = f"{life.intent.id}: cancel asked for {minutes} min ago, not confirmed; it counts in full."
            tell_lasting(desk, "cancel_stuck", life.intent.symbol, text, now)


def _look_for(desk: Desk, life: OrderLife, answers: Answers, found: Recovered, now: datetime) -> None:
    """Look for an order that was given up as never arrived; one that did counts again, and must go."""
    try:
        order = answers.of(life)
    except AnswerUnreadable as error:
        found.unreadable[life.intent.symbol] = str(error)
        return
    if order is None:
        return
    text = f"{life.intent.id} was given up, and is at the broker: {order.raw_status}. What is left must go."
    # Under the instant of its send: told once, whatever dies in between.
    raise_alert(desk.journal, alert("late_order", life.intent.symbol, text, life.sent_at or now, desk.badge))
    found.there.append(life.intent.id)
    found.changed += record_order(desk, life, order, now)


def look_again(desk: Desk, intent_id: str, now: datetime) -> OrderLife:
    """Return a life after asking the broker for its order once more, if it may have one."""
    life = desk.journal.read().lives[intent_id]
    if life.state.at_broker:
        with suppress(AnswerUnreadable):  # then it stays what it is: under way
            order = desk.broker.fetch_order(intent_id)
            if order is not None:
                record_order(desk, life, order, now)
    return desk.journal.read().lives[intent_id]


def record_order(desk: Desk, life: OrderLife, order: Order, now: datetime) -> bool:
    """Journal what the broker says of an order; return whether it was news."""
    life = desk.journal.read().lives[life.intent.id]  # a command in another process may have been faster
    if life.contradicted(order):
        theirs = f"{order.state.value}, {order.filled} of {life.intent.quantity} executed"
        _quarantine(desk, life, f"we hold it for {life.state.value}, the broker says {theirs}", now)
    heard = life.heard(order)
    if heard == life:
        return False
    data: dict[str, object] = {"intent_id": life.intent.id, "order_id": order.id}
    if heard.state is IntentState.ACKED and life.state is not IntentState.ACKED:
        desk.journal.append(Kind.ACKED, data, now)
        return True
    more = {"state": heard.state.value, "filled": heard.filled, "raw_status": order.raw_status}
    desk.journal.append(Kind.ORDER, data | more, now)
    return True


def _quarantine(desk: Desk, life: OrderLife, reason: str, now: datetime) -> None:
    _lock_for_a_person(desk, life.intent.symbol, f"order {life.intent.id}: {reason}", now)


def _lock_for_a_person(desk: Desk, symbol: str, reason: str, now: datetime) -> None:
    """Lock a symbol until a person has looked at it."""
    # Over a lock that would release itself; one that already waits for a person stays as it is.
    if desk.journal.read().locked_by.get(symbol, RECOVERY) in (RECOVERY, RECONCILIATION):
        data = {"symbol": symbol, "reason": reason, "by": QUARANTINE}
        desk.journal.append(Kind.LOCK, data, now)


def _lock_unreadable(desk: Desk, unreadable: dict[str, str], now: datetime) -> None:
    """Take no new risk where an order cannot be read; release what can be read again."""
    ledger = desk.journal.read()
    ours = {symbol for symbol, by in ledger.locked_by.items() if by == RECOVERY}
    for symbol in sorted(set(unreadable) - set(ledger.locks)):
        reason = f"an order of it cannot be read: {unreadable[symbol]}"
        desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason, "by": RECOVERY}, now)
    for symbol in sorted(ours - set(unreadable)):
        desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": None, "by": RECOVERY}, now)


def _lock_shorts(desk: Desk, now: datetime) -> None:
    """Lock and tell of what was sold without being held: an exit that arrived after its successor.

    Whatever brought it about, the next decision buys it back; asked at every pass, so that no death of a
    process in between leaves it unsaid.
    """
    for symbol, held in sorted(desk.journal.read().positions.items()):
        if held.quantity >= 0:
            continue
        shares = qty_decimal(-held.quantity)
        reason = f"short: {shares} more were sold than held"
        _lock_for_a_person(desk, symbol, reason, now)
        text = f"{shares} more were sold than held. It is bought back as soon as exits are allowed."
        tell_lasting(desk, "unintended_short", symbol, text, now)


def book_fills(desk: Desk, now: datetime) -> int:
    """Book the executions that orders report and the ledger has not; return how many."""
    waiting = [life for life in desk.journal.read().open_lives if life.filled > life.booked]
    if not waiting:
        return 0
    since = min(life.sent_at or life.intent.decided_at for life in waiting) - _SLACK
    return record_fills(desk, _fills_since(desk, since, now), now)


def _fills_since(desk: Desk, since: datetime, now: datetime) -> Sequence[Fill]:
    """Return the executions that can be read; those that cannot stay unbooked, and count as open."""
    try:
        return desk.broker.fetch_fills(since)
    except AnswerUnreadable as error:
        tell_lasting(desk, "fills_unreadable", "", f"{error}; what they moved counts as open.", now)
        told = error.readable if isinstance(error, RowsUnreadable) else ()
        return [fill for fill in told if isinstance(fill, Fill)]


def record_fills(desk: Desk, fills: Iterable[Fill], now: datetime) -> int:
    """Journal executions of our own orders that are not journalled yet; return how many.

    More executions than were ordered lock the symbol: they are booked, because the broker holds them.
    """
    ledger = desk.journal.read()
    count = 0
    for fill in fills:
        intent_id = fill.intent_id or ledger.by_order.get(fill.order_id, "")
        if fill.id in ledger.fills or fill.id in ledger.external_fills or intent_id not in ledger.lives:
            continue
        reach("before_fill")
        desk.journal.append(Kind.FILL, encode(replace(fill, intent_id=intent_id)), now)
        reach("after_fill")
        life = ledger.lives[intent_id]
        if life.booked > life.intent.quantity:
            excess = f"{life.booked} of {life.intent.quantity} executed"
            _quarantine(desk, life, excess, now)
        count += 1
    return count
