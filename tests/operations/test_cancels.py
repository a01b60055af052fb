"""Cancels, timeouts and exits: what a broker may do to them, and what the desk makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import failpoints
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE
from pipeline.domain.orders import Fill, IntentState, Order, Purpose
from pipeline.errors import AppendRefused, OrderRejected
from pipeline.operations.emergency import halt
from pipeline.operations.sending import cancel
from tests.operations.desks import Killed, Rehearsal, at, overlay, rehearsal
from tests.operations.test_emergencies import THIN


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way with the script that a test asks for."""
    with rehearsal(tmp_path, overlay(request.param, **THIN)) as running:
        running.morning()
        yield running


def alerts(desk: Rehearsal) -> list[str]:
    """Return the events that people were told."""
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def answers(desk: Rehearsal, **methods: Any) -> None:
    """Have the broker answer otherwise until the desk is started anew."""
    desk.broker.__dict__.update(methods)


def held(desk: Rehearsal) -> dict[str, int]:
    """Return what the broker holds."""
    return {one.symbol: one.quantity for one in desk.desk.broker.fetch_positions()}


def booked(desk: Rehearsal) -> dict[str, int]:
    """Return what the ledger holds."""
    return {symbol: one.quantity for symbol, one in desk.ledger.positions.items()}


def die_at(place: str) -> None:
    """Have this process end where ``place`` is reached."""

    def at_place(name: str) -> None:
        if name == place:
            failpoints.arm(None)
            raise Killed(name)

    failpoints.arm(at_place)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


@pytest.mark.parametrize("place", ["before_cancel", "after_cancel"])
@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_a_crash_between_a_cancel_and_its_answer_ends_in_the_brokers_final_state(
    desk: Rehearsal, place: str
) -> None:
    """Killed on either side of the request: the next process asks again, and books what was executed."""
    desk.tick("14:35")
    desk.tick("14:36")
    die_at(place)
    with pytest.raises(Killed):
        cancel(desk.desk, desk.life("THIN").intent.id, "a person asked", desk.now())
    desk.restart()
    desk.tick("14:37")
    desk.tick("14:38")
    life = desk.life("THIN")

    assert (life.state, life.filled) == (IntentState.CANCELLED, life.booked)
    assert booked(desk) == held(desk) == {"THIN": life.filled}
    assert desk.desk.broker.fetch_open_orders() == ()


@pytest.mark.parametrize("desk", ["+THIN 14:35, +SPY 14:37"], indirect=True)
def test_a_halt_that_died_before_its_cancels_is_finished_before_anything_else(desk: Rehearsal) -> None:
    """HALTED is journalled, the process dies. The next one cancels first, and decides nothing new."""
    desk.tick("14:35")
    desk.tick("14:36")
    halt(desk.desk.journal, "rumours", "a person", desk.now())
    desk.restart()
    order: list[str] = []
    cancelling, asking = desk.broker.cancel, desk.broker.fetch_account

    def note_cancel(order_id: str) -> None:
        order.append("cancel")
        cancelling(order_id)

    def note_account() -> Any:
        order.append("account")
        return asking()

    answers(desk, cancel=note_cancel, fetch_account=note_account)
    desk.tick("14:37")
    desk.tick("14:38")

    assert order[0] == "cancel"
    assert desk.life("THIN").state is IntentState.CANCELLED
    assert [life.intent.symbol for life in desk.ledger.lives.values()] == ["THIN"]


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_an_order_filled_while_it_was_being_cancelled_is_a_position(desk: Rehearsal) -> None:
    """The cancel comes too late, the broker says so with 422: only information. The fill wins."""
    desk.tick("14:35")
    desk.to(at("14:36"))
    cancel(desk.desk, desk.life().intent.id, "changed my mind", desk.now())
    desk.tick("14:36")
    life = desk.life()

    assert (life.state, life.cancel_requested) == (IntentState.FILLED, True)
    assert booked(desk) == held(desk) == {"SPY": life.intent.quantity}
    assert alerts(desk).count("run_failed") == 0


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_executions_after_a_confirmed_cancel_are_booked(desk: Rehearsal) -> None:
    """Cancelled with 26 shares; a minute later the broker lists 10 more: the position is the broker's."""
    desk.tick("14:35")
    desk.tick("14:36")
    cancel(desk.desk, desk.life("THIN").intent.id, "enough", desk.now())
    desk.monitor("14:36:30")
    before = desk.life("THIN")
    late = Fill("late-1", before.order_id, "", "THIN", before.intent.side, 10**10, 200_000, desk.now())
    fills = desk.broker.fetch_fills
    answers(desk, fetch_fills=lambda since: (*fills(since), late))
    desk.run("intraday-check", at("15:30"))

    assert before.state is IntentState.CANCELLED
    assert booked(desk)["THIN"] == before.filled + 10**10
    assert desk.ledger.locks.keys() <= {"THIN"}


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_a_cancel_that_is_never_confirmed_is_never_assumed(desk: Rehearsal) -> None:
    """pending_cancel for minutes: it counts in full, is asked again at every pass, and people hear of it."""
    desk.tick("14:35")
    find = desk.broker.fetch_order
    asked: list[str] = []

    def pending(client_id: str) -> Order:
        order: Order = find(client_id)
        return replace(order, state=IntentState.ACKED, filled=0, raw_status="pending_cancel")

    answers(desk, fetch_order=pending, cancel=asked.append, fetch_fills=lambda _since: ())
    cancel(desk.desk, desk.life("THIN").intent.id, "enough", desk.now())
    for clock in ("14:36", "14:37", "14:38"):
        desk.tick(clock)
    life = desk.life("THIN")

    assert (life.state, life.unsettled) == (IntentState.ACKED, life.intent.quantity)
    assert len(asked) == 4
    assert alerts(desk).count("cancel_stuck") == 1


