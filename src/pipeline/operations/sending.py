"""Sending one order, exactly once, and recording what came of it. The only caller of ``Broker.submit``."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from pipeline.domain.journal import Kind
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Intent, IntentState, Order
from pipeline.domain.trading_state import Trigger
from pipeline.errors import AnswerUnreadable, AppendRefused, BrokerRefused, BrokerUnavailable, OrderRejected
from pipeline.failpoints import reach
from pipeline.operations.desk import Desk
from pipeline.operations.stopping import stop

MAX_DECISION_AGE = timedelta(seconds=90)
"""How old a decision may be and still be sent: beyond it the market it saw is gone."""
_REFUSALS_BELIEVED = 5
"""From so many requests under one id on, a refusal is the last word: several looks have found no order."""


def send(desk: Desk, intent_id: str, quantity: int, now: datetime) -> IntentState:
    """Journal SENDING, send one request, journal its outcome, and return the state reached.

    A process that dies anywhere in here, or is told to, leaves SENDING behind: recovery asks the broker.
    One that was suspended on its way here gives up a decision that has grown old: EXPIRED.

    Raises:
        AppendRefused: halted, fenced or vetoed in the meantime; nothing was sent.
    """
    _stop_a_runaway(desk, intent_id, now)
    reach("before_sending")
    now = now if desk.virtual else desk.clock.now()
    late = _too_late(desk, intent_id, now)
    if late:
        desk.journal.append(Kind.VETOED, {"intent_id": intent_id, "reason": late}, now)
        return IntentState.EXPIRED
    desk.journal.append(Kind.SENDING, {"intent_id": intent_id, "quantity": quantity}, now)
    reach("after_sending")
    life = desk.journal.read().lives[intent_id]
    intent = life.intent
    try:
        order = desk.broker.submit(intent)
        reach("after_post")
    except OrderRejected as error:
        state = _refused(desk, life, error, now)
    except BrokerRefused as error:
        state = _rejected(desk, intent, "refused", error.reason, now)
    except BrokerUnavailable as error:
        state = _unknown(desk, intent, error, now)
    else:
        state = _acknowledged(desk, intent, order, now)
    reach("after_answer")
    return state


def _too_late(desk: Desk, intent_id: str, now: datetime) -> str:
    """Say why a decision may not be sent for the first time any more, "" when it may."""
    life = desk.journal.read().lives.get(intent_id)
    if life is None or life.sends:
        return ""
    decided = life.intent.release_at or life.intent.decided_at
    session = desk.sessions.on(decided.astimezone(desk.zone).date())
    if session is not None and decided < session.close <= now:
        return "not sent: the session is over"
    age = (now - decided).total_seconds()
    return f"not sent: {age:.0f} s old" if now - decided > MAX_DECISION_AGE else ""


def _refused(desk: Desk, life: OrderLife, error: OrderRejected, now: datetime) -> IntentState:
    """Note a refusal. Of an id sent before it proves nothing: the first order may be why there is no room."""
    if 1 < life.sends < _REFUSALS_BELIEVED:
        reason = f"refused when sent again ({error.code}: {error.reason}); the first request may have arrived"
        return _noted(desk, Kind.UNKNOWN, {"intent_id": life.intent.id, "reason": reason}, now)
    return _rejected(desk, life.intent, error.code, error.reason, now)


def _stop_a_runaway(desk: Desk, intent_id: str, now: datetime) -> None:
    """Halt when more is to be sent than the gates let through: then something sends past them, in a loop.

    Exits, which no gate counts, may be as many again. The journal refuses what follows the halt.
    """
    ledger = desk.journal.read()
    life, limit = ledger.lives.get(intent_id), desk.limits.max_orders_per_session
    allowed = limit * 2 if life is not None and life.intent.purpose.reduces else limit
    if life is None or life.sends or ledger.sent_today < allowed:
        return
    reason = f"runaway: {ledger.sent_today} orders were sent in this session, {allowed} are allowed"
    stop(desk, Trigger.SYSTEM_ERROR, reason, "throttle", now)


def _unknown(desk: Desk, intent: Intent, error: BrokerUnavailable, now: datetime) -> IntentState:
    data: dict[str, object] = {"intent_id": intent.id, "reason": error.reason}
    if not error.sent:
        data["sent"] = False  # it certainly never left: there is nothing to ask the broker for
    return _noted(desk, Kind.UNKNOWN, data, now)


def _rejected(desk: Desk, intent: Intent, code: str, reason: str, now: datetime) -> IntentState:
    data = {"intent_id": intent.id, "code": code, "reason": reason}
    desk.journal.append(Kind.REJECTED, data, now)
    return IntentState.REJECTED


def _acknowledged(desk: Desk, intent: Intent, order: Order, now: datetime) -> IntentState:
    """What happened after the acknowledgement is read by recovery: here only that the order exists."""
    return _noted(desk, Kind.ACKED, {"intent_id": intent.id, "order_id": order.id}, now)


def _noted(desk: Desk, kind: Kind, data: dict[str, object], now: datetime) -> IntentState:
    """Journal an outcome, unless a command in another process asked the broker and knows more by now."""
    try:
        desk.journal.append(kind, data, now)
    except AppendRefused as error:
        if error.code != "illegal":
            raise
    return desk.journal.read().lives[str(data["intent_id"])].state


def cancel(desk: Desk, intent_id: str, reason: str, now: datetime) -> bool:
    """Ask to cancel an order, or veto an intent not yet sent; return whether there was anything to do.

    Raises:
        BrokerUnavailable: the request may not have arrived; the next pass asks again.
    """
    life = desk.journal.read().lives[intent_id]
    if life.state.terminal:
        return False
    if not life.state.at_broker:
        try:
            desk.journal.append(Kind.VETOED, {"intent_id": intent_id, "reason": reason}, now)
        except AppendRefused:
            life = desk.journal.read().lives[intent_id]  # it was released in this very moment
            if not life.state.at_broker:
                raise
        else:
            return True
    if not life.cancel_requested:
        desk.journal.append(Kind.CANCEL, {"intent_id": intent_id, "reason": reason}, now)
    if life.order_id:
        ask_to_cancel(desk, life.order_id)
    return True


def ask_to_cancel(desk: Desk, order_id: str) -> None:
    """Ask the broker to cancel. Whatever it answers is only information: the outcome is seen by asking.

    Raises:
        BrokerUnavailable: the request may not have arrived.
    """
    reach("before_cancel")
    with suppress(AnswerUnreadable):
        desk.broker.cancel(order_id)
    reach("after_cancel")
