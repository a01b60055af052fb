"""Sending one order, exactly once, and recording what came of it. The only caller of ``Broker.submit``."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.domain.journal import Kind
from pipeline.domain.orders import Intent, IntentState, Order
from pipeline.errors import AppendRefused, BrokerRefused, BrokerUnavailable, OrderRejected
from pipeline.operations.desk import Desk

MAX_DECISION_AGE = timedelta(seconds=90)
"""How old a decision may be and still be sent: beyond it the market it saw is gone."""


def send(desk: Desk, intent_id: str, quantity: int, now: datetime) -> IntentState:
    """Journal SENDING, send one request, journal its outcome, and return the state reached.

    A process that dies anywhere in here leaves SENDING behind: recovery asks the broker.

    Raises:
        AppendRefused: halted, fenced or vetoed in the meantime; nothing was sent.
    """
    desk.journal.append(Kind.SENDING, {"intent_id": intent_id, "quantity": quantity}, now)
    intent = desk.journal.read().lives[intent_id].intent
    try:
        order = desk.broker.submit(intent)
    except OrderRejected as error:
        return _rejected(desk, intent, error.code, error.reason, now)
    except BrokerRefused as error:
        return _rejected(desk, intent, "refused", error.reason, now)
    except BrokerUnavailable as error:
        desk.journal.append(Kind.UNKNOWN, {"intent_id": intent_id, "reason": error.reason}, now)
        return IntentState.UNKNOWN
    return _acknowledged(desk, intent, order, now)


def _rejected(desk: Desk, intent: Intent, code: str, reason: str, now: datetime) -> IntentState:
    data = {"intent_id": intent.id, "code": code, "reason": reason}
    desk.journal.append(Kind.REJECTED, data, now)
    return IntentState.REJECTED


def _acknowledged(desk: Desk, intent: Intent, order: Order, now: datetime) -> IntentState:
    """What happened after the acknowledgement is read by recovery: here only that the order exists."""
    desk.journal.append(Kind.ACKED, {"intent_id": intent.id, "order_id": order.id}, now)
    return IntentState.ACKED


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
        desk.broker.cancel(life.order_id)
    return True
