"""Stops that are interrupted, repeated, raced, or made over a line that is dead: they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import failpoints
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.money import QTY_SCALE, to_price
from pipeline.domain.orders import Intent, IntentState, Purpose, Side
from pipeline.domain.trading_state import TradingState, Trigger
from pipeline.errors import AppendRefused, BrokerUnavailable, UsageError
from pipeline.operations import emergency
from pipeline.operations.cancelling import cancel_every
from pipeline.operations.emergency import check_word, flatten, halt
from pipeline.operations.passes import urgent_pass
from pipeline.operations.sending import send
from pipeline.operations.stopping import stop
from tasks.calling import directly
from tests.operations.desks import HALF_DAY, Killed, Rehearsal, at, body_of, overlay, rehearsal
from tests.operations.test_emergencies import THIN

MANY = {
    f"T{number:02d}": {"price": 20, "daily_volume": 39_000, "fractionable": False} for number in range(20)
}
SELLS: dict[str, Any] = {
    "emergency_procedures": {"automatic_stops": {"actions": ["halt_new_orders", "close_all_positions"]}}
}
SMALLER: dict[str, Any] = {
    "emergency_procedures": {
        "automatic_stops": {
            "actions": [
                "halt_new_orders",
                "reduce_position_sizes",
                "send_critical_alerts",
                "attempt_system_recovery",
            ]
        }
    }
}


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way: a script, or a script and more configuration."""
    script, more = request.param if isinstance(request.param, tuple) else (request.param, {})
    with rehearsal(tmp_path, overlay(script, **THIN, **more)) as running:
        running.morning()
        yield running


@pytest.fixture(autouse=True)
def _nothing_stays_armed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def die_at(place: str) -> None:
    """Have the process die where ``place`` is reached."""

    def act(reached: str) -> None:
        if reached == place:
            raise Killed(place)

    failpoints.arm(act)


def events(desk: Rehearsal) -> list[str]:
    """Return the events people were told of, in order."""
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def steps(desk: Rehearsal, procedure: str) -> dict[str, str]:
    """Return the outcome of each step of a procedure."""
    found = [record.data for record in desk.records(Kind.STEP)]
    return {data["name"]: data["outcome"] for data in found if data["procedure"] == procedure}


@pytest.mark.parametrize("desk", ["+THIN 14:35, +SPY 14:37"], indirect=True)
def test_a_process_that_died_between_halt_and_cancels_is_finished_by_the_next_pass(desk: Rehearsal) -> None:
    """F11. The state stands. Whoever comes next, here the hourly check, cancels before it asks anything."""
    desk.tick("14:35")
    die_at("after_halt")
    with pytest.raises(Killed):
        halt(desk.desk.journal, "fat finger", "a person", desk.now())
    failpoints.arm(None)
    desk.restart()
    left = (desk.ledger.state.state, desk.life("THIN").cancel_requested)
    before = desk.ledger.seq
    desk.run("intraday-check", at("14:36"))
    later = [record.kind for record in desk.desk.journal.records(before)]
    desk.tick("14:37")

    assert left == (TradingState.HALTED, False)
    assert desk.life("THIN").state is IntentState.CANCELLED
    assert later.index(Kind.CANCEL) == later.index(Kind.CLAIM) + 1
    assert len(desk.received()) == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:35"], indirect=True)
