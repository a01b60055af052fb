"""Stops: what a halt, a liquidation and a silent broker do to a desk that trades."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState, Purpose
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerUnavailable, UsageError
from pipeline.operations.emergency import flatten, halt
from tasks.calling import directly
from tests.operations.desks import Rehearsal, at, body_of, overlay, rehearsal

THIN: dict[str, Any] = {
    "data": {"symbols": ["SPY", "QQQ", "THIN"]},
    "portfolio": {"initial_capital": 1_000_000},
    "rehearsal": {
        "symbols": {
            "SPY": {"price": 670, "daily_volume": 70_000_000},
            "QQQ": {"price": 610, "daily_volume": 50_000_000},
            "THIN": {"price": 20, "daily_volume": 39_000, "fractionable": False},
        }
    },
}
"""A million, and a symbol of which an order for 1,000 shares takes two hours."""


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way with the script that a test asks for."""
    with rehearsal(tmp_path, overlay(request.param, **THIN)) as running:
        running.morning()
        yield running


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:35"], indirect=True)
def test_a_halt_between_decision_and_request_sends_nothing(desk: Rehearsal) -> None:
    """Two orders are decided at one tick. A person halts while the first is on its way: the second stays."""

    def person(moment: str) -> None:
        if moment == "before":
            halt(desk.desk.journal, "rumours", "a person", desk.now())

    desk.to(at("14:35"))
    desk.broker.fault = person
    summary = desk.tick("14:35")
    spy, qqq = desk.life("SPY"), desk.life("QQQ")

    assert (summary["wanted"], summary["sent"]) == (2, 1)
    assert (qqq.sends, spy.sends) == (0, 1)
    assert set(desk.received()) == {spy.intent.id}
    desk.monitor("14:35:30")
    assert desk.life("QQQ").state is IntentState.EXPIRED
    assert set(desk.received()) == {spy.intent.id}


@pytest.mark.parametrize("desk", ["+THIN 14:35, +SPY 14:40"], indirect=True)
def test_a_halt_cancels_open_orders_at_the_next_pass_and_survives_a_restart(desk: Rehearsal) -> None:
    """A halt needs the journal only; the next pass cancels what is open; no tick sends anything after it."""
    desk.tick("14:35")
    desk.tick("14:36")
    halt(desk.desk.journal, "fat finger", "a person", desk.now())
    desk.monitor("14:36:30")
    desk.restart()
    wanted = desk.tick("14:40")
    log = desk.exchange.control().log()

    assert desk.life("THIN").state is IntentState.CANCELLED
    assert 0 < desk.life("THIN").filled < desk.life("THIN").intent.quantity
    assert [entry["kind"] for entry in log if entry["at"] >= "2026-11-20T14:36:30"] == ["canceled"]
    assert (desk.ledger.state.state, desk.ledger.state.reason, desk.ledger.state.by) == (
        TradingState.HALTED,
        "fat finger",
        "a person",
    )
    assert "sent" not in wanted
    assert len(desk.received()) == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:35, +THIN 14:36"], indirect=True)
def test_liquidating_cancels_and_sells_everything_then_halts(desk: Rehearsal) -> None:
    """Two positions and a part-filled buy: that is cancelled, all three are sold, once each."""
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    flatten(desk.desk.journal, "enough", "a person", desk.now())
    desk.monitor("14:37:30")
    for minute in range(38, 50):
        desk.tick(f"14:{minute}")
    sold = [life for life in desk.ledger.lives.values() if life.intent.purpose is Purpose.LIQUIDATION]

    assert {life.intent.symbol for life in sold} == {"SPY", "QQQ", "THIN"}
    assert all(life.state is IntentState.FILLED for life in sold)
    assert (desk.ledger.positions, desk.desk.broker.fetch_positions()) == ({}, ())
    assert desk.ledger.state.state is TradingState.HALTED
    assert desk.ledger.state.reason == "flat after: enough"
    assert set(desk.received().values()) == {1}


def test_reducing_refuses_entries_and_lets_exits_go(tmp_path: Path) -> None:
    """At 14:36 SPY is 0.075 % below its entry: 2 % of equity lost 15 ppm of it. REDUCING begins at 10.

    The exit of SPY at that same tick goes out, the entry of QQQ does not.
    """
    touchy = overlay(
        "+SPY 14:35, -SPY 14:36, +QQQ 14:36",
        risk_management={"daily_loss_limit_pct": 0.00001},
        monitoring={"risk_monitoring": {"alert_thresholds": {"daily_loss_warning": 0.000005}}},
    )
    with rehearsal(tmp_path, touchy) as desk:
        desk.morning()
        desk.tick("14:35")
        summary = desk.tick("14:36")
        verdicts = {record.data["symbol"]: record.data for record in desk.records(Kind.VERDICT)[-2:]}

        assert (summary["state"], summary["wanted"], summary["sent"]) == ("REDUCING", 2, 1)
        assert (desk.life("SPY").intent.purpose, verdicts["SPY"]["breaches"]) == (Purpose.EXIT, [])
        assert [breach["limit"] for breach in verdicts["QQQ"]["breaches"]] == ["trading_state"]


