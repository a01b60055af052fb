"""One run of one procedure for one instant: once, by one driver, in time, on a session, or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.domain.journal import Kind
from tasks.calling import directly
from tests.operations.desks import HALF_DAY, Rehearsal, at, body_of, overlay, rehearsal

SCRIPT = "+SPY 14:35, +QQQ 14:40, -SPY 14:45"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A session that is under way; each test takes the next minutes of it."""
    with rehearsal(tmp_path_factory.mktemp("passes"), overlay(SCRIPT)) as running:
        running.morning()
        yield running


_HOLDER = """
import fcntl, select, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
select.select([sys.stdin], [], [], float(sys.argv[2]))
"""


@contextmanager
def held_elsewhere(lock: Path, seconds: float = 60.0) -> Iterator[None]:
    """Hold a lock in another process for the length of the block, or at most for some seconds."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _HOLDER, str(lock), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.kill()


def test_the_same_tick_twice_trades_once(desk: Rehearsal) -> None:
    """The second run finds the instant done: it journals nothing and sends nothing."""
    first = desk.tick("14:35")
    records = desk.ledger.seq
    second = desk.tick("14:35")

    assert first["sent"] == 1
    assert second["skipped"] == "done: intraday-tick 2026-11-20 14:35:00Z is already done"
    assert desk.ledger.seq == records
    assert sum(desk.received().values()) == 1


def test_of_two_drivers_at_the_same_instant_one_trades(desk: Rehearsal) -> None:
    """Session process and scheduled run race; QQQ is bought once, and the other says why it did nothing."""
    before = desk.received()
    desk.to(at("14:40"))
    together = Barrier(2)

    def drive(driver: str) -> dict[str, int | str]:
        together.wait()
        return asyncio.run(body_of("intraday-tick")(directly, str(desk.config), at("14:40"), driver))

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(drive, ["session", "prefect"]))
    skipped = [str(outcome["skipped"]) for outcome in outcomes if "skipped" in outcome]

    assert len(skipped) == 1
    assert skipped[0].startswith(("overlap:", "done:"))
    assert sum(int(outcome.get("sent", 0)) for outcome in outcomes) == 1
    assert sum((desk.received() - before).values()) == 1


def test_a_tick_that_finds_the_account_busy_skips_and_can_still_be_done(desk: Rehearsal) -> None:
    """Another process trades; the tick waits 2 s and does not queue. Once that is over, it can be done."""
    desk.to(at("14:45"))
    with held_elsewhere(desk.home / "locks" / "rehearsal.lock"):
        began = time.monotonic()
        overlapped = desk.tick("14:45")
        waited = time.monotonic() - began
    after = desk.tick("14:45")

    assert str(overlapped["skipped"]).startswith("overlap:")
    assert 2.0 <= waited < 10.0
    assert after["sent"] == 1
    assert desk.ledger.runs["intraday-tick", at("14:45")] == "completed"


def test_a_typed_command_that_holds_the_account_for_a_moment_costs_no_monitor_pass(desk: Rehearsal) -> None:
    """It holds the lock for 0.5 s, as a resume does: the pass waits for it, and is done."""
    desk.to(at("14:45:30"))
    with held_elsewhere(desk.home / "locks" / "rehearsal.lock", seconds=0.5):
        summary = desk.monitor("14:45:30")

    assert "skipped" not in summary
    assert desk.ledger.runs["risk-monitor", at("14:45:30")] == "completed"


def test_a_run_before_its_instant_does_nothing_and_leaves_no_trace(desk: Rehearsal) -> None:
    """Prefect starts processes up to 0.4 s early: whoever drives has to wait; the run can still be done."""
    records = desk.ledger.seq
    early = asyncio.run(
        body_of("intraday-tick")(directly, str(desk.config), desk.now() + timedelta(seconds=30), "prefect")
    )

    assert early["skipped"] == "early: its instant comes in 30 s"
    assert desk.ledger.seq == records + (desk.records()[-1].kind is Kind.LEASE)


@pytest.mark.parametrize(
    ("procedure", "allowed", "late"), [("intraday-tick", 45, 46), ("risk-monitor", 25, 26)]
)
def test_a_late_run_skips_itself_and_says_so_once(
    desk: Rehearsal, procedure: str, allowed: int, late: int
) -> None:
    """After downtime a burst of missed runs comes: none may act, and none may flood the journal."""
    instant = at("14:50") if procedure == "intraday-tick" else at("14:55")
    desk.to(instant + timedelta(seconds=late))
    outcomes = [desk.run(procedure, instant) for _ in range(3)]
    told = [record for record in desk.records(Kind.RUN) if record.data["instant"] == instant.isoformat()]

    assert {outcome["skipped"] for outcome in outcomes} == {f"stale: {late} s late, allowed {allowed} s"}
    assert [record.data["outcome"] for record in told] == ["skipped"]


def test_a_cron_run_on_a_holiday_skips_itself(tmp_path: Path) -> None:
    """2026-11-26 is Thanksgiving. Nothing is planned, nothing is claimed, nothing is missing."""
    with rehearsal(tmp_path, overlay(), HALF_DAY) as thanksgiving:
        instant = at("14:30", HALF_DAY) - timedelta(days=1)
        outcomes = [
            asyncio.run(body_of(name)(directly, str(thanksgiving.config), instant, "prefect"))
            for name in ("plan-session", "market-open", "intraday-tick")
        ]

        assert {outcome["skipped"] for outcome in outcomes} == {"no session on 2026-11-26"}
        assert {record.kind for record in thanksgiving.records()} <= {Kind.LEASE}


def test_a_half_day_is_planned_to_its_real_close(tmp_path: Path) -> None:
    """2026-11-27 closes at 13:00 in New York, 18:00 UTC: 210 ticks, everything after it moves with it."""
    with rehearsal(tmp_path, overlay(), HALF_DAY) as friday:
        friday.run("plan-session", at("12:00", HALF_DAY))
        planned = friday.ledger.planned
        ticks = [when for name, when in planned if name == "intraday-tick"]
        late = {
            name: when for name, when in planned if name in ("market-close", "post-market", "daily-report")
        }

        assert (len(ticks), ticks[0], ticks[-1]) == (210, at("14:31", HALF_DAY), at("18:00", HALF_DAY))
        assert late == {
            "market-close": at("18:00", HALF_DAY),
            "post-market": at("19:00", HALF_DAY),
            "daily-report": at("19:30", HALF_DAY),
        }
