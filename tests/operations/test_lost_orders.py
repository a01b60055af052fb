"""Orders whose answer was lost, late, unreadable or never asked for: found, counted, and never sent twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Decision, Intent, IntentState, Order, Purpose, Side, intent_id
from pipeline.errors import AnswerUnreadable, BrokerUnavailable
from pipeline.operations.looking_up import MANY
from pipeline.operations.recovery import recover
from pipeline.ports import Idempotency
from tests.operations.desks import Rehearsal, at, overlay, rehearsal
from tests.operations.test_emergencies import THIN


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way with the script that a test asks for."""
    with rehearsal(tmp_path, overlay(request.param, **THIN)) as running:
        running.morning()
        yield running


def failing(where: str, error: Exception) -> Callable[[str], None]:
    """Return a fault that raises ``before`` or ``after`` the broker has the order."""

    def fail(moment: str) -> None:
        if moment == where:
            raise error

    return fail


LOST = failing("before", BrokerUnavailable("rehearsal exchange", "timeout"))


def working(_moment: str) -> None:
    """No fault."""


def alerts(desk: Rehearsal) -> list[str]:
    """Return the events that people were told."""
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def lose(desk: Rehearsal, symbol: str = "THIN") -> Intent:
    """Have the entry of 14:35 be lost and, two minutes later, given up; return its intent."""
    desk.broker.fault = LOST
    desk.tick("14:35")
    desk.broker.fault = working
    desk.tick("14:37")
    assert desk.life(symbol).tombstone
    return desk.life(symbol).intent


@pytest.mark.parametrize("desk", ["+THIN 14:35, +THIN 14:38"], indirect=True)
def test_a_late_order_counts_is_cancelled_at_once_and_told(desk: Rehearsal) -> None:
    """Given up at 14:37, it arrives: the pass of 14:38 counts it, cancels it, books what it executed."""
    intent = lose(desk)
    desk.broker.submit(intent)
    desk.to(at("14:38"))
    seen: list[int] = []
    cancelling = desk.broker.cancel

    def cancel(order_id: str) -> None:
        seen.append(desk.life("THIN").unsettled)
        cancelling(order_id)

    setattr(desk.broker, "cancel", cancel)  # noqa: B010 - the class does not declare it
    desk.tick("14:38")
    first = desk.life("THIN")
    desk.tick("14:39")
    held = {one.symbol: one.quantity for one in desk.desk.broker.fetch_positions()}

    assert first.intent == intent, "the entry of 14:38 must wait for this one"
    assert seen[0] == intent.quantity
    assert (desk.life("THIN").state, desk.life("THIN").late) == (IntentState.CANCELLED, True)
    assert {symbol: one.quantity for symbol, one in desk.ledger.positions.items()} == held
    assert desk.desk.broker.fetch_open_orders() == ()
    assert alerts(desk).count("late_order") == 1
    assert desk.received() == {intent.id: 1}


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_a_late_order_is_found_for_hours_by_a_list_now_and_then(desk: Rehearsal) -> None:
    """For ten minutes it is asked for at each pass; then one list in five minutes; it arrives at 15:02."""
    intent = lose(desk)
    asked: list[str] = []
    find, listing = desk.broker.fetch_order, desk.broker.fetch_orders

    def fetch_order(client_id: str) -> Order | None:
        asked.append("order")
        found: Order | None = find(client_id)
        return found

    def fetch_orders(since: Any) -> Any:
        asked.append("list")
        return listing(since)

    desk.broker.__dict__.update(fetch_order=fetch_order, fetch_orders=fetch_orders)
    desk.tick("14:40")
    early, asked = asked, asked[:0]
    for minute in range(50, 60):
        desk.tick(f"14:{minute}")
    late = list(asked)
    desk.broker.submit(intent)
    for minute in range(2, 8):
        desk.tick(f"15:{minute:02d}")

    assert early == ["order"]
    assert late == ["list", "list"]
    assert desk.life("THIN").state is IntentState.CANCELLED


