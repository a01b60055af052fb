"""One session, twice: through the flows' bodies and the exchange, and through the event simulator."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.rules.fills import market_fill_price
from pipeline.research import account
from pipeline.research.simulator import simulate
from pipeline.wiring.backtesting import Prepared, Source, prepare
from tests.e2e.market import minute_bars
from tests.operations.desks import DAY, HALF_DAY, Rehearsal, overlay, rehearsal

Told = dict[str, Any]
RECORDED = (date(2013, 10, 7), date(2013, 10, 8))
SYMBOLS = ("AIG", "BAC", "IBM", "SPY")
LOOSE = {"position_size_pct": 0.2, "max_positions": 4, "max_exposure_pct": 0.8, "stop_loss_pct": 0.002}


def crossover(threshold: float, **sections: Any) -> dict[str, Any]:
    params = {"fast_period": 5, "slow_period": 12, "signal_threshold": threshold}
    strategy = {"type": "momentum", "name": "Cross", "params": params, "allocation": 1.0}
    return overlay() | {"strategies": [strategy]} | sections


def trade(desk: Rehearsal, day: date) -> None:
    """Carry out everything that is planned for a session, in order."""
    session = desk.desk.sessions.on(day)
    assert session is not None
    desk.run("plan-session", session.open - timedelta(minutes=150))
    for name, instant in desk.ledger.planned:
        if name != "plan-session":
            desk.run(name, instant)


def lived(desk: Rehearsal) -> Told:
    """Return what the journal says was decided, executed and seen."""
    fills = [
        (desk.ledger.by_order[fill.order_id], fill.symbol, fill.side, fill.quantity, fill.price, fill.at)
        for fill in desk.ledger.fills.values()
    ]
    return {
        "decisions": [record.data for record in desk.records(Kind.VERDICT)],
        "fills": sorted(fills),
        "equity": [
            (record.data["at"], record.data["equity"], record.data["cash"])
            for record in desk.records(Kind.SNAPSHOT)
        ],
        "states": [
            (record.at, record.data["state"], record.data["reason"]) for record in desk.records(Kind.STATE)
        ],
    }


def simulated(prepared: Prepared) -> Told:
    """Return the same of a simulation, in the journal's form."""
    result = simulate(prepared.history, prepared.setup)
    decisions = []
    for one in result.decisions:
        proposal, verdict, intent = one.judged.proposal, one.judged.verdict, one.judged.intent
        decisions.append(
            {
                "instant": one.at.isoformat(),
                "symbol": proposal.symbol,
                "side": proposal.side.value,
                "purpose": proposal.purpose.value,
                "strategy": proposal.strategy,
                "reason": proposal.reason,
                "asked": verdict.asked,
                "quantity": verdict.quantity,
                "breaches": [encode(breach) for breach in verdict.breaches],
                "intent_id": intent.id if intent else None,
            }
        )
    fills = [one.fill for one in result.executions]
    return {
        "decisions": decisions,
        "fills": sorted(
            (fill.intent_id, fill.symbol, fill.side, fill.quantity, fill.price, fill.at) for fill in fills
        ),
        "equity": [(point.at.isoformat(), point.equity, point.cash) for point in result.curve],
        "states": [(change.at, int(change.state), change.reason) for change in result.states],
    }


def traded(
    folder: Path, configured: dict[str, Any], days: tuple[date, ...] = (DAY,), file: Path | None = None
) -> tuple[Told, Prepared]:
    """Trade the days through the flows; return what the journal says, and the same days to simulate."""
    overrides = (
        () if file is None else ("rehearsal.market=file", f"rehearsal.file={file}", "rehearsal.symbols={}")
    )
    with rehearsal(folder, configured, days[0], overrides) as desk:
        for day in days:
            trade(desk, day)
        source = Source(file, None if file else desk.settings.rehearsal.seed)
        prepared = prepare(desk.settings, source, (days[0], days[-1]), desk.home / "calendar")
        return lived(desk), prepared


def assert_equal(live: Told, simulation: Told) -> None:
    for part in ("states", "fills", "decisions", "equity"):
        for ours, theirs in zip(live[part], simulation[part], strict=False):
            assert ours == theirs, part
        assert len(live[part]) == len(simulation[part]), part


def stops(*actions: str, **triggers: float) -> dict[str, Any]:
    return {"automatic_stops": {"triggers": [triggers], "actions": ["halt_new_orders", *actions]}}