def test_an_exit_that_times_out_is_cancelled_confirmed_and_only_then_decided_anew(tmp_path: Path) -> None:
    """For sale since 16:30, the seed's 300 s allowed: the cancel asked for at 16:35 is lost until 16:37.

    The exit wanted at 16:36 must wait: both could be filled. The one wanted at 16:38 is another intent,
    for what is left.
    """
    script = "+THIN 14:35, -THIN 16:30, -THIN 16:36, -THIN 16:38"
    with rehearsal(tmp_path, overlay(script, **THIN)) as desk:
        desk.morning()
        for clock in ("14:35", "14:36", "14:38", "14:40", "14:41", "16:30", "16:31"):
            desk.tick(clock)
        first = desk.life("THIN")
        answers(desk, cancel=lambda _order_id: None)
        desk.tick("16:35")
        desk.tick("16:36")
        waiting = desk.life("THIN")
        del desk.broker.__dict__["cancel"]
        for clock in ("16:37", "16:38", "16:39"):
            desk.tick(clock)
        second, ended = desk.life("THIN"), desk.ledger.lives[first.intent.id]

        assert (first.intent.purpose, waiting.intent, waiting.cancel_at) == (
            Purpose.EXIT,
            first.intent,
            at("16:35"),
        )
        assert (ended.state, ended.filled < ended.intent.quantity) == (IntentState.CANCELLED, True)
        assert second.intent.id != first.intent.id
        assert second.intent.quantity == first.intent.quantity - ended.filled
        assert booked(desk) == held(desk)


