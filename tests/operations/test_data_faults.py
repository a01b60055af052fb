"""Bad market data, through the exchange that sends it: its symbol is not entered, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.orders import Purpose
from pipeline.domain.trading_state import TradingState
from pipeline.exchange.fault_rules import FaultRule
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

BOTH = "+SPY 14:41, +QQQ 14:41"
"""What the strategy wants at 09:41 in New York, of the bars up to 09:40."""


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way, with the script that a test asks for and a strategy that sees four bars."""
    script = getattr(request, "param", BOTH)
    with rehearsal(tmp_path, seeing(4, script)) as running:
        running.morning()
        yield running


def seeing(lookback: int, script: str, **sections: Any) -> dict[str, Any]:
    """Return the scripted overlay with a strategy that looks back further than one bar."""
    configured = overlay(script, **sections)
    configured["strategies"][0]["params"]["lookback"] = lookback
    return configured


def verdicts(desk: Rehearsal) -> dict[str, list[str]]:
    """Return, by symbol, the codes of the last verdict on an entry; none when it was allowed."""
    return {
        record.data["symbol"]: [breach["limit"] for breach in record.data["breaches"]]
        for record in desk.records(Kind.VERDICT)
        if record.data["purpose"] == Purpose.ENTRY.value
    }


def told(desk: Rehearsal, event: str = "data_quality") -> list[str]:
    """Return the titles of the alerts of one event."""
    alerts = [record.data for record in desk.records(Kind.ALERT)]
    return [alert["title"] for alert in alerts if alert["event"] == event]


def seen(desk: Rehearsal) -> set[tuple[str, str]]:
    """Return the flaws that the last tick saw, as symbol and defect."""
    return {(flaw["symbol"], flaw["defect"]) for flaw in desk.records(Kind.TICK)[-1].data["flaws"]}


def spoil(desk: Rehearsal, kind: str, clock: str, until: str, **fields: Any) -> None:
    """Have the feed falsify SPY's bars that begin from ``clock`` to before ``until``."""
    rule = FaultRule(kind=kind, symbol="SPY", start=at(clock), end=at(until), **fields)
    desk.exchange.control().add_fault(rule)


INVALID = ("data_nan", "data_null", "data_zero", "data_negative", "data_crossed", "data_naive")


@pytest.mark.parametrize(
    "desk", [", ".join(f"+SPY 14:{minute}" for minute in range(41, 60, 3))], indirect=True
)
def test_a_bar_that_cannot_be_true_stops_new_risk_in_its_symbol_only(desk: Rehearsal) -> None:
    """Every three minutes another fault: the bar before the newest is bad when SPY is wanted."""
    kinds = (*INVALID, "data_conflict")
    for number, kind in enumerate(kinds):
        minute = 41 + 3 * number
        spoil(desk, kind, f"14:{minute - 2}", f"14:{minute - 1}")
        desk.tick(f"14:{minute}")
    refused = [record.data for record in desk.records(Kind.VERDICT)]

    assert [one["breaches"][0]["limit"] for one in refused[:6]] == ["data_invalid"] * 6
    assert {breach["limit"] for breach in refused[6]["breaches"]} <= {"data_invalid", "data_conflict"}
    assert {symbol for symbol, _ in seen(desk)} == {"SPY"}
    assert told(desk) == ["Data of SPY cannot be trusted"]


def test_two_truths_for_one_minute_are_a_conflict_and_the_other_symbol_is_traded(desk: Rehearsal) -> None:
    spoil(desk, "data_conflict", "14:38", "14:39")
    desk.tick("14:41")

    assert verdicts(desk) == {"SPY": ["data_conflict"], "QQQ": []}
    assert seen(desk) == {("SPY", "data_conflict")}