NO_MONITOR = {"risk_monitoring": {"check_frequency_seconds": 300}}
SHALLOW = {"drawdown_warning": 0.0002, "drawdown_critical": 0.0004}
EVERY_MINUTE = {"risk_monitoring": {"check_frequency_seconds": 60}}
THIN = {"costs": {"participation_pct": 0.000_2, "sell_fee_pct": 0.000_021, "fee_per_share": 0.005}}


def test_half_a_synthetic_day_is_the_same_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five-minute bars, ticks alone: entries, signal exits, stops. One rule changed in one place is seen."""
    configured = crossover(0.0001, data={"timeframe": "5m"}, risk_management=LOOSE, monitoring=NO_MONITOR)

    live, prepared = traded(tmp_path, configured, (HALF_DAY,))

    assert len(live["fills"]) >= 6
    assert_equal(live, simulated(prepared))

    monkeypatch.setattr(account, "market_fill_price", lambda *what: market_fill_price(*what) + 1)
    with pytest.raises(AssertionError, match="fills"):
        assert_equal(live, simulated(prepared))


@pytest.mark.slow
def test_monitor_passes_and_reviews_are_the_same_both_ways(tmp_path: Path) -> None:
    """A pass every 30 s: held intents are released or given up on quotes, stops hit between ticks."""
    configured = crossover(
        0.0001,
        data={"timeframe": "5m"},
        risk_management=LOOSE,
        execution={"execution_delay_seconds": 30},
        monitoring={"risk_monitoring": {"check_frequency_seconds": 30}},
    )

    live, prepared = traded(tmp_path, configured, (HALF_DAY,))

    assert len(live["fills"]) >= 6
    assert_equal(live, simulated(prepared))


@pytest.mark.slow
def test_recorded_sessions_with_holes_are_the_same_both_ways(tmp_path: Path) -> None:
    """Two sessions of real minutes, four symbols, holdings over night; thin volume: partial fills."""
    configured = crossover(
        0.0005,
        data={"timeframe": "5m", "symbols": list(SYMBOLS)},
        risk_management=LOOSE | {"time_controls": {"close_positions_minutes": 0}},
        portfolio={"initial_capital": 1_000_000},
        monitoring=EVERY_MINUTE,
        rehearsal=THIN,
    )

    live, prepared = traded(tmp_path, configured, RECORDED, minute_bars())
    intents = [one[0] for one in live["fills"]]

    assert len(intents) > len(set(intents)), "some order is filled in pieces"
    assert_equal(live, simulated(prepared))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("actions", "least"),
    [((), 1), (("reduce_position_sizes",), 2), (("close_all_positions",), 2)],
    ids=["halts", "reduces", "closes all"],
)
def test_a_stop_is_the_same_both_ways(tmp_path: Path, actions: tuple[str, ...], least: int) -> None:
    """A drawdown of 0.05 % stops trading: by itself, with half of everything sold, or with all of it."""
    configured = crossover(
        0.0001,
        data={"timeframe": "5m"},
        risk_management=LOOSE | {"stop_loss_pct": 0.05},
        monitoring={"risk_monitoring": {"check_frequency_seconds": 60, "alert_thresholds": SHALLOW}},
        emergency_procedures=stops(*actions, drawdown_limit=0.0005),
    )

    live, prepared = traded(tmp_path, configured, (HALF_DAY,))

    assert live["states"][-1][1] == 3
    assert len(live["fills"]) >= least
    assert_equal(live, simulated(prepared))


@pytest.mark.slow
def test_a_recorded_session_of_minutes_with_reviews_is_the_same_both_ways(tmp_path: Path) -> None:
    """One-minute bars and a pass every 30 s: releases on quotes, timeouts, doubts, flat at 15:30."""
    configured = crossover(
        0.0003,
        data={"symbols": list(SYMBOLS)},
        risk_management=LOOSE | {"time_controls": {"close_positions_minutes": 30}},
        execution={"execution_delay_seconds": 30, "position_management": {"timeout_seconds": 60}},
        portfolio={"initial_capital": 1_000_000},
        monitoring={"risk_monitoring": {"check_frequency_seconds": 30}},
        rehearsal=THIN,
    )

    live, prepared = traded(tmp_path, configured, RECORDED[:1], minute_bars())
    purposes = {one["purpose"] for one in live["decisions"]}

    assert len(live["fills"]) >= 50
    assert {"entry", "exit", "stop"} <= purposes
    assert_equal(live, simulated(prepared))
