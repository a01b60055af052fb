"""Cancelling everything that a stop forbids: every order is asked for, whatever became of the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain.formatting import count
from pipeline.domain.journal import Kind
from pipeline.domain.order_life import OrderLife
from pipeline.domain.stops import to_cancel, unconfirmed
from pipeline.errors import AppendRefused, BrokerRefused, BrokerUnavailable
from pipeline.operations.desk import Desk
from pipeline.operations.sending import ask_to_cancel
from pipeline.operations.telling import tell_lasting

CONFIRMED_WITHIN = timedelta(seconds=60)
"""How long a broker may take to call a cancelled order final before people hear of it."""
_DEAD_LINE = 3
"""Requests in a row without an answer, after which the line counts as dead and the rest waits."""


@dataclass(frozen=True, slots=True)
class Cancels:
    """What was done: orders asked for or given up; orders for which no request was answered."""

    asked: int = 0
    failed: int = 0


def finish_stop(desk: Desk, now: datetime) -> Cancels:
    """Cancel what a stop has left open; nothing unless trading is stopped.

    The first act of every pass: the process that stopped trading may have died before its cancels.
    Asked again at every pass until the broker calls the order final; people hear of it once an hour.
    """
    ledger = desk.journal.read()
    due = to_cancel(ledger.open_lives, ledger.state)
    done = cancel_every(desk, due, f"trading is {ledger.state.state.name}", now)
    left = count_unconfirmed(desk)
    if done.failed or (left and now - ledger.state.at > CONFIRMED_WITHIN):
        text = f"{count(left, 'order')} may still be executed: the broker did not confirm the cancel. "
        tell_lasting(desk, "cancel_unconfirmed", "", f"{text}It is asked again at every pass.", now)
    return done


def cancel_every(desk: Desk, lives: Iterable[OrderLife], reason: str, now: datetime) -> Cancels:
    """Journal every cancel, then ask the broker for each; one that fails keeps no other from going out.

    What is not at the broker is given up by the journal alone. Never raises for the broker's sake: what
    was not answered is on record as wanted, and asked for again.
    """
    wanted = [life.intent.id for life in lives if _want(desk, life, reason, now)]
    at_broker = [desk.journal.read().lives[key] for key in wanted]
    pending = [life for life in at_broker if life.state.at_broker]
    failed = ask_every(desk, pending)
    return Cancels(len(wanted) - failed, failed)


def check_line(desk: Desk, failed: int) -> None:
    """Ask one thing more after cancels that failed: only who answers nothing is silent.

    Raises:
        BrokerUnavailable: the line is dead. A request that fails alone is that order's own trouble.
    """
    if failed:
        desk.broker.fetch_clock()


def count_unconfirmed(desk: Desk) -> int:
    """Return how many cancels of a stop the broker has not confirmed, by the journal."""
    ledger = desk.journal.read()
    return len(unconfirmed(ledger.open_lives, ledger.state))


def _want(desk: Desk, life: OrderLife, reason: str, now: datetime) -> bool:
    """Journal that the order must go; return whether there was anything to do."""
    data = {"intent_id": life.intent.id, "reason": reason}
    try:
        if not life.state.at_broker:
            desk.journal.append(Kind.VETOED, data, now)
            return True
    except AppendRefused:
        life = desk.journal.read().lives[life.intent.id]  # it was released in this very moment
        if not life.state.at_broker:
            return False  # ended by itself; or on a full disk: it was not sent, and the stop keeps it so
    if life.cancel_requested:
        return True
    try:
        desk.journal.append(Kind.CANCEL, data, now)
    except AppendRefused as error:
        if error.code != "disk":
            raise
        # A disk without room for the record must not keep the order alive.
    return True


def ask_every(desk: Desk, lives: Iterable[OrderLife]) -> int:
    """Ask to cancel each order and return for how many no request was answered."""
    failed = in_a_row = 0
    for life in lives:
        if in_a_row >= _DEAD_LINE:
            failed += 1
            continue
        try:
            _ask(desk, life)
        except (BrokerUnavailable, BrokerRefused):
            failed += 1
            in_a_row += 1
        else:
            in_a_row = 0
    return failed


def _ask(desk: Desk, life: OrderLife) -> None:
    """Ask to cancel one order. Of one whose answer nobody heard, the broker is asked for its id first."""
    order_id = life.order_id
    if not order_id:
        order = desk.broker.fetch_order(life.intent.id)
        if order is None or order.state.terminal:
            return  # not there: recovery watches for its late arrival, and cancels it then
        order_id = order.id
    ask_to_cancel(desk, order_id)