@pytest.mark.parametrize("desk", ["+THIN 14:35, +QQQ 14:36, +SPY 14:37"], indirect=True)
def test_an_answer_that_cannot_be_read_concerns_its_order_and_symbol_alone(desk: Rehearsal) -> None:
    """THIN's order cannot be read: it counts in full, THIN is locked; QQQ is booked, SPY is bought.

    Once it can be read, the lock goes by itself.
    """
    desk.tick("14:35")
    find = desk.broker.fetch_order
    thin = desk.life("THIN")

    def unreadable(client_id: str) -> Order | None:
        if client_id == thin.intent.id:
            raise AnswerUnreadable("alpaca", "status is 7")
        found: Order | None = find(client_id)
        return found

    desk.broker.__dict__["fetch_order"] = unreadable
    desk.tick("14:36")
    summary = desk.tick("14:37")
    locked, meanwhile = dict(desk.ledger.locks), desk.life("THIN")
    del desk.broker.__dict__["fetch_order"]
    desk.tick("14:38")

    assert summary["sent"] == 1
    assert set(desk.ledger.positions) >= {"QQQ", "SPY"}
    assert meanwhile.state is IntentState.ACKED
    assert meanwhile.unsettled == thin.intent.quantity - meanwhile.booked
    assert set(locked) == {"THIN"}
    assert desk.ledger.locks == {}
    assert desk.life("THIN").filled > 0


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_request_that_never_left_is_sent_without_asking_whatever_the_broker(desk: Rehearsal) -> None:
    """Connection refused: there is nothing to look up, so that even a broker without ids may get it again."""
    desk.broker.fault = failing("before", BrokerUnavailable("alpaca", "connection refused", False))
    desk.tick("14:35")
    left = desk.life()
    desk.broker.fault = working
    desk.broker.__dict__["idempotency"] = Idempotency.NONE
    desk.monitor("14:35:30")

    assert (left.state, left.sends, left.unsettled) == (IntentState.UNKNOWN, 0, left.intent.quantity)
    assert (desk.life().state, desk.life().sends) == (IntentState.ACKED, 1)
    assert desk.received() == {left.intent.id: 1}


@pytest.mark.parametrize("idempotency", [Idempotency.KEY_WHILE_OPEN, Idempotency.NONE])
@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_where_ids_are_not_kept_for_ever_a_lost_order_is_never_sent_again(
    desk: Rehearsal, idempotency: Idempotency
) -> None:
    """A second send after a fill would buy twice (Binance): it stays unknown and counts, for a person."""
    desk.broker.__dict__["idempotency"] = idempotency
    desk.broker.fault = LOST
    desk.tick("14:35")
    desk.broker.fault = working
    for clock in ("14:36", "14:37", "14:39"):
        desk.tick(clock)

    assert (desk.life().state, desk.life().sends) == (IntentState.UNKNOWN, 1)
    assert desk.life().unsettled == desk.life().intent.quantity
    assert desk.received() == {}


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40"], indirect=True)
def test_what_never_arrived_meets_every_gate_again_before_its_id_is_sent_again(desk: Rehearsal) -> None:
    """Lost at 14:35; by 14:36 the account is blocked: an entry is not sent on an old permission."""
    desk.broker.fault = LOST
    desk.tick("14:35")
    desk.broker.fault = working
    desk.account_settings(suspend_trade=True)
    desk.tick("14:36")

    assert (desk.life().state, desk.life().sends) == (IntentState.EXPIRED, 1)
    assert desk.life().note == "refused at release: trading_state"
    assert desk.received() == {}


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40"], indirect=True)
def test_an_exit_lost_for_minutes_is_never_given_up_for_another(desk: Rehearsal) -> None:
    """Lost at 14:40 for two minutes: the same id goes again, or it and another might both arrive."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    desk.broker.fault = LOST
    desk.tick("14:40")
    desk.tick("14:41")
    desk.broker.fault = working
    desk.tick("14:42")
    desk.tick("14:43")
    exits = [life for life in desk.ledger.lives.values() if life.intent.purpose is Purpose.EXIT]

    assert [(life.state, life.sends) for life in exits] == [(IntentState.FILLED, 3)]
    assert desk.received()[exits[0].intent.id] == 1
    assert desk.ledger.positions == {}


@pytest.mark.parametrize("desk", ["+THIN 14:35, +THIN 14:38, +THIN 14:47"], indirect=True)
def test_no_room_is_taken_beside_an_order_that_may_still_arrive(desk: Rehearsal) -> None:
    """Given up at 14:37 unseen: refused at 14:38, or two entries might stand there; at 14:47 it is past."""
    first = lose(desk)
    desk.tick("14:38")
    refused = desk.records(Kind.VERDICT)[-1].data
    desk.tick("14:47")
    entries = [life.intent.decided_at for life in desk.ledger.lives.values()]

    assert (refused["quantity"], [breach["limit"] for breach in refused["breaches"]]) == (0, ["symbol_lock"])
    assert entries == [first.decided_at, at("14:47")]


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40"], indirect=True)
def test_a_lost_exit_is_sent_again_under_its_id(desk: Rehearsal) -> None:
    """The sale of 14:40 is lost twice over; the position is sold once."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    desk.broker.fault = LOST
    desk.tick("14:40")
    desk.monitor("14:40:30")
    desk.broker.fault = working
    desk.tick("14:41")
    desk.tick("14:42")

    assert (desk.life().intent.purpose, desk.life().state, desk.life().sends) == (
        Purpose.EXIT,
        IntentState.FILLED,
        3,
    )
    assert desk.ledger.positions == {}
    assert set(desk.received().values()) == {1}


