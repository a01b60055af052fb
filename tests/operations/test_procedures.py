"""Every procedure named in the seeds is a step with a recorded outcome; the day in the order of its plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.domain.journal import Kind
from pipeline.operations.passes import Pass, urgent_pass
from pipeline.operations.procedures.pre_market import verify_account
from pipeline.operations.procedures.registry import STEPS, run_step, steps_of
from tests.operations.desks import DAY, Rehearsal, at, overlay, rehearsal

SEED_STEPS = {
    "pre-market": (
        "check_system_health",
        "validate_data_feeds",
        "review_overnight_news",
        "check_position_limits",
        "validate_risk_controls",
    ),
    "market-open": ("enable_trading", "confirm_data_flowing", "validate_first_signals"),
    "intraday-check": (
        "check_position_status",
        "monitor_pnl",
        "validate_risk_metrics",
        "check_system_performance",
    ),
    "market-close": (
        "disable_new_positions",
        "review_daily_performance",
        "generate_daily_report",
        "backup_trading_logs",
    ),
    "post-market": ("reconcile_positions", "update_performance_tracking", "prepare_next_day_config"),
}
"""As the seed's ``daily_operations`` names them."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A whole session's procedures with two trades in it; of its ticks a few."""
    with rehearsal(tmp_path_factory.mktemp("day"), overlay("+SPY 14:35, -SPY 14:40")) as running:
        running.morning()
        for clock in ("14:35", "14:36", "14:40", "14:41"):
            running.tick(clock)
        for name, instant in running.ledger.planned:
            if name in ("intraday-check", "market-close", "post-market", "daily-report"):
                running.run(name, instant)
        yield running


@pytest.mark.parametrize("procedure", SEED_STEPS)
def test_each_procedure_runs_the_seeds_steps_in_order_and_records_them(
    day: Rehearsal, procedure: str
) -> None:
    """None fails on a quiet day; what people read of each is in its record."""
    steps = [record.data for record in day.records(Kind.STEP) if record.data["procedure"] == procedure]
    names = [step["name"] for step in steps]
    once = names[: len(steps_of(day.desk, procedure))]

    assert once[-len(SEED_STEPS[procedure]) :] == list(SEED_STEPS[procedure])
    assert {step["outcome"] for step in steps} <= {"ok", "warn"}
    assert all(step["evidence"] for step in steps)


def test_the_day_ends_flat_reported_backed_up_and_reconciled(day: Rehearsal) -> None:
    """What is left of a day: a report, a verified backup, equal books, no entries until tomorrow."""
    report = day.home / "reports" / "2026-11-20.html"
    backup = day.home / "backups" / "2026-11-20.jsonl"

    assert report.stat().st_size > 10_000
    assert len(backup.read_bytes().splitlines()) > 50
    assert (day.ledger.clean, day.ledger.entries_enabled) == (True, False)
    assert day.ledger.cash == day.desk.broker.fetch_account().cash


def test_the_day_is_planned_from_the_seeds_times(day: Rehearsal) -> None:
    """07:00, 08:30, 09:30, 16:00, 17:00 and 17:30 in New York; 390 ticks and a monitor pass between each."""
    planned = day.ledger.planned
    counts = {name: sum(name == one for one, _ in planned) for name, _ in planned}
    fixed = {name: when for name, when in planned if counts[name] == 1}

    assert fixed == {
        "plan-session": at("12:00"),
        "pre-market": at("13:30"),
        "market-open": at("14:30"),
        "market-close": at("21:00"),
        "post-market": at("22:00"),
        "daily-report": at("22:30"),
    }
    assert (counts["intraday-tick"], counts["risk-monitor"], counts["intraday-check"]) == (390, 390, 6)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_of_the_registry_can_be_asked_at_any_time_and_leaves_a_record(
    day: Rehearsal, name: str
) -> None:
    """After the session: whatever it finds, it finds something and says it in a sentence."""
    before = len(day.records(Kind.STEP))
    with urgent_pass(day.desk, "intraday-check", "test") as run:
        finding = run_step(day.desk, run, name)
    record = day.records(Kind.STEP)[before]

    assert finding.outcome in ("ok", "warn", "fail")
    assert (record.data["name"], record.data["outcome"], record.data["evidence"]) == (
        name,
        finding.outcome,
        finding.evidence,
    )


def test_an_arming_that_has_ended_is_a_no_go_and_nothing_else(tmp_path: Path) -> None:
    """Real money armed until the day before: pre-market refuses, the desk itself still opens to sell."""
    with rehearsal(tmp_path, overlay()) as running:
        run = Pass("pre-market", running.desk.sessions.at_or_after(DAY), at("13:30"), "test", at("13:30"))
        ended = replace(running.desk, armed_until=DAY - timedelta(days=1))

        assert verify_account(running.desk, run).outcome == "ok"
        assert verify_account(ended, run).outcome == "fail"
        assert "armed until 2026-11-19" in verify_account(ended, run).evidence
