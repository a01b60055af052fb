"""Fault scripts: read strictly, laid upon sessions, carried out once in virtual time."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from pipeline.domain.session import Session
from pipeline.errors import ConfigurationError
from pipeline.exchange.process import start
from pipeline.exchange.scripts import OperatorAct, load_script
from tests.exchange.markets import a_table
from tests.exchange.running import KEY, SECRET, write_config

HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
SHIPPED = Path(__file__).parents[2] / "deployments" / "faults"
ZONE = "America/New_York"

ENTRY = "entries:\n  - at: open\n    "
FAULT = ENTRY + "fault: {kind: reset}\n"

SCRIPT = """
entries:
  - at: 10:15
    duration: 90s
    fault: {kind: outage, scope: trading}
  - at: "11:00"
    change: {kind: deposit, amount: 5000}
  - at: open
    session: 2
    duration: 1h
    change: {kind: asset, symbol: SPY, tradable: false}
  - at: "12:55"
    operator: adopt SPY
    reason: bought by hand
"""


def rehearsal() -> Sequence[Session]:
    """Return the sessions from 2026-11-20 on."""
    return [s for s in a_table().sessions if s.day.isoformat() >= "2026-11-20"]


def written(folder: Path, text: str) -> Path:
    """Write a script."""
    path = folder / "script.yaml"
    path.write_text(text, "utf-8")
    return path


def test_every_entry_gets_its_instant(tmp_path: Path) -> None:
    """10:15 in New York is 15:15 UTC, quoted or not; a duration ends what can be ended."""
    schedule = load_script(written(tmp_path, SCRIPT)).schedule(rehearsal(), ZONE)
    rule = schedule.faults[0]
    monday = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)

    assert (rule.start, rule.end) == (
        datetime(2026, 11, 20, 15, 15, tzinfo=UTC),
        datetime(2026, 11, 20, 15, 16, 30, tzinfo=UTC),
    )
    assert [(p.at, p.body) for p in schedule.changes] == [
        (datetime(2026, 11, 20, 16, tzinfo=UTC), {"kind": "deposit", "amount": 5000}),
        (monday, {"kind": "asset", "symbol": "SPY", "tradable": False}),
        (monday + timedelta(hours=1), {"kind": "asset", "reset": True, "symbol": "SPY"}),
    ]
    at = datetime(2026, 11, 20, 17, 55, tzinfo=UTC)
    assert schedule.operator == (OperatorAct(at, "adopt", ("SPY",), "bought by hand"),)


@pytest.mark.parametrize("name", ["bad-day.yaml", "storm.yaml"])
def test_the_scripts_that_are_shipped_can_be_used(name: str) -> None:
    """All inside one session."""
    session = rehearsal()[0]
    schedule = load_script(SHIPPED / name).schedule([session], ZONE)
    instants = [*(r.start for r in schedule.faults), *(p.at for p in schedule.changes)]
    instants += [act.at for act in schedule.operator]

    assert len(instants) >= 9
    assert all(at is not None and session.open <= at < session.close for at in instants)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entries: [", "is not YAML"),
        ("name: x", "script.entries: is missing"),
        ("entres: []\nentries: [1]", r"script.entres.*did you mean 'entries'"),
        (FAULT + "    falt: 1", r"yaml:2: entry.falt = 1: unknown key; did you mean 'fault'"),
        (FAULT + "    durration: 6m", r"yaml:2: entry.durration = '6m': .*did you mean 'duration'"),
        (FAULT + "    operator: halt", r"yaml:2: entry = .*must say one of fault, change and operator"),
        (FAULT.replace("open", "noon"), r"yaml:2: entry.at = 'noon': must be a time"),
        (FAULT + "  - at: open\n    fault: {kind: rset}", r"yaml:4: fault.kind = 'rset': must be one of"),
        (FAULT.replace("reset", "reset, to: 5"), r"fault.to = '5': is said by 'at' and 'duration'"),
        (FAULT + "    duration: soon", "must be as in 90s"),
        (FAULT + "    at: close", r"yaml:2: at: is given twice, again in line 4"),
        (ENTRY + "change: {kind: deposit}", r"yaml:2: change.amount: is missing"),
        (ENTRY + "duration: 5m\n    change: {kind: fee, amount: 5}", "fee happens in an instant"),
        (ENTRY + "operator: resum\n    reason: x", r"entry.operator = 'resum': must be one of halt"),
        (ENTRY + "operator: resume", r"entry.reason: is missing"),
    ],
)
def test_a_wrong_script_names_line_key_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    """Refused as a whole, before anything starts."""
    with pytest.raises(ConfigurationError, match=said):
        load_script(written(tmp_path, text))


def test_an_entry_for_a_session_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The line, and how many sessions there are."""
    script = load_script(written(tmp_path, SCRIPT))
    with pytest.raises(ConfigurationError, match=r"yaml:8: session = 2: the rehearsal has 1 sessions"):
        script.schedule(rehearsal()[:1], ZONE)


def test_an_exchange_carries_its_script_out_once_whatever_happens_to_it(tmp_path: Path) -> None:
    """Killed between the outage and the deposit and started again with the same script: one deposit."""
    config, script = write_config(tmp_path), written(tmp_path, SCRIPT)
    first = start(tmp_path / "exchange", config, faults=script)
    try:
        first.control().advance(datetime(2026, 11, 20, 15, 15, tzinfo=UTC))
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{first.url}/v2/account", headers=HEADERS, timeout=5)
        os.kill(first.pid, signal.SIGKILL)
        assert first.child is not None
        first.child.wait()
        again = start(tmp_path / "exchange", config, faults=script)
    finally:
        first.stop()
    try:
        again.control().advance(datetime(2026, 11, 20, 21, 0, tzinfo=UTC))
        account = requests.get(f"{again.url}/v2/account", headers=HEADERS, timeout=5).json()
        faults, planned = again.control().faults(), again.control().changes()
        again.stop()
        other = written(tmp_path, SCRIPT.replace("5000", "1"))
        with pytest.raises(ConfigurationError, match="is not the script this rehearsal began with"):
            start(tmp_path / "exchange", config, faults=other)
    finally:
        again.stop()

    assert account["cash"] == "55000"
    assert [(fault["id"], fault["hits"]) for fault in faults] == [("script-1", 1)]
    assert [change["kind"] for change in planned] == ["asset", "asset"]