@pytest.mark.parametrize("desk", [""], indirect=True)
def test_a_silent_broker_climbs_the_ladder_and_its_answer_descends_it(desk: Rehearsal) -> None:
    """More than 300 s of silence halt. One lost answer does not: the next pass is as before."""
    desk.to(at("14:35"))
    desk.broker.silent = True
    with pytest.raises(BrokerUnavailable):
        desk.tick("14:35")
    desk.broker.silent = False
    once = desk.ledger.state.state
    desk.monitor("14:35:30")
    recovered = (desk.ledger.failures, desk.ledger.silent_since)
    desk.broker.silent = True
    seen = []
    for clock in ("14:36", "14:37", "14:38", "14:41", "14:42"):
        desk.to(at(clock))
        with pytest.raises(BrokerUnavailable):
            desk.tick(clock)
        seen.append(desk.ledger.state.state.name)
    desk.broker.silent = False

    assert once is TradingState.NORMAL
    assert recovered == (0, None)
    assert seen == ["NORMAL", "REDUCING", "REDUCING", "HALTED", "HALTED"]
    assert desk.ledger.state.trigger == "broker_disconnection"


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_the_emergency_stop_flow_halts_first_and_cancels_at_once(desk: Rehearsal) -> None:
    """A person asks for it between two passes: HALTED stands before the cancel, nothing waits."""
    desk.tick("14:35")
    summary = asyncio.run(body_of("emergency-stop")(directly, str(desk.config), "drill", False))
    kinds = [record.kind for record in desk.records(Kind.STATE, Kind.CANCEL)]
    desk.monitor("14:35:30")

    assert (summary["cancels"], summary["unconfirmed"]) == (1, 0)
    assert kinds == [Kind.STATE, Kind.CANCEL]
    assert desk.life("THIN").state is IntentState.CANCELLED


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_an_emergency_stop_with_the_broker_gone_halts_and_cancels_later(desk: Rehearsal) -> None:
    """HALTED stands at once; the cancel cannot be confirmed, is on record, and is made by the next pass."""
    desk.tick("14:35")
    desk.broker.silent = True
    summary = asyncio.run(body_of("emergency-stop")(directly, str(desk.config), "drill", False))
    unconfirmed = desk.life("THIN")
    desk.broker.silent = False
    desk.monitor("14:35:30")

    assert (summary["cancels"], summary["unconfirmed"]) == (0, 1)
    assert (unconfirmed.state, unconfirmed.cancel_requested) == (IntentState.ACKED, True)
    assert desk.ledger.state.state is TradingState.HALTED
    desk.monitor("14:36:30")
    assert desk.life("THIN").state is IntentState.CANCELLED


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_who_resumes_after_a_drawdown_accepts_it(desk: Rehearsal) -> None:
    """A peak of 1,250,000 over an equity of a million is 20 % of drawdown: HALTED; resumed, it stays so."""
    desk.tick("14:31")
    journal, base = desk.desk.journal, desk.ledger.baseline
    assert base is not None
    higher = {"day": base.day.isoformat(), "day_equity": base.day_equity, "month_equity": base.month_equity}
    journal.append(Kind.BASELINE, higher | {"peak_equity": base.day_equity * 5 // 4}, desk.now())
    desk.tick("14:32")
    halted = desk.ledger.state
    desk.resume("the loss is accepted")
    desk.tick("14:33")

    assert (halted.state, "drawdown 20.00 %" in halted.reason) == (TradingState.HALTED, True)
    assert desk.ledger.state.state is TradingState.NORMAL


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_days_loss_halts_until_the_next_session_whoever_resumes(desk: Rehearsal) -> None:
    """Started at 1,100,000, now a million: 9.1 % lost of 5 %."""
    desk.tick("14:31")
    base = desk.ledger.baseline
    assert base is not None
    lost = {"day": base.day.isoformat(), "month_equity": base.month_equity, "peak_equity": base.peak_equity}
    journal = desk.desk.journal
    journal.append(Kind.BASELINE, lost | {"day_equity": base.day_equity * 11 // 10}, desk.now())
    desk.tick("14:32")

    with pytest.raises(UsageError, match=r"daily loss 9\.09 %"):
        desk.resume("once more")
    assert desk.ledger.state.state is TradingState.HALTED
