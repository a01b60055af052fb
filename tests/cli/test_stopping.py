"""Stopping must work when nothing else does."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from pipeline.domain.trading_state import TradingState
from pipeline.wiring.desks import open_journal
from tests.cli.homes import Home, a_losing_day, marketday, printed_json


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return a_losing_day(tmp_path)


def state_of(home: Home) -> TradingState:
    """Return the state that a new process reads."""
    return open_journal(home.path, home.account).read().state.state


def test_a_halt_is_persisted_with_who_and_why(home: Home) -> None:
    result = marketday("halt", "--reason", "odd fills", "--home", home.path)

    change = open_journal(home.path, home.account).read().state
    assert result.exit_code == 0
    assert (change.state, change.reason) == (TradingState.HALTED, "odd fills")
    assert " at " in change.by
    assert [alert.event for alert in home.journal.read().outbox.values()] == ["trading_halted"]
    assert "SIM · rehearsal · HALTED: persisted as record" in result.stdout


def test_a_second_halt_changes_nothing_and_says_so(home: Home) -> None:
    """It is journalled all the same: a resume that somebody has under way must not survive it."""
    marketday("halt", "--reason", "first", "--home", home.path)
    records = home.journal.read().seq

    again = marketday("halt", "--reason", "second", "--home", home.path)

    assert again.exit_code == 0
    assert home.journal.read().seq == records + 1
    assert "already" in again.stdout
    assert "first" in again.stdout
    assert state_of(home) is TradingState.HALTED


def test_a_stop_without_a_reason_is_refused_before_anything_happens(home: Home) -> None:
    for verb in ("halt", "flatten", "resume"):
        result = marketday(verb, "--reason", " ", "--home", home.path)
        assert result.exit_code == 2
        assert "--reason" in result.stderr
    assert state_of(home) is TradingState.NORMAL


@pytest.mark.parametrize("trouble", ["locked", "garbage", "folder", "configuration"])
def test_a_halt_is_persisted_whatever_is_wrong_with_the_rest(home: Home, trouble: str) -> None:
    """Store locked by another process, store unreadable, store in the way, configuration gone."""
    (home.path / "locks").mkdir()
    store = home.path / "marketday.duckdb"
    with (home.path / "locks" / "store.lock").open("w") as lock:
        if trouble == "locked":
            fcntl.flock(lock, fcntl.LOCK_EX)
        if trouble == "garbage":
            store.write_bytes(b"\0" * 5000)
        if trouble == "folder":
            store.mkdir()
        if trouble == "configuration":
            (home.path / "desk.json").unlink()
        result = marketday("halt", "--reason", "x", "--home", home.path)

    assert result.exit_code == 0
    assert state_of(home) is TradingState.HALTED


def test_a_halt_with_the_broker_down_persists_and_reports_unconfirmed_cancels(home: Home) -> None:
    """An order may be live, the exchange does not run: halted all the same, exit 3, told what is open."""
    home.decide("md1-live", "buy", "QQQ", "1", "601.50")
    home.send("md1-live", "1")

    result = marketday("halt", "--reason", "x", "--home", home.path)

    assert result.exit_code == 3
    assert state_of(home) is TradingState.HALTED
    assert "1 cancel is UNCONFIRMED" in " ".join(result.stderr.split())


def test_a_halt_gives_up_what_was_held_for_review(home: Home) -> None:
    """It is at no broker yet: the journal alone ends it."""
    home.decide("md1-held", "buy", "QQQ", "1", "601.50", hold_seconds=30)

    result = marketday("halt", "--reason", "x", "--home", home.path)

    assert result.exit_code == 0
    assert open_journal(home.path, home.account).read().lives["md1-held"].state is IntentState.EXPIRED


def test_every_account_of_the_home_is_halted_even_when_one_journal_is_damaged(home: Home) -> None:
    """The damaged one is named, with exit 3; it trades on nothing anyway."""
    other = Home(home.path, "alpaca-paper", configured=False)
    damaged = home.path / "journal" / "alpaca-live.jsonl"
    damaged.write_text("not a record\n")

    result = marketday("halt", "--reason", "x", "--home", home.path)

    assert result.exit_code == 3
    assert "alpaca-live is NOT halted by this command" in " ".join(result.stderr.split())
    assert state_of(home) is state_of(other) is TradingState.HALTED


def test_a_veto_ends_a_held_order_by_the_beginning_of_its_id(home: Home) -> None:
    home.decide("md1-held", "buy", "QQQ", "1", "601.50", hold_seconds=30)

    result = marketday("veto", "md1-h", "--reason", "too close to the open", "--home", home.path)

    life = open_journal(home.path, home.account).read().lives["md1-held"]
    assert result.exit_code == 0
    assert life.state is IntentState.EXPIRED
    assert life.note.endswith("too close to the open")


@pytest.mark.parametrize(
    ("intent", "told"), [("md1-zz", "no order begins"), ("md1-first", "is filled already")]
)
def test_a_veto_of_anything_else_says_what_is_held(home: Home, intent: str, told: str) -> None:
    home.decide("md1-held", "buy", "QQQ", "1", "601.50", hold_seconds=30)

    result = marketday("veto", intent, "--reason", "x", "--home", home.path)

    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert "held now: md1-held" in " ".join(result.stderr.split())


@pytest.mark.parametrize("typed", ["yes\n", "", "flatten rehearsal\n"])
def test_with_real_money_flatten_wants_its_phrase_typed(tmp_path: Path, typed: str) -> None:
    """Anything but “flatten alpaca-live” leaves everything as it is; so does an empty stdin."""
    home = Home(tmp_path, "alpaca-live", configured=False)

    result = marketday("flatten", "--reason", "x", "--home", tmp_path, typed=typed)

    assert result.exit_code == 2
    assert state_of(home) is TradingState.NORMAL

    done = marketday("flatten", "--reason", "x", "--home", tmp_path, typed="flatten alpaca-live\n")
    assert done.exit_code == 0
    assert state_of(home) is TradingState.LIQUIDATING


def test_resume_has_nothing_to_do_while_trading_is_normal(home: Home) -> None:
    result = marketday("resume", "--reason", "x", "--home", home.path)

    assert result.exit_code == 2
    assert "nothing to resume" in result.stderr


def test_a_full_disk_is_a_sentence_that_says_that_it_is_not_halted(home: Home) -> None:
    """A journal that cannot be opened for writing: exit 3, and what to do instead."""
    home.journal.path.unlink()
    home.journal.path.mkdir()  # cannot be opened as a file, whoever asks

    result = marketday("halt", "--reason", "x", "--home", home.path)

    assert result.exit_code == 3
    assert "is NOT halted by this command" in " ".join(result.stderr.split())


def test_a_kill_imports_neither_prefect_nor_a_store_and_waits_for_no_channel(home: Home) -> None:
    """F116. A process of its own: halted within a second of its start, the alert waits in the journal."""
    code = (
        "import sys, time; begun = time.monotonic();"
        "from pipeline.cli.main import app; from typer.main import get_command;"
        f"get_command(app)(['halt', '--reason', 'x', '--home', {str(home.path)!r}], standalone_mode=False);"
        "print(time.monotonic() - begun, [m for m in ('prefect', 'duckdb', 'slack_sdk') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    seconds, _, imported = done.stdout.splitlines()[-1].partition(" ")

    assert state_of(home) is TradingState.HALTED
    assert imported == "[]"
    assert float(seconds) < 2, "importing the command included"
    assert [alert.event for alert in home.journal.read().outbox.values()] == ["trading_halted"]


def test_only_the_command_line_and_the_flow_can_resume() -> None:
    """F117, T9: nothing else in the product names the operation that leaves a latched state."""
    sources = Path(pipeline.__file__).parent
    checkout = sources.parent.parent
    files = [*sources.rglob("*.py"), *(checkout / "flows").glob("*.py"), *(checkout / "tasks").glob("*.py")]
    named = re.compile(r"emergency\.resume\(|emergency import .*\bresume\b|\"resume\": True")

    assert {path.relative_to(checkout).as_posix() for path in files if named.search(path.read_text())} == {
        "src/pipeline/operations/emergency.py",
        "src/pipeline/cli/resuming.py",
        "tasks/steps.py",
    }


def test_a_stop_leaves_a_row_for_each_action_of_the_kill_switch(home: Home) -> None:
    marketday("halt", "--reason", "x", "--home", home.path)
    found = [record.data for record in home.journal.records() if record.kind is Kind.STEP]

    assert {data["procedure"] for data in found} == {"emergency-stop"}
    assert [(data["name"], data["outcome"]) for data in found] == [
        ("halt_all_new_orders", "ok"),
        ("cancel_pending_orders", "ok"),
        ("send_emergency_alerts", "ok"),
        ("log_emergency_action", "ok"),
    ]


def test_a_halt_stops_the_selling_of_a_flatten(home: Home) -> None:
    """The exchange is down, so that nothing was sold yet: HALTED, and what is held is kept."""
    marketday("flatten", "--reason", "leave", "--home", home.path)
    selling = state_of(home)

    result = marketday("halt", "--reason", "the news was wrong", "--home", home.path)

    change = open_journal(home.path, home.account).read().state
    assert selling is TradingState.LIQUIDATING
    assert (change.state, change.keep, change.reason) == (TradingState.HALTED, True, "the news was wrong")
    assert "the selling is stopped, what is held stays held" in result.stdout


def test_status_names_each_cancel_that_nobody_confirmed(home: Home) -> None:
    """F116: what may still be executed stands in the status, in words and for machines."""
    home.decide("md1-live", "buy", "QQQ", "1", "601.50")
    home.send("md1-live", "1")
    marketday("halt", "--reason", "x", "--home", home.path)

    shown = marketday("status", "--home", home.path, columns=200).stdout
    data = printed_json("status", "--home", home.path)

    assert "CANCEL UNCONFIRMED buy 1 QQQ (entry)" in shown
    assert data["state"]["cancels_unconfirmed"] == 1