def many(desk: Rehearsal, number: int) -> list[Intent]:
    """Journal so many entries, each of a symbol of its own, and return them."""
    intents = []
    for index in range(number):
        symbol = f"S{index:03d}"
        decision = Decision("rehearsal", "rehearsal", "many", symbol, Side.BUY, Purpose.ENTRY, desk.now())
        name = intent_id(decision)
        intents.append(
            Intent(name, "rehearsal", "many", symbol, Side.BUY, Purpose.ENTRY, 10**9, desk.now(), 10_000)
        )
    for intent in intents:
        desk.desk.journal.append(Kind.INTENT, encode(intent), desk.now())
        desk.desk.journal.append(Kind.SENDING, {"intent_id": intent.id, "quantity": 10**9}, desk.now())
    return intents


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_two_hundred_open_orders_are_recovered_in_five_seconds_with_one_list(desk: Rehearsal) -> None:
    """The process died with 200 requests under way. The broker has 197: one list tells them; 3 are asked for.

    Of one that the list leaves out, the look-up still finds the order: absence from a list proves nothing.
    """
    intents = many(desk, 200)
    template = Order("", "", "", Side.BUY, 10**9, 10**9, 10_000, IntentState.FILLED, "filled", desk.now())
    there = [
        replace(template, id=f"o-{one.symbol}", client_id=one.id, symbol=one.symbol) for one in intents[:198]
    ]
    singles: list[str] = []

    def fetch_order(client_id: str) -> Order | None:
        singles.append(client_id)
        return next((order for order in there if order.client_id == client_id), None)

    desk.broker.__dict__.update(fetch_order=fetch_order, fetch_orders=lambda _since: tuple(there[:197]))
    began = time.perf_counter()
    found = recover(desk.desk, desk.now())
    seconds = time.perf_counter() - began

    assert seconds < 5
    assert len(intents) > MANY
    assert singles == [intent.id for intent in intents[197:]]
    assert (found.asked, found.changed, len(found.unsent)) == (200, 198, 2)
    assert recover(desk.desk, desk.now()).changed == 0


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_a_list_that_cannot_be_read_leaves_each_order_to_be_asked_for(desk: Rehearsal) -> None:
    intents = many(desk, MANY)

    def unreadable(_since: object) -> None:
        raise AnswerUnreadable("alpaca", "not a list")

    asked: list[str] = []
    desk.broker.__dict__.update(fetch_order=asked.append, fetch_orders=unreadable)
    found = recover(desk.desk, desk.now())

    assert asked == [intent.id for intent in intents]
    assert len(found.unsent) == MANY