def test_a_bad_bar_that_nobody_sees_any_more_stops_nothing(desk: Rehearsal) -> None:
    """Four bars are looked at: that of 09:36 is out of sight at 09:41."""
    spoil(desk, "data_conflict", "14:36", "14:37")
    desk.tick("14:41")

    assert verdicts(desk) == {"SPY": [], "QQQ": []}


def test_a_process_that_begins_anew_finds_the_same(desk: Rehearsal) -> None:
    """One saw the bad bar come, the other asks for the whole window: the same flaw."""
    spoil(desk, "data_nan", "14:38", "14:39")
    for clock in ("14:38", "14:39", "14:40"):
        desk.tick(clock)
    before = seen(desk)
    desk.restart()
    desk.tick("14:41")

    assert before == {("SPY", "data_invalid")}
    assert verdicts(desk)["SPY"] == ["data_invalid"]


@pytest.mark.parametrize("kind", ["data_duplicate", "data_disorder"])
def test_repeated_and_unsorted_bars_are_put_right(desk: Rehearsal, kind: str) -> None:
    spoil(desk, kind, "14:30", "14:41")
    desk.tick("14:41")

    assert verdicts(desk) == {"SPY": [], "QQQ": []}
    assert seen(desk) == set()


def test_a_hole_gives_no_signal(tmp_path: Path) -> None:
    """Six minutes are missing and five are allowed; SPY is not asked, so there is no verdict on it."""
    with rehearsal(tmp_path, seeing(12, "+SPY 14:43, +QQQ 14:43")) as desk:
        desk.morning()
        spoil(desk, "data_missing", "14:35", "14:41")
        desk.tick("14:43")

        assert verdicts(desk) == {"QQQ": []}
        assert seen(desk) == {("SPY", "data_gap")}
        assert told(desk) == ["Data of SPY cannot be trusted"]


def test_a_pause_of_five_minutes_is_no_hole(tmp_path: Path) -> None:
    with rehearsal(tmp_path, seeing(12, "+SPY 14:43, +QQQ 14:43")) as desk:
        desk.morning()
        spoil(desk, "data_missing", "14:36", "14:41")
        desk.tick("14:43")

        assert verdicts(desk) == {"SPY": [], "QQQ": []}


def test_a_feed_that_stands_still_is_not_traded_on(tmp_path: Path) -> None:
    """It stops at the close of 09:34: at the tenth bar that says so nothing is entered any more."""
    script = "+SPY 14:44, +QQQ 14:44"
    with rehearsal(tmp_path, seeing(12, script)) as desk:
        desk.morning()
        spoil(desk, "data_frozen", "14:35", "14:50")
        desk.tick("14:43")
        nine = seen(desk)
        desk.tick("14:44")

        assert nine == set()
        assert seen(desk) == {("SPY", "data_frozen")}
        assert verdicts(desk) == {"SPY": ["data_frozen"], "QQQ": []}


@pytest.mark.parametrize("desk", ["+SPY 14:41, +SPY 14:42, +QQQ 14:41"], indirect=True)
def test_a_spike_waits_for_the_next_bar_and_one_that_was_none_is_not_traded_on(desk: Rehearsal) -> None:
    """10 % up for one minute: no order at it, and none while the bad print is in the averages."""
    spoil(desk, "data_spike", "14:40", "14:41")
    desk.tick("14:41")
    at_it = verdicts(desk)
    desk.tick("14:42")

    assert at_it == {"SPY": ["data_spike"], "QQQ": []}
    assert verdicts(desk)["SPY"] == ["data_bad_print"]


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_stop_is_not_made_on_one_spiking_bar_and_the_monitors_quote_does_not_confirm_it(
    desk: Rehearsal,
) -> None:
    """Bought at 09:35; a bad print 20 % down at 09:39; quotes at 09:40:30 know nothing of it."""
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    spoil(desk, "data_spike", "14:39", "14:40", factor=0.8)
    desk.tick("14:40")
    desk.monitor("14:40:30")
    desk.tick("14:41")

    assert [life.intent.purpose for life in desk.ledger.lives.values()] == [Purpose.ENTRY]
    assert desk.ledger.state.state is TradingState.NORMAL


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_fall_that_is_real_is_stopped_out_by_the_next_word(desk: Rehearsal) -> None:
    """20 % down in truth: the bar of 09:39 says so, the quote half a minute later confirms it."""
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    desk.to(at("14:39"))
    desk.exchange.control().shock("SPY", "0.8")
    desk.tick("14:40")
    held = [life.intent.purpose for life in desk.ledger.lives.values()]
    desk.monitor("14:40:30")

    assert held == [Purpose.ENTRY]
    assert desk.life().intent.purpose is Purpose.STOP