@pytest.mark.parametrize("desk", ["+THIN 14:35, -THIN 14:37, -THIN 14:38, -THIN 14:39"], indirect=True)
def test_an_exit_waits_once_for_the_open_entry_it_cancels(desk: Rehearsal) -> None:
    """A sale beside an open purchase is a wash trade (403): the entry is cancelled, then the sale goes."""
    sides: list[str] = []
    submit, cancelling = desk.broker.submit, desk.broker.cancel

    def note(intent: Any) -> Any:
        sides.append(intent.side.value)
        return submit(intent)

    def lost(_order_id: str) -> None:
        sides.append("lost cancel")

    def heard(order_id: str) -> None:
        sides.append("cancel")
        cancelling(order_id)

    answers(desk, submit=note, cancel=lost)
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    waited = list(sides)
    answers(desk, cancel=heard)
    desk.tick("14:38")
    desk.tick("14:39")

    assert waited == ["buy", "lost cancel"]
    assert sides[2:4] == ["cancel", "sell"]


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40, -SPY 14:41"], indirect=True)
def test_a_sale_that_the_broker_refuses_because_shares_are_held_opens_no_short(desk: Rehearsal) -> None:
    """A person's own limit order holds the shares: 403 40310000 is a rejection with its code, twice over."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    shares = desk.ledger.positions["SPY"].quantity

    def refuse(intent: Any) -> Order:
        raise OrderRejected(intent.id, "40310000", "insufficient qty available for order")

    answers(desk, submit=refuse)
    for clock in ("14:40", "14:41"):
        desk.tick(clock)
    codes = [record.data["code"] for record in desk.records(Kind.REJECTED)]

    assert codes == ["40310000", "40310000"]
    assert booked(desk) == held(desk) == {"SPY": shares}
    assert desk.ledger.open_lives == ()


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40"], indirect=True)
def test_an_exit_is_what_the_broker_lets_us_sell_to_the_last_dust(desk: Rehearsal) -> None:
    """Some of the position is reserved for another order: the exit is what is available, exactly."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    positions = desk.broker.fetch_positions
    free = desk.ledger.positions["SPY"].quantity - 7
    answers(desk, fetch_positions=lambda: tuple(replace(one, available=free) for one in positions()))
    desk.tick("14:40")

    assert desk.life().intent.quantity == free


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_second_execution_of_the_same_shares_locks_the_symbol_for_a_person(desk: Rehearsal) -> None:
    """The order was for 100 %; the list holds each execution twice, under other ids. Booked, locked, told."""
    desk.tick("14:35")
    fills = desk.broker.fetch_fills

    def doubled(since: Any) -> list[Fill]:
        return [one for fill in fills(since) for one in (fill, replace(fill, id=f"{fill.id}-again"))]

    answers(desk, fetch_fills=doubled)
    desk.tick("14:36")
    desk.run("intraday-check", at("15:30"))

    assert booked(desk)["SPY"] == 2 * desk.life().intent.quantity
    assert desk.ledger.locked_by["SPY"] == QUARANTINE
    with pytest.raises(AppendRefused):
        desk.desk.journal.append(Kind.ORDER, {
            "intent_id": desk.life().intent.id, "order_id": "o", "state": "filled",
            "filled": desk.life().intent.quantity + 1, "raw_status": "",
        }, desk.now())  # fmt: skip


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_an_order_that_the_broker_replaced_is_followed_and_counted_once(desk: Rehearsal) -> None:
    """It stands under another number: still one order, one exposure, and both numbers are ours."""
    desk.tick("14:35")
    desk.tick("14:36")
    before, find = desk.life("THIN"), desk.broker.fetch_order
    answers(desk, fetch_order=lambda key: replace(find(key), id="the-replacement"))
    desk.tick("14:37")
    after = desk.life("THIN")

    assert {desk.ledger.by_order[name] for name in (before.order_id, "the-replacement")} == {before.intent.id}
    assert after.order_id == "the-replacement"
    assert [life.intent.id for life in desk.ledger.open_lives] == [before.intent.id]
    assert after.unsettled == after.intent.quantity - after.booked


def test_an_order_left_open_at_the_close_is_cancelled_and_the_next_session_begins_empty(
    tmp_path: Path,
) -> None:
    """A DAY order of the last minutes: the close cancels it, post-market finds nothing, so does Monday."""
    with rehearsal(tmp_path, overlay("+THIN 20:58", **THIN)) as desk:
        desk.morning()
        for clock in ("20:58", "20:59"):
            desk.tick(clock)
        desk.run("market-close", at("21:00"))
        desk.run("post-market", at("22:00"))
        monday = desk.desk.sessions.at_or_after((at("22:00") + timedelta(days=1)).date())
        desk.run("plan-session", monday.open - timedelta(minutes=150))

        assert desk.life("THIN").state in (IntentState.CANCELLED, IntentState.EXPIRED)
        assert desk.ledger.open_lives == ()
        assert desk.desk.broker.fetch_open_orders() == ()