def test_a_persons_halt_stops_the_selling_and_the_ladder_does_not_begin_it_again(desk: Rehearsal) -> None:
    """LIQUIDATING by a person's flatten, HALTED by a person's halt: both positions stay, for good."""
    desk.tick("14:35")
    desk.tick("14:36")
    journal, base = desk.desk.journal, desk.ledger.baseline
    assert base is not None
    flatten(journal, "leave", "a person", desk.now())
    with pytest.raises(AppendRefused, match="LIQUIDATING is left only"):
        journal.append(
            Kind.STATE, {"state": 3, "reason": "x", "by": "risk ladder", "resume": False}, desk.now()
        )
    fresh = halt(journal, "the news was wrong", "a person", desk.now())
    higher = {"day": base.day.isoformat(), "day_equity": base.day_equity, "month_equity": base.month_equity}
    journal.append(Kind.BASELINE, higher | {"peak_equity": base.day_equity * 5 // 4}, desk.now())
    for clock in ("14:37", "14:38"):
        desk.tick(clock)

    assert fresh
    assert (desk.ledger.state.state, desk.ledger.state.keep) == (TradingState.HALTED, True)
    assert set(desk.ledger.positions) == {"SPY", "QQQ"}
    assert not [life for life in desk.ledger.lives.values() if life.intent.purpose is Purpose.LIQUIDATION]


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_nobody_but_a_person_with_a_reason_stops_the_selling(desk: Rehearsal) -> None:
    """Neither without a name, nor without a reason, nor as an automatic stop."""
    desk.tick("14:35")
    desk.tick("14:36")
    journal = desk.desk.journal
    flatten(journal, "leave", "a person", desk.now())
    word = {"state": 3, "reason": "why", "by": "a person", "resume": False, "keep": True}
    for wrong in ({"by": " "}, {"reason": ""}, {"trigger": "system_error"}):
        with pytest.raises(AppendRefused, match="only a person"):
            journal.append(Kind.STATE, word | wrong, desk.now())

    assert desk.ledger.state.state is TradingState.LIQUIDATING


def test_twenty_open_orders_are_cancelled_within_five_seconds_though_one_request_fails(
    tmp_path: Path,
) -> None:
    """F61, speed: HALTED on disk within 1 s, every order asked for; the one that failed again."""
    market: dict[str, Any] = {
        "data": {"symbols": ["SPY", *MANY]},
        "rehearsal": {"symbols": {"SPY": {"price": 670}, **MANY}},
    }
    with rehearsal(tmp_path, overlay("", portfolio={"initial_capital": 10_000_000}, **market)) as desk:
        desk.morning()
        desk.tick("14:31")
        orders = _buy_all(desk)
        begun = time.monotonic()
        halt(desk.desk.journal, "everything at once", "a person", desk.now())
        halted = time.monotonic() - begun
        desk.broker.silent_for = {desk.ledger.lives[orders[7]].order_id}
        done, _ = emergency.cancel_pending(desk.desk, desk.now())
        sent = time.monotonic() - begun
        desk.broker.silent_for = set()
        wanted = [desk.ledger.lives[key].cancel_requested for key in orders]
        desk.monitor("14:32")
        desk.monitor("14:32:30")

        assert (done.asked, done.failed, wanted) == (19, 1, [True] * 20)
        assert (halted < 1, sent < 5) == (True, True), (halted, sent)
        assert {desk.ledger.lives[key].state for key in orders} == {IntentState.CANCELLED}
        assert events(desk).count("cancel_unconfirmed") == 1


def _buy_all(desk: Rehearsal) -> list[str]:
    """Have twenty orders open at the exchange, each for more than a day's volume."""
    now, keys = desk.now(), []
    with urgent_pass(desk.desk, "intraday-tick", "test"):
        for number, symbol in enumerate(MANY):
            what = ("rehearsal", "t", symbol, Side.BUY, Purpose.ENTRY, 1_000 * QTY_SCALE, now, to_price("20"))
            keys.append(f"md1-many{number}")
            desk.desk.journal.append(Kind.INTENT, encode(Intent(keys[-1], *what)), now)
            send(desk.desk, keys[-1], 1_000 * QTY_SCALE, now)
    return keys


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_over_a_dead_line_a_cancel_is_called_unconfirmed_until_it_is(desk: Rehearsal) -> None:
    """F116, S14. HALTED at once; the row and the alert say UNCONFIRMED; the first answer confirms it."""
    desk.tick("14:35")
    desk.broker.silent = True
    summary = asyncio.run(body_of("emergency-stop")(directly, str(desk.config), "drill", False))
    said = steps(desk, "emergency-stop")
    with pytest.raises(BrokerUnavailable):
        desk.monitor("14:35:30")
    dead = desk.life("THIN").state
    desk.broker.silent = False
    desk.monitor("14:36:30")

    assert (summary["cancels"], summary["unconfirmed"]) == (0, 1)
    assert (
        said["halt_all_new_orders"] == said["send_emergency_alerts"] == said["log_emergency_action"] == "ok"
    )
    assert said["cancel_pending_orders"] == "warn"
    assert "cancel_unconfirmed" in events(desk)
    assert dead is IntentState.ACKED
    assert desk.life("THIN").state is IntentState.CANCELLED


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_an_order_whose_answer_nobody_heard_is_found_and_cancelled_by_the_kill(desk: Rehearsal) -> None:
    """F115. The process died after the request left: SENDING, no broker's id. It is looked up by ours."""

    def person(moment: str) -> None:
        if moment == "after":
            raise Killed

    desk.to(at("14:35"))
    desk.broker.fault = person
    with pytest.raises(Killed):
        desk.tick("14:35")
    desk.broker.fault = lambda _moment: None
    in_flight = desk.life("THIN")
    halt(desk.desk.journal, "now", "a person", desk.now())
    emergency.cancel_pending(desk.desk, desk.now())
    order = desk.desk.broker.fetch_order(in_flight.intent.id)
    desk.monitor("14:35:30")

    assert (in_flight.state, in_flight.order_id) == (IntentState.SENDING, "")
    assert order is not None
    assert order.state is IntentState.CANCELLED
    assert desk.life("THIN").state is IntentState.CANCELLED
    assert set(desk.received().values()) == {1}


@pytest.mark.parametrize("desk", [("+SPY 14:35, +QQQ 14:35", SMALLER)], indirect=True)
def test_an_automatic_stop_halves_each_position_once_with_reduce_only_orders(desk: Rehearsal) -> None:
    """After the books agree. A restart in the middle changes nothing; no pass sells a second half."""
    desk.tick("14:35")
    desk.tick("14:36")
    held = {symbol: position.quantity for symbol, position in desk.ledger.positions.items()}
    stop(desk.desk, Trigger.SYSTEM_ERROR, "a test", "system", desk.now())
    targets = dict(desk.ledger.state.targets)
    desk.monitor("14:36:30")
    desk.restart()
    for clock in ("14:37", "14:38", "14:39"):
        desk.tick(clock)
        desk.monitor(f"{clock}:30")
    sold = [life for life in desk.ledger.lives.values() if life.intent.purpose is Purpose.REDUCTION]

    assert {symbol: position.quantity for symbol, position in desk.ledger.positions.items()} == targets
    assert all(targets[symbol] == quantity // 2 for symbol, quantity in held.items())
    assert [life.state for life in sold] == [IntentState.FILLED] * 2
    assert desk.ledger.state.state is TradingState.HALTED
    assert steps(desk, "automatic-stop")["reduce_position_sizes"] == "ok"
    assert events(desk).count("ready_to_resume") == 1


@pytest.mark.parametrize("desk", [("+SPY 14:35", SMALLER)], indirect=True)
def test_the_guard_lets_no_reduction_go_below_its_target(desk: Rehearsal) -> None:
    """One unit more than half: refused, inside the append."""
    desk.tick("14:35")
    desk.tick("14:36")
    stop(desk.desk, Trigger.SYSTEM_ERROR, "a test", "system", desk.now())
    held = desk.ledger.positions["SPY"].quantity
    too_much = held - desk.ledger.state.targets["SPY"] + 1
    what = ("rehearsal", "risk", "SPY", Side.SELL, Purpose.REDUCTION, too_much, desk.now(), to_price("670"))

    with pytest.raises(AppendRefused) as refused:
        desk.desk.journal.append(Kind.INTENT, encode(Intent("md1-toomuch", *what)), desk.now())
    assert refused.value.code == "halted"


@pytest.mark.parametrize("desk", [("+SPY 14:35", SMALLER)], indirect=True)
def test_what_is_left_of_a_position_is_counted_anew_by_a_split(desk: Rehearsal) -> None:
    """Half of it stays half of it: two shares for one, and the quantity to keep doubles with what is held."""
    desk.tick("14:35")
    desk.tick("14:36")
    stop(desk.desk, Trigger.SYSTEM_ERROR, "a test", "system", desk.now())
    held, kept = desk.ledger.positions["SPY"].quantity, desk.ledger.state.targets["SPY"]
    action = {"activity_id": "split-1", "symbol": "SPY", "numerator": 2, "denominator": 1}
    desk.desk.journal.append(Kind.SPLIT, action | {"at": desk.now().isoformat()}, desk.now())

    assert desk.ledger.positions["SPY"].quantity == 2 * held
    assert desk.ledger.state.targets["SPY"] == 2 * kept


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_an_order_on_its_way_when_somebody_halts_is_cancelled_by_that_very_pass(desk: Rehearsal) -> None:
    """F115. The request has left, the person halts, the answer comes: the run ends with the cancel."""

    def person(moment: str) -> None:
        if moment == "after":
            halt(desk.desk.journal, "now", "a person", desk.now())

    desk.to(at("14:35"))
    desk.broker.fault = person
    desk.tick("14:35")
    order = desk.desk.broker.fetch_order(desk.life("THIN").intent.id)

    assert order is not None
    assert order.state is IntentState.CANCELLED
    assert desk.life("THIN").cancel_requested


@pytest.mark.parametrize("desk", [("+SPY 14:35", SMALLER)], indirect=True)
def test_a_persons_halt_ends_a_reduction_too(desk: Rehearsal) -> None:
    desk.tick("14:35")
    desk.tick("14:36")
    before = desk.ledger.positions["SPY"].quantity
    stop(desk.desk, Trigger.SYSTEM_ERROR, "a test", "system", desk.now())
    halt(desk.desk.journal, "keep them", "a person", desk.now())
    desk.monitor("14:36:30")
    desk.monitor("14:37")

    assert desk.ledger.positions["SPY"].quantity == before
    assert (desk.ledger.state.keep, desk.ledger.state.targets) == (True, {})


@pytest.mark.parametrize("desk", [("", SMALLER)], indirect=True)
def test_recovery_is_tried_after_the_cause_and_never_resumes(desk: Rehearsal) -> None:
    """An unforeseen error halts; the next monitor tries the five steps and says so, once."""
    desk.tick("14:31")
    stop(desk.desk, Trigger.SYSTEM_ERROR, "KeyError: 'x'", "system", desk.now())
    for clock in ("14:31:30", "14:32", "14:38"):
        desk.monitor(clock)
    said = steps(desk, "automatic-stop")

    assert desk.ledger.state.state is TradingState.HALTED
    assert said["attempt_system_recovery"] == said["test_order_placement"] == "ok"
    assert len(said) == 9
    assert events(desk).count("ready_to_resume") == 1


@pytest.mark.parametrize("desk", [("+SPY 14:35", {})], indirect=True)
def test_a_persons_halt_starts_neither_recovery_nor_reduction(desk: Rehearsal) -> None:
    desk.tick("14:35")
    halt(desk.desk.journal, "lunch", "a person", desk.now())
    for clock in ("14:35:30", "14:36"):
        desk.monitor(clock)

    assert steps(desk, "automatic-stop") == {}
    assert "ready_to_resume" not in events(desk)


FAILSAFE: dict[str, Any] = {
    "emergency_procedures": {
        "automatic_stops": {
            "triggers": [{"connectivity_failures": 3}],
            **SELLS["emergency_procedures"]["automatic_stops"],
        }
    }
}


@pytest.mark.parametrize("desk", [("+SPY 14:35, +THIN 14:36", FAILSAFE)], indirect=True)
def test_the_failsafe_waits_for_the_line_then_cancels_first_and_sells_by_journalled_orders(
    desk: Rehearsal,
) -> None:
    """Three failed checks: LIQUIDATING, latched. Nothing is pretended while the line is dead (S14).

    When it answers: the cancel of the part-filled buy, then a comparison, then exits with our ids.
    """
    desk.tick("14:35")
    desk.tick("14:36")
    desk.broker.silent = True
    for clock in ("14:36:30", "14:37", "14:37:30"):
        with pytest.raises(BrokerUnavailable):
            desk.monitor(clock)
    change, sent = desk.ledger.state, len(desk.received())
    desk.broker.silent = False
    before = desk.ledger.seq
    for clock in ("14:38", "14:38:30", "14:39", "14:40", "14:41"):
        desk.monitor(clock)
    later = [
        record
        for record in desk.desk.journal.records(before)
        if record.kind in (Kind.CANCEL, Kind.RECONCILED, Kind.INTENT)
    ]

    assert (change.state, change.trigger) == (TradingState.LIQUIDATING, "connectivity_failures")
    assert sent == 2
    assert [record.kind for record in later][:3] == [Kind.CANCEL, Kind.RECONCILED, Kind.INTENT]
    assert desk.life("THIN").intent.purpose is Purpose.LIQUIDATION
    assert (desk.ledger.positions, desk.desk.broker.fetch_positions()) == ({}, ())
    assert desk.ledger.state.state is TradingState.HALTED
    assert set(desk.received().values()) == {1}


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:39"], indirect=True)
def test_after_a_silence_the_books_are_compared_before_anything_is_done(desk: Rehearsal) -> None:
    """F45. 60 s of silence: exits only. It answers: compared, then NORMAL by itself, then the next entry."""
    desk.tick("14:35")
    desk.broker.silent = True
    for clock in ("14:36", "14:37", "14:38"):
        desk.to(at(clock))
        with pytest.raises(BrokerUnavailable):
            desk.tick(clock)
    silent = desk.ledger.state.state
    desk.broker.silent = False
    before = desk.ledger.seq
    desk.tick("14:39")
    order = [record.kind for record in desk.desk.journal.records(before)]

    assert silent is TradingState.REDUCING
    assert desk.ledger.state.state is TradingState.NORMAL
    assert (
        order.index(Kind.RECONCILED)
        < order.index(Kind.SILENCE)
        < order.index(Kind.STATE)
        < order.index(Kind.INTENT)
    )


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:39"], indirect=True)
def test_a_silence_after_which_the_books_differ_does_not_end_in_trading(desk: Rehearsal) -> None:
    """Somebody sold by hand while the line was dead: no entry, the symbol is locked or trading halted."""
    desk.tick("14:35")
    desk.tick("14:36")
    desk.broker.silent = True
    for clock in ("14:37", "14:38"):
        desk.to(at(clock))
        with pytest.raises(BrokerUnavailable):
            desk.tick(clock)
    desk.by_hand(symbol="SPY", side="sell", qty="1")
    desk.broker.silent = False
    desk.tick("14:39")

    assert "SPY" in desk.ledger.locks
    assert not [life for life in desk.ledger.lives.values() if life.intent.symbol == "SPY"][1:]


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:38"], indirect=True)
def test_a_breach_while_the_line_was_dead_is_seen_before_any_signal(desk: Rehearsal) -> None:
    """F46. When it answers the day's loss is 9 %: HALTED stands before the tick decides."""
    desk.tick("14:35")
    desk.broker.silent = True
    with pytest.raises(BrokerUnavailable):
        desk.tick("14:36")
    base = desk.ledger.baseline
    assert base is not None
    lost = {"day": base.day.isoformat(), "month_equity": base.month_equity, "peak_equity": base.peak_equity}
    desk.desk.journal.append(Kind.BASELINE, lost | {"day_equity": base.day_equity * 11 // 10}, desk.now())
    desk.broker.silent = False
    before = desk.ledger.seq
    desk.tick("14:38")
    order = [record.kind for record in desk.desk.journal.records(before)]

    assert (desk.ledger.state.state, desk.ledger.state.trigger) == (TradingState.HALTED, "daily_loss_limit")
    assert order.index(Kind.STATE) < order.index(Kind.TICK)
    assert Kind.INTENT not in order


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_kill_and_resume_twice_are_once(desk: Rehearsal) -> None:
    """F118. A hundred kills are one stop, told once, each in the journal; a second resume has no work."""
    desk.tick("14:35")
    desk.tick("14:36")
    journal = desk.desk.journal
    first = halt(journal, "one", "a person", desk.now())
    again = [halt(journal, f"number {number}", "a person", desk.now()) for number in range(100)]
    desk.resume()
    with pytest.raises(UsageError, match="nothing to resume"):
        desk.resume()

    assert (first, any(again)) == (True, False)
    reasons = [record.data["reason"] for record in desk.records(Kind.STATE)]
    assert (reasons[0], len(reasons), reasons[-1]) == ("one", 102, "looked at it")
    assert [record.data["event"] for record in desk.records(Kind.ALERT)].count("trading_halted") == 1


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_no_resume_while_an_order_is_in_doubt_or_the_books_differ(desk: Rehearsal) -> None:
    """F118. An order of which nobody knows whether it is live, then a sale by hand: refused both times."""
    desk.to(at("14:35"))

    def lost(moment: str) -> None:
        if moment == "after":
            raise BrokerUnavailable("rehearsal exchange", "the answer was lost")

    desk.broker.fault = lost
    desk.tick("14:35")
    journal = desk.desk.journal
    halt(journal, "why", "a person", desk.now())
    stated = {"session": "2026-11-20", "clean": True, "discrepancies": []}
    journal.append(Kind.RECONCILED, stated, desk.now() + timedelta(seconds=1))
    word = {"state": 0, "reason": "go", "by": "a person", "resume": True}
    with pytest.raises(AppendRefused) as doubt:
        journal.append(Kind.STATE, word, desk.now() + timedelta(seconds=2))
    desk.broker.fault = lambda _moment: None
    desk.monitor("14:36")
    journal.append(Kind.RECONCILED, stated | {"clean": False}, desk.now())
    with pytest.raises(AppendRefused) as differs:
        journal.append(Kind.STATE, word, desk.now() + timedelta(seconds=2))

    assert (doubt.value.code, differs.value.code) == ("unresolved", "unreconciled")
    assert desk.ledger.state.state is TradingState.HALTED


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_halt_outlives_a_restart_and_the_next_day(desk: Rehearsal) -> None:
    """F118. Planned anew a week later: HALTED, entries stay disabled at the open."""
    halt(desk.desk.journal, "over night", "a person", desk.now())
    desk.restart()
    desk.morning(HALF_DAY)
    desk.tick("14:35", HALF_DAY)

    assert (desk.ledger.session, desk.ledger.state.state) == (HALF_DAY, TradingState.HALTED)
    assert not desk.ledger.entries_enabled
    assert desk.received() == {}


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_a_resume_that_was_asked_for_before_the_stop_is_refused(desk: Rehearsal) -> None:
    """F117. A run that was queued, or sent again, is about an earlier stop."""
    desk.tick("14:31")
    asked = desk.now()
    halt(desk.desk.journal, "later than that", "a person", asked + timedelta(seconds=1))

    with pytest.raises(UsageError, match="look at why, then ask again"):
        check_word(desk.desk, "resume", "", asked)
    check_word(desk.desk, "resume", "", asked + timedelta(seconds=2))


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_crash_in_the_middle_of_a_resume_never_trades_into_the_old_drawdown(desk: Rehearsal) -> None:
    """The accepted drawdown is on record before the resume: whoever dies between them is still halted."""
    desk.tick("14:31")
    journal, base = desk.desk.journal, desk.ledger.baseline
    assert base is not None
    higher = {"day": base.day.isoformat(), "day_equity": base.day_equity, "month_equity": base.month_equity}
    journal.append(Kind.BASELINE, higher | {"peak_equity": base.day_equity * 5 // 4}, desk.now())
    desk.tick("14:32")
    before = desk.ledger.seq
    desk.resume("the loss is accepted")
    kinds = [record.kind for record in desk.desk.journal.records(before)]

    assert kinds.index(Kind.BASELINE) < kinds.index(Kind.STATE)


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_what_waits_at_no_broker_is_given_up_by_the_journal_alone(desk: Rehearsal) -> None:
    """Cancelling everything with the line cut: a planned intent ends, the live order stays wanted."""
    desk.tick("14:35")
    with urgent_pass(desk.desk, "intraday-tick", "test"):
        what = ("rehearsal", "t", "SPY", Side.BUY, Purpose.ENTRY, QTY_SCALE, desk.now(), to_price("670"))
        desk.desk.journal.append(Kind.INTENT, encode(Intent("md1-planned", *what)), desk.now())
    desk.broker.silent = True
    done = cancel_every(desk.desk, desk.ledger.open_lives, "test", desk.now())

    assert (done.asked, done.failed) == (1, 1)
    assert desk.ledger.lives["md1-planned"].state is IntentState.EXPIRED
    assert desk.life("THIN").cancel_requested


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_the_recovery_places_an_order_that_cannot_fill_and_cancels_it_at_once(desk: Rehearsal) -> None:
    """One share at half the price, under an id of ours, journalled before it left; nothing is held after."""
    desk.tick("14:31")
    halt(desk.desk.journal, "why", "a person", desk.now())
    desk.resume()
    probe = next(life for life in desk.ledger.lives.values() if life.intent.purpose is Purpose.PROBE)
    order = desk.desk.broker.fetch_order(probe.intent.id)

    assert order is not None
    assert (order.state, order.filled, probe.state) == (IntentState.CANCELLED, 0, IntentState.CANCELLED)
    assert probe.intent.limit_price is not None
    assert 0 < probe.intent.decision_price - 2 * probe.intent.limit_price <= 200
    assert steps(desk, "resume-trading")["test_order_placement"] == "ok"
    assert (desk.ledger.state.state, desk.ledger.positions) == (TradingState.NORMAL, {})


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_the_guard_lets_no_test_order_out_that_could_fill(desk: Rehearsal) -> None:
    """At the market, above half the price, for two shares, or while trading is NORMAL.

    One that is let in and not sent by its own pass is given up at the end of it.
    """
    desk.tick("14:31")
    journal, now = desk.desk.journal, desk.now()
    what = ("rehearsal", "recovery", "SPY", Side.BUY, Purpose.PROBE, QTY_SCALE, now, to_price("670"))
    good = Intent("md1-probe", *what, limit_price=to_price("335"))
    with urgent_pass(desk.desk, "resume-trading", "test"):
        with pytest.raises(AppendRefused, match="nothing is to be tested"):
            journal.append(Kind.INTENT, encode(good), now)
        halt(journal, "why", "a person", now)
        for wrong in (
            {"limit_price": None},
            {"limit_price": to_price("335.01")},
            {"quantity": 2 * QTY_SCALE},
        ):
            with pytest.raises(AppendRefused, match="one share at half its price"):
                journal.append(Kind.INTENT, encode(good) | wrong, now)
        journal.append(Kind.INTENT, encode(good), now)

    assert desk.ledger.lives["md1-probe"].state is IntentState.EXPIRED


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_a_resume_by_a_flow_with_real_money_wants_the_phrase(desk: Rehearsal) -> None:
    """F117. Whoever reaches Prefect's API has to know what a person types."""
    halt(desk.desk.journal, "why", "a person", desk.now())
    later = desk.now() + timedelta(seconds=1)
    live = replace(desk.desk, mode="live", account="alpaca-live")

    for typed in ("", "yes", "resume rehearsal"):
        with pytest.raises(UsageError, match="wants the phrase “resume alpaca-live”"):
            check_word(live, "resume", typed, later)
    check_word(live, "resume", "resume alpaca-live", later)


@pytest.mark.parametrize(("mode", "told"), [("stuck", [0, 0, 1]), ("refused", [1, 1, 1])])
def test_a_cancel_that_the_broker_does_not_carry_out_is_never_called_done(
    tmp_path: Path, mode: str, told: list[int]
) -> None:
    """F116 on the wire: accepted and then nothing, told after a minute; answered 500, told at once."""
    with rehearsal(tmp_path, overlay("+THIN 14:35", **THIN)) as desk:
        desk.morning()
        desk.tick("14:35")
        control = desk.exchange.control()
        control.cancels(mode)
        halt(desk.desk.journal, "why", "a person", desk.now())
        seen = []
        for clock in ("14:35:30", "14:36", "14:36:30"):
            with suppress(BrokerUnavailable):  # recovery asks, too, and may end its pass over the answer
                desk.monitor(clock)
            seen.append(events(desk).count("cancel_unconfirmed"))
        open_still = desk.life("THIN").state
        control.cancels("normal")
        desk.monitor("14:37")
        desk.monitor("14:37:30")

        assert seen == told
        assert open_still in (IntentState.ACKED, IntentState.PARTIAL)
        assert desk.life("THIN").state is IntentState.CANCELLED
