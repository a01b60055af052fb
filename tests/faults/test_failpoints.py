"""Failpoints: named places in the product where a test makes a process die. Nothing while they are unset."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import failpoints
from pipeline.domain.trading_state import TradingState
from pipeline.errors import UsageError
from pipeline.wiring.desks import open_desk, open_journal

ROOT = Path(__file__).resolve().parents[2]


def test_the_product_passes_every_place_and_no_other() -> None:
    """A place that nobody reaches would make its scenarios empty; a name misspelt could never be armed."""
    files = (path for folder in ("src", "tasks") for path in (ROOT / folder).rglob("*.py"))
    trees = (ast.parse(path.read_text("utf-8")) for path in files)
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    reached = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "reach"
        and isinstance(call.args[0], ast.Constant)
    }

    assert reached == set(failpoints.PLACES)


def test_a_place_is_acted_on_at_the_visit_that_was_asked_for() -> None:
    """``after_post@2:raise``: not at the first visit, and once."""
    act = failpoints.plan_of("after_post@2:raise")
    act("after_post")
    act("after_sending")
    with pytest.raises(failpoints.Reached):
        act("after_post")
    act("after_post")


@pytest.mark.parametrize("text", ["nowhere:exit", "after_post", "after_post:explode", "after_post@x:exit"])
def test_a_value_that_names_no_place_or_no_act_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="FAILPOINT"):
        failpoints.plan_of(text)


def test_where_real_money_moves_nothing_may_be_armed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Armed, the desk of a live account does not open: it ends before it connects to anything."""
    arming = "{account: '123456789', confirm: I accept real losses, valid_until: 2026-12-31}"
    over = tmp_path / "live.yaml"
    over.write_text(f"data: {{source: {{environment: live}}}}\nlive_arming: {arming}\n")
    files = str(ROOT / "deployments/config/live_momentum_strategy.yaml"), str(over)
    config = tmp_path / "desk.json"
    config.write_text(json.dumps({"files": files, "overrides": [], "home": str(tmp_path)}))
    monkeypatch.setenv("ALPACA_API_KEY", "AKTESTONLY")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "nobody's")
    monkeypatch.setattr(failpoints, "_armed", failpoints.plan_of("after_post:exit"))

    with pytest.raises(UsageError, match="never used with real money"):
        open_desk(config)


def test_neither_nonsense_nor_a_trap_keeps_a_halt_from_being_written(
    tmp_path: Path,
) -> None:
    """A misspelt place, and one that would end the process before the record, both with real money."""
    journal = open_journal(tmp_path, "alpaca-live")
    journal.take_lease("owner", "code", "config", datetime(2026, 11, 20, 15, tzinfo=UTC))
    told = []
    for trap in ("before_recrod:exit", "before_record:exit"):
        main = "from pipeline.cli.main import main; main()"
        words = [sys.executable, "-c", main, "halt", "--reason", trap, "--home", str(tmp_path)]
        run = subprocess.run(words, env={**os.environ, "FAILPOINT": trap}, capture_output=True, check=False)
        told.append((run.returncode, journal.read().state.state, journal.read().state.reason))

    assert told == [
        (0, TradingState.HALTED, "before_recrod:exit"),
        (0, TradingState.HALTED, "before_record:exit"),
    ]
