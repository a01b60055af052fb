"""Looking orders up at the broker by our own ids: many with one list, the rest one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipeline.domain.ledger import Ledger
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState, Order
from pipeline.errors import AnswerUnreadable, RowsUnreadable
from pipeline.operations.desk import Desk

MANY = 8
"""From so many orders on, one list is asked for first: a broker answers 200 requests a minute."""
_WATCHED_CLOSELY = timedelta(minutes=10)
"""How long after its send an order that was given up is looked for at every pass; later with the list."""
_LIST_EVERY = timedelta(minutes=5)
_WATCHED_AFTER_CLOSE = timedelta(days=1)
_SLACK = timedelta(minutes=1)
"""What our clock and the broker's may differ by, when a list is asked for."""


def watched_tombstones(desk: Desk, ledger: Ledger, now: datetime) -> tuple[OrderLife, ...]:
    """Return what was given up after a send and may still arrive: until a day after its session's close."""
    lives = (ledger.lives[key] for key in ledger.tombstones)
    return tuple(life for life in lives if now <= _watched_until(desk, life))


def may_arrive(ledger: Ledger, now: datetime) -> dict[str, str]:
    """Return why each symbol takes no new risk whose order was given up minutes ago and may still arrive."""
    lives = [ledger.lives[key] for key in ledger.tombstones]
    return {
        life.intent.symbol: f"{life.intent.id} was given up unseen and may still arrive"
        for life in lives
        if not _is_old(life, now)
    }


def _watched_until(desk: Desk, life: OrderLife) -> datetime:
    decided = life.intent.decided_at
    session = desk.sessions.on(decided.astimezone(desk.zone).date())
    return (decided if session is None else session.close) + _WATCHED_AFTER_CLOSE


class Answers:
    """What the broker says of each of ``lives``, asked for in as few requests as prove it."""

    def __init__(self, desk: Desk, lives: Iterable[OrderLife], now: datetime) -> None:
        self._desk = desk
        sent = [life for life in lives if life.sent_at is not None]
        self._old = {life.intent.id for life in sent if life.tombstone and _is_old(life, now)}
        asked_list = len(sent) - len(self._old) >= MANY or (self._old and _is_due(desk, now))
        self._listed = _listed(desk, sent) if asked_list else {}

    def of(self, life: OrderLife) -> Order | None:
        """Return the order of a life, or None when the broker definitely has none.

        Absence from a list is never "no such order": then it is asked for by its id; but of what was given
        up long ago, the list alone is looked at.

        Raises:
            AnswerUnreadable: the answer about this one makes no sense.
            BrokerUnavailable: no answer.
        """
        order = self._listed.get(life.intent.id)
        if order is None and life.intent.id in self._old:
            return None
        if order is None or _is_half_told(order):
            return self._desk.broker.fetch_order(life.intent.id)
        return order


def _is_old(life: OrderLife, now: datetime) -> bool:
    return life.sent_at is not None and now - life.sent_at > _WATCHED_CLOSELY


def _is_due(desk: Desk, now: datetime) -> bool:
    last = desk.memory.listed_at
    if last is not None and now - last < _LIST_EVERY:
        return False
    desk.memory.listed_at = now
    return True


def _listed(desk: Desk, sent: list[OrderLife]) -> Mapping[str, Order]:
    since = min(life.sent_at for life in sent if life.sent_at is not None) - _SLACK
    orders: Iterable[object]
    try:
        orders = desk.broker.fetch_orders(since)
    except RowsUnreadable as error:
        orders = error.readable
    except AnswerUnreadable:
        orders = ()  # each is asked for by itself
    return {order.client_id: order for order in orders if isinstance(order, Order)}


def _is_half_told(order: Order) -> bool:
    """Tell whether only asking for the order shows what stands: a cancelled one may have been replaced."""
    return order.state in (IntentState.CANCELLED, IntentState.UNKNOWN)
