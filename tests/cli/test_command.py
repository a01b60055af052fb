"""The frame of every verb: loading, speed, errors as words, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.exits import exit_code, sentence
from pipeline.cli.group import VERBS, Verb, load
from pipeline.errors import (
    AccountMismatch,
    AppendRefused,
    BrokerRefused,
    BrokerUnavailable,
    ConfigurationError,
    DataUnavailable,
    JournalCorrupt,
    LockBusy,
    MarketdayError,
    OrderRejected,
    StoreUnavailable,
    UsageError,
)
from tests.cli.homes import a_losing_day, marketday

HEAVY = (
    "prefect",
    "great_expectations",
    "alpaca",
    "pandas",
    "numpy",
    "duckdb",
    "exchange_calendars",
    "fastapi",
)

RUN = f"""
import sys
from typer.main import get_command
from pipeline.cli.main import app
try:
    get_command(app)(sys.argv[1:])
except SystemExit as ended:
    print([name for name in {HEAVY} if name in sys.modules], ended.code, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("status",),
        ("status", "--json"),
        ("positions",),
        ("orders",),
        ("trades",),
        ("risk",),
        ("halt", "--reason", "x"),
    ],
)
def test_looking_and_stopping_wait_for_no_heavy_import(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Prefect alone costs a second. Measured here: 0.4 s; 3 s allows for a busy machine."""
    a_losing_day(tmp_path)
    place = () if arguments == ("--help",) else ("--home", str(tmp_path))
    began = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments, *place],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stderr.splitlines()[-1] == "[] 0"
    assert time.monotonic() - began <= 3


@pytest.mark.parametrize("name", list(VERBS))
def test_every_verb_of_the_help_can_be_loaded(name: str) -> None:
    """A verb whose module does not import would be noticed by whoever types it in an emergency."""
    assert load(name).name in (name, None, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (ConfigurationError("k", 1, "r"), 2),
        (AccountMismatch("paper", "live", "e"), 2),
        (BrokerUnavailable("b", "r"), 3),
        (BrokerRefused("b", "r"), 3),
        (DataUnavailable("s", "r"), 3),
        (StoreUnavailable("p", "r"), 3),
        (LockBusy("p", "h"), 3),
        (JournalCorrupt("p", 1, "r"), 3),
        (AppendRefused("sending", "halted", "r"), 4),
        (AppendRefused("record", "disk", "r"), 3),
        (AppendRefused("state", "unreconciled", "r"), 1),
        (OrderRejected("o", "c", "r"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_ends_as_a_sentence(
    error: MarketdayError, code: int
) -> None:
    assert exit_code(error) == code
    assert sentence(error).endswith(".")


@pytest.mark.parametrize(
    ("verb", "code", "told"),
    [
        ("interrupted", 130, "stopped by Ctrl-C"),
        ("on_a_read_only_disk", 3, "/mnt/desk/x: Read-only file system. The disk is read-only: remount it"),
    ],
)
def test_what_stops_a_verb_becomes_one_paragraph(
    monkeypatch: pytest.MonkeyPatch, verb: str, code: int, told: str
) -> None:
    monkeypatch.setitem(VERBS, "status", Verb(f"tests.cli.verbs:{verb}", "", ""))

    result = marketday("status")

    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


UNFORESEEN = """
import sys
from pipeline.cli import main
from pipeline.cli.group import VERBS, Verb
VERBS["status"] = Verb("tests.cli.verbs:unforeseen", "", "")
main.main()
"""


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_a_paragraph_too_and_a_traceback_on_demand(debug: bool) -> None:
    """--debug is understood behind the verb, where people add it."""
    words = ["status", "--debug"] if debug else ["status"]
    checkout = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", UNFORESEEN, *words], check=False, capture_output=True, text=True, cwd=checkout
    )

    assert done.returncode == 1
    assert "RuntimeError: nobody thought of this" in " ".join(done.stderr.split())
    assert ("Traceback" in done.stderr) is debug
    assert ("--debug" in done.stderr) is not debug


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("stauts",), "Did you mean 'status'?"),
        (("status", "--jsn"), "--json"),
        (("halt", "--raeson"), "--reason"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_right_one(words: tuple[str, ...], told: str) -> None:
    result = marketday(*words)

    assert result.exit_code == 2
    assert told in result.stderr


BASE = Path(__file__).parents[2] / "deployments" / "config" / "live_momentum_strategy.yaml"
REHEARSAL = BASE.with_name("rehearsal.yaml")


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("data.timeframe=1m", 0),
        ("risk_management.position_size_pct=2", 2),
        ("data.symbol=SPY", 2),
    ],
)
def test_config_check_exits_by_what_it_found(setting: str, code: int) -> None:
    """Nothing wrong; 200 % of equity in one position; a key that does not exist."""
    result = marketday("config", "check", BASE, REHEARSAL, "--set", setting, "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == code
    assert bool(told["errors"]) is (code == 2)


def test_config_check_with_strict_fails_on_what_does_not_do_what_it_says() -> None:
    """An exposure warning above the exposure cap can never fire: legal, and wrong."""
    setting = "monitoring.risk_monitoring.alert_thresholds.exposure_warning=0.08"
    arguments = ("config", "check", BASE, REHEARSAL, "--set", setting)

    assert marketday(*arguments).exit_code == 0
    assert marketday(*arguments, "--strict").exit_code == 1


def test_config_show_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the environment; the effective configuration has dots in its place."""
    monkeypatch.setenv("ALPACA_API_KEY", "PK-canary")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "SK-canary")

    result = marketday("config", "show", BASE)

    assert result.exit_code == 0
    assert "position_size_pct: 0.02" in result.stdout
    assert "canary" not in result.output


def test_a_missing_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    result = marketday("config", "show", tmp_path / "gone.yaml")

    assert result.exit_code == 2
    assert "gone.yaml" in result.stderr.replace("\n  ", "")


def test_doctor_checks_installation_and_desk_and_fails_on_a_damaged_journal(tmp_path: Path) -> None:
    """Healthy but for the exchange that does not run; then a byte of the journal is flipped."""
    home = a_losing_day(tmp_path)

    before = marketday("doctor", "--home", tmp_path, "--json")
    text = home.journal.path.read_text()
    home.journal.path.write_text(text.replace('"equity":9989550000', '"equity":9989550001'))
    after = marketday("doctor", "--home", tmp_path, "--json")

    found = {one["check"]: one["outcome"] for one in json.loads(before.stdout)}
    assert (before.exit_code, found["packages"], found["journal rehearsal"]) == (0, "ok", "ok")
    assert found["broker"] == "warn"
    assert after.exit_code == 1
    damaged = {one["check"]: one for one in json.loads(after.stdout)}["journal rehearsal"]
    assert damaged["outcome"] == "fail"
    assert "its hash does not fit its content" in damaged["evidence"]
