"""The same session twice gives the same journal: no clock, no counter and no chance enters a decision."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from tests.operations.desks import MINUTE, Rehearsal, at, rehearsal

FAST = {
    "strategies": [
        {
            "type": "momentum",
            "name": "Fast",
            "params": {"fast_period": 2, "slow_period": 5, "signal_threshold": 0.0002},
        }
    ]
}
"""Two against five minutes: trades every few minutes."""


def forty_ticks(folder: Path) -> list[tuple[str, str, Any]]:
    """Run a session's first forty ticks with a monitor pass after every third; return its journal.

    Left out is what two machines, or two minutes, may differ in: who ran it, and how full the disk is.
    """
    with rehearsal(folder, FAST) as desk:
        desk.morning()
        for number in range(1, 41):
            desk.run("intraday-tick", at("14:30") + number * MINUTE)
            if number % 3 == 0:
                desk.run("risk-monitor", at("14:30") + number * MINUTE + timedelta(seconds=30))
        assert _traded(desk)
        return [(record.at.isoformat(), record.kind.value, _kept(record.data)) for record in desk.records()]


def _traded(desk: Rehearsal) -> bool:
    filled = [life for life in desk.ledger.lives.values() if life.state is IntentState.FILLED]
    return len(filled) >= 4


def _kept(data: Any) -> Any:
    left_out = {"owner"} | ({"evidence"} if data.get("name") == "check_system_health" else set())
    return {key: value for key, value in data.items() if key not in left_out}


def test_two_runs_of_one_session_give_identical_journals(tmp_path: Path) -> None:
    """Order ids, fills, verdicts, snapshots, alerts, the digests of what was seen: all of it."""
    first, second = forty_ticks(tmp_path / "first"), forty_ticks(tmp_path / "second")

    assert len(first) > 250
    assert {kind for _, kind, _ in first} >= {Kind.INTENT, Kind.FILL, Kind.VERDICT, Kind.SNAPSHOT}
    assert first == second
