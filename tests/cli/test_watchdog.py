"""The watchdog as it is run: by cron, by systemd, beside a session that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.domain.journal import Kind
from pipeline.operations.watching import alarms
from pipeline.wiring.desks import home_lock, open_journal
from pipeline.wiring.watchdog import open_post, sight
from tests.cli.homes import OPEN, Home, a_losing_day, marketday


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A rehearsal whose exchange is gone: time stands at the last record, 84 minutes into the session."""
    found = a_losing_day(tmp_path)
    key = {"procedure": "intraday-tick", "session": "2026-11-20", "instant": OPEN.isoformat()}
    found.add(Kind.SESSION, _planned())
    found.add(Kind.CLAIM, key | {"driver": "session"})
    return found


def _planned() -> dict[str, object]:
    hours = {"open": OPEN.isoformat(), "close": (OPEN + timedelta(hours=6.5)).isoformat()}
    ticks = [["intraday-tick", (OPEN + timedelta(minutes=minute)).isoformat()] for minute in range(1, 391)]
    return {"day": "2026-11-21", **hours, "early_close": False, "runs": ticks}


def look(home: Home) -> tuple[int, str]:
    result = marketday("watchdog", "--once", "--home", home.path)
    return result.exit_code, " ".join(result.stderr.split())


def told(home: Home) -> list[str]:
    return [alert.event for alert in open_journal(home.path, home.account).read().outbox.values()]


def journalled(home: Home) -> list[str]:
    records = open_journal(home.path, home.account).records()
    return [record.data["event"] for record in records if record.kind is Kind.ALERT]


def test_once_says_what_is_wrong_journals_it_once_and_exits_with_1(home: Home) -> None:
    """F111, F112. Three SPY are held, the process is gone, no tick was ever journalled."""
    code, said = look(home)
    again, _ = look(home)

    assert (code, again) == (1, 1)
    assert all(event in said for event in ("no_tick", "session_died", "positions_unwatched"))
    assert "SPY" in said
    assert sorted(journalled(home)) == ["no_tick", "positions_unwatched", "session_died"]
    assert told(home) == []  # delivered by the watchdog itself: the session that should do it is gone


def test_once_with_all_well_exits_with_0_and_leaves_nothing(tmp_path: Path) -> None:
    """Before the open, nobody has to be there."""
    home = Home(tmp_path)
    before = home.journal.read().seq

    assert look(home) == (0, "")
    assert open_journal(home.path, home.account).read().seq == before


def test_a_journal_that_cannot_be_read_is_told_past_the_journal_with_exit_3(home: Home) -> None:
    text = home.journal.path.read_text()
    home.journal.path.write_text(text.replace("671", "672", 1))

    result = marketday("watchdog", "--once", "--home", home.path)

    assert result.exit_code == 3
    assert "journal_unreadable" in result.stderr
    assert "The journal cannot be read" in result.stdout


def test_looking_takes_no_lock_from_the_session_and_keeps_its_process_number(home: Home) -> None:
    """`marketday down` reads that number; a session that starts must find the home free."""
    with home_lock(home.path).hold(0.0):
        pid = home_lock(home.path).path.read_text().strip()
        look(home)
        assert home_lock(home.path).path.read_text().strip() == pid
    assert "session_died" in look(home)[1]
    with home_lock(home.path).hold(0.0):
        pass


def test_a_rehearsal_that_hurries_is_not_taken_for_silent(home: Home) -> None:
    """Its minutes last half a second: what counts there is that records came since the look before."""
    post = open_post(home.path, rehearsal=True, last=home.now, output=sys.stdout)
    post.watching = OPEN
    later = home.now + timedelta(hours=1)
    with home_lock(home.path).hold(0.0):
        first = alarms(home.journal.read(), sight(post, home.journal.read(), later))
        home.snapshot("9989.55", "7985.40", SPY="668.05")
        grown = alarms(home.journal.read(), sight(post, home.journal.read(), later))
        stands = alarms(home.journal.read(), sight(post, home.journal.read(), later))

    assert [[one.event for one in found] for found in (first, grown, stands)] == [
        ["no_tick", "positions_unwatched"],
        [],
        ["no_tick", "positions_unwatched"],
    ]


@pytest.fixture
def session() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a session."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_beside_a_session_that_is_killed_it_looks_once_more_tells_and_ends(
    home: Home, session: subprocess.Popen[bytes]
) -> None:
    """It is no child that dies with it, and needs no Prefect, no broker, no store."""
    command = [sys.executable, "-X", "importtime", "-m", "pipeline.cli.watchdog"]
    where = ["--home", str(home.path), "--beside", str(session.pid), "--every", "60"]
    with home_lock(home.path).hold(0.0):
        watching = subprocess.Popen(
            [*command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        time.sleep(1.0)
    os.kill(session.pid, signal.SIGKILL)
    session.wait()
    _, errors = watching.communicate(timeout=20)
    said = errors.decode()

    assert watching.returncode == 0
    assert "session_died" in said
    assert "session_died" in journalled(home)
    assert not [name for name in ("prefect", "duckdb", "alpaca", "pandas") if f"| {name}" in said]


def test_the_quiet_minutes_come_from_the_configuration(home: Home) -> None:
    """Six hours are allowed here: only the process is missed."""
    spec = json.loads((home.path / "desk.json").read_text())
    own = home.path / "own.yaml"
    own.write_text("emergency_procedures: {watchdog: {quiet_minutes: 360}}")
    spec["files"] = [*spec["files"], str(own)]
    (home.path / "desk.json").write_text(json.dumps(spec))

    assert "no_tick" not in look(home)[1]
    assert "session_died" in look(home)[1]