def test_quotes_that_are_an_hour_old_stop_nobody_out_and_let_nobody_in(tmp_path: Path) -> None:
    """Held for review, released by the monitor on quotes: they are stale, so it is given up."""
    held = overlay("+SPY 14:41", execution={"execution_delay_seconds": 30})
    with rehearsal(tmp_path, held) as desk:
        desk.morning()
        spoil(desk, "data_stale", "14:30", "15:30")
        desk.tick("14:41")
        desk.monitor("14:41:30")

        assert "data_fresh" in desk.life().note


def test_a_bar_that_comes_late_is_fetched_after_all(desk: Rehearsal) -> None:
    """SPY's bar of 09:39 is not there at 09:40, and is at 09:41: no hole stays in what was kept."""
    desk.tick("14:39")
    spoil(desk, "data_missing", "14:39", "14:40")
    desk.tick("14:40")
    desk.exchange.control().clear_faults()
    desk.tick("14:41")
    starts = [bar.start for bar in desk.desk.memory.bars["SPY"]]

    assert starts[-3:] == [at("14:38"), at("14:39"), at("14:40")]
    assert verdicts(desk) == {"SPY": [], "QQQ": []}


def test_an_unclosed_bar_is_not_seen(desk: Rehearsal) -> None:
    """The feed appends the running minute: the newest bar seen ends at the tick all the same."""
    spoil(desk, "data_unclosed", "14:30", "15:30")
    desk.tick("14:41")
    bars = desk.desk.memory.bars["SPY"]

    assert bars[-1].start == at("14:40")
    assert verdicts(desk) == {"SPY": [], "QQQ": []}


def test_a_quote_that_cannot_be_true_lets_nothing_out_of_review(tmp_path: Path) -> None:
    """Both are held for 30 s; SPY's quotes are crossed by then, so there is no price to release it at."""
    held = overlay("+SPY 14:41, +QQQ 14:41", execution={"execution_delay_seconds": 30})
    with rehearsal(tmp_path, held) as desk:
        desk.morning()
        desk.tick("14:41")
        spoil(desk, "data_crossed", "14:41", "15:00")
        desk.monitor("14:41:30")

        assert "data_fresh" in desk.life("SPY").note
        assert desk.life("QQQ").sends == 1
        assert told(desk) == ["Data of SPY cannot be trusted"]


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_split_makes_no_signal_no_stop_and_no_drawdown(desk: Rehearsal) -> None:
    """Ten for one in mid-session: the price is a tenth, the shares ten times as many, the equity the same."""
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    before = desk.ledger.positions["SPY"]
    desk.to(at("14:38"))
    desk.exchange.control().split("SPY", 10, 1)
    desk.run("intraday-check", at("14:38"))
    for clock in ("14:39", "14:40", "14:41"):
        desk.tick(clock)
    held = desk.ledger.positions["SPY"]
    closes = [bar.close for bar in desk.desk.memory.bars["SPY"]]

    assert (held.quantity, held.cost) == (10 * before.quantity, before.cost)
    assert max(closes) < 1.02 * min(closes)
    assert desk.ledger.state.state is TradingState.NORMAL
    assert len(desk.ledger.lives) == 1
    assert ("SPY", "data_spike") not in seen(desk)
