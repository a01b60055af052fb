"""Recovery: the first act of every pass. What became of every order whose life has not ended?

Idempotent: run again after a crash in the middle of it, it converges.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import Fill, IntentState, Order, OrderLife
from pipeline.errors import AppendRefused
from pipeline.operations.desk import Desk
from pipeline.operations.sending import MAX_DECISION_AGE, send
from pipeline.ports import Idempotency

_WATCHED = timedelta(hours=1)
"""How long an order that was given up is still looked for; reconciliation finds what comes later."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found: orders asked for, lives changed, fills booked, intents given up."""

    asked: int
    changed: int
    fills: int
    abandoned: int


def recover(desk: Desk, now: datetime) -> Recovered:
    """Bring every open life up to what the broker knows.

    Raises:
        BrokerUnavailable: the broker does not answer; nothing was assumed.
    """
    lives = desk.journal.read().open_lives
    results = [_recover_one(desk, life, now) for life in lives]
    fills = book_fills(desk, now) + _book_late_arrivals(desk, now)
    return Recovered(
        asked=sum(life.state.at_broker for life in lives),
        changed=results.count("changed"),
        fills=fills,
        abandoned=results.count("abandoned"),
    )


def _recover_one(desk: Desk, life: OrderLife, now: datetime) -> str:
    if life.state is IntentState.HELD:
        return "held"
    if life.state is IntentState.PLANNED:
        return _send_or_abandon(desk, life, now)
    order = desk.broker.fetch_order(life.intent.id)
    if order is not None:
        news = record_order(desk, life, order, now)
        if life.cancel_requested and not order.state.terminal:
            # The request may be lost, or was made before anybody knew the broker's id of the order.
            desk.broker.cancel(order.id)
        return "changed" if news else "same"
    if life.state in (IntentState.SENDING, IntentState.UNKNOWN):
        return _absent(desk, life, now)
    return "same"  # acknowledged, yet unknown now: reconciliation reports it, nothing is assumed


def _absent(desk: Desk, life: OrderLife, now: datetime) -> str:
    """The broker definitely has no such order: send the same id again, or give it up."""
    if life.state is IntentState.SENDING:
        reason = "the process that sent it did not hear the answer; the broker has no such order"
        desk.journal.append(Kind.UNKNOWN, {"intent_id": life.intent.id, "reason": reason}, now)
    if desk.broker.idempotency is not Idempotency.KEY_FOREVER:
        return "same"
    return _send_or_abandon(desk, life, now)


def _send_or_abandon(desk: Desk, life: OrderLife, now: datetime) -> str:
    decided = life.intent.release_at or life.intent.decided_at
    if _session_over(desk, decided, now):
        return _abandon(desk, life, "never reached the broker, and the session is over", now)
    if now - decided <= MAX_DECISION_AGE and not life.cancel_requested:
        try:
            send(desk, life.intent.id, life.intent.quantity, now)
        except AppendRefused as error:
            return _abandon(desk, life, error.reason, now)
        return "changed"
    return _abandon(desk, life, "never reached the broker, and is too old to send", now)


def _session_over(desk: Desk, decided: datetime, now: datetime) -> bool:
    """Tell whether the session of a decision has closed: sent now, its order would wait for the next open."""
    session = desk.sessions.on(decided.astimezone(desk.zone).date())
    return session is not None and decided < session.close <= now


def _abandon(desk: Desk, life: OrderLife, reason: str, now: datetime) -> str:
    desk.journal.append(Kind.VETOED, {"intent_id": life.intent.id, "reason": reason}, now)
    return "abandoned"


def _book_late_arrivals(desk: Desk, now: datetime) -> int:
    """Look for orders that were given up as never arrived: a slow line may deliver them yet.

    One that did is cancelled, its symbol locked, and its executions are booked, so that they are protected.
    """
    booked = 0
    for life in tuple(desk.journal.read().lives.values()):
        if not life.sends or life.order_id or life.state is not IntentState.EXPIRED:
            continue
        sent = life.sent_at or now
        order = desk.broker.fetch_order(life.intent.id) if now - sent <= _WATCHED else None
        if order is None:
            continue
        record_order(desk, life, order, now)
        if not order.state.terminal:
            desk.broker.cancel(order.id)
        if order.filled > life.booked:
            fills = desk.broker.fetch_fills(sent - timedelta(minutes=1))
            ours = [replace(fill, intent_id=life.intent.id) for fill in fills if fill.order_id == order.id]
            booked += record_fills(desk, ours, now)
    return booked


def record_order(desk: Desk, life: OrderLife, order: Order, now: datetime) -> bool:
    """Journal what the broker says of an order; return whether it was news."""
    if order.state is IntentState.UNKNOWN:
        return False  # a status we do not know: exposure stays counted in full
    state, filled = _told(life, order), min(order.filled, life.intent.quantity)
    contradicts = life.state.terminal and state is not life.state
    if contradicts or order.filled > filled:
        _quarantine(desk, life, order, now)
    if contradicts or (state is life.state and filled <= life.filled):
        return False
    if order.state is IntentState.ACKED and life.state is IntentState.PARTIAL:
        return False  # an answer from before: what we know already lies ahead of it
    if order.state is IntentState.ACKED:
        data: dict[str, object] = {"intent_id": life.intent.id, "order_id": order.id}
        desk.journal.append(Kind.ACKED, data, now)
        return True
    data = {
        "intent_id": life.intent.id,
        "order_id": order.id,
        "state": state.value,
        "filled": filled,
        "raw_status": order.raw_status,
    }
    desk.journal.append(Kind.ORDER, data, now)
    return True


def _told(life: OrderLife, order: Order) -> IntentState:
    """Return the state the broker tells; a rejection after executions ends the rest, no more."""
    rejected = order.state is IntentState.REJECTED and (order.filled or life.filled)
    return IntentState.CANCELLED if rejected else order.state


def _quarantine(desk: Desk, life: OrderLife, order: Order, now: datetime) -> None:
    """Lock a symbol whose order the broker tells otherwise than its life could have gone."""
    symbol = life.intent.symbol
    if symbol not in desk.journal.read().locks:
        theirs = f"{order.state.value}, {order.filled} of {life.intent.quantity} executed"
        reason = f"order {life.intent.id}: we hold it for {life.state.value}, the broker says {theirs}"
        desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason}, now)


def book_fills(desk: Desk, now: datetime) -> int:
    """Book the executions that orders report and the ledger has not; return how many."""
    ledger = desk.journal.read()
    waiting = [life for life in ledger.lives.values() if life.filled > _booked(ledger, life.intent.id)]
    if not waiting:
        return 0
    since = min(life.sent_at or life.intent.decided_at for life in waiting) - timedelta(minutes=1)
    return record_fills(desk, desk.broker.fetch_fills(since), now)


def _booked(ledger: Ledger, intent_id: str) -> int:
    return ledger.booked.get(intent_id, 0)


def record_fills(desk: Desk, fills: Iterable[Fill], now: datetime) -> int:
    """Journal executions of our own orders that are not journalled yet; return how many."""
    ledger = desk.journal.read()
    count = 0
    for fill in fills:
        intent_id = fill.intent_id or ledger.by_order.get(fill.order_id, "")
        if fill.id in ledger.fills or intent_id not in ledger.lives:
            continue
        desk.journal.append(Kind.FILL, encode(fill) | {"intent_id": intent_id}, now)
        count += 1
    return count
