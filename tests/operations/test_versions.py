"""One version of code and configuration trades a session; what changed in it waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Purpose
from pipeline.errors import AppendRefused, UsageError
from pipeline.operations.desk import Desk
from pipeline.operations.emergency import flatten
from pipeline.operations.liquidating import liquidate
from pipeline.operations.passes import trading_pass, urgent_pass
from pipeline.operations.versions import accept
from tests.cli.homes import marketday
from tests.operations.desks import Rehearsal, at, overlay, rehearsal
from tests.operations.test_one_trader import entry


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """A session under way."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as running:
        running.morning()
        running.tick("14:35")
        running.tick("14:36")
        yield running


def changed(desk: Rehearsal, **fingerprints: str) -> Desk:
    """Return the desk of a process that was started with something else."""
    changes: dict[str, Any] = fingerprints
    return replace(desk.desk, owner="elsewhere:7", **changes)


def run(desk: Desk, clock: str) -> dict[str, Any]:
    """Claim a tick of the desk and do nothing in it."""
    with trading_pass(desk, "intraday-tick", at(clock), "test") as found:
        return found.result()


@pytest.mark.parametrize("what", ["code", "config"])
def test_a_process_with_other_code_or_configuration_does_nothing_and_is_told_once(
    desk: Rehearsal, what: str
) -> None:
    """Its ticks are skipped with the reason, it does not even take the lease, and the session goes on."""
    stranger, epoch = changed(desk, **{what: "0123456789abcdef"}), desk.ledger.lease.epoch
    desk.to(at("14:38"))
    outcomes = [run(stranger, clock) for clock in ("14:37:30", "14:38")]
    told = [record.data["event"] for record in desk.records(Kind.ALERT)]
    reasons = [record.data["reason"] for record in desk.records(Kind.RUN) if record.data["driver"] == "test"]
    desk.tick("14:39")

    assert all("other version: " in str(outcome["skipped"]) for outcome in outcomes)
    assert [reason for reason in reasons if "0123456789ab" in reason]
    assert desk.ledger.lease.epoch == epoch
    assert told.count("version_changed") == 1
    assert desk.ledger.runs["intraday-tick", at("14:39")] == "completed"


def test_even_with_the_lease_another_version_neither_claims_nor_sends(desk: Rehearsal) -> None:
    """A person's command takes the lease, whatever its version; the journal refuses what it must not do."""
    stranger = changed(desk, config="other")
    intent = entry(desk, "QQQ")
    with urgent_pass(stranger, "reconcile", "test"):
        claim = {"procedure": "intraday-tick", "session": "2026-11-20", "instant": at("14:40").isoformat()}
        for kind, data in ((Kind.CLAIM, claim | {"driver": "x"}), (Kind.INTENT, encode(intent))):
            with pytest.raises(AppendRefused, check=lambda error: error.code == "other_version"):
                stranger.journal.append(kind, data, desk.now())


def test_a_person_sells_everything_with_whatever_version_is_installed(desk: Rehearsal) -> None:
    """An emergency asks for no signature: `flatten` with new code in mid-session sells what is held."""
    stranger = changed(desk, code="new")
    flatten(stranger.journal, "enough", "a person", desk.now())
    with urgent_pass(stranger, "emergency-stop", "test") as found:
        done = liquidate(stranger, found)

    assert done.sent == 1
    assert desk.life().intent.purpose is Purpose.LIQUIDATION


def test_a_person_accepts_the_change_and_the_old_version_stands_down(desk: Rehearsal) -> None:
    """With a reason, in the journal; then the new process trades, and the old one is the stranger."""
    stranger = changed(desk, config="new")
    with pytest.raises(UsageError, match="reason"):
        accept(stranger, " ", "a person", desk.now())
    first = accept(stranger, "wider stop", "a person", desk.now())
    again = accept(stranger, "wider stop", "a person", desk.now())
    desk.to(at("14:38"))
    fresh, old = run(stranger, "14:38"), run(desk.desk, "14:37:30")
    said = desk.records(Kind.VERSION)[-1].data

    assert (first, again) == (True, False)
    assert "skipped" not in fresh
    assert "other version: " in str(old["skipped"])
    assert (said["config"], said["by"], said["reason"]) == ("new", "a person", "wider stop")


def test_the_command_accepts_what_the_desk_file_says_now(desk: Rehearsal) -> None:
    """The session's first run had another configuration, a person edited it: `marketday accept` once."""
    said = {"session": "2026-11-20", "code": desk.desk.code, "config": "before", "by": "t", "reason": "t"}
    desk.desk.journal.append(Kind.VERSION, said, desk.now())
    mute = marketday("accept", "--home", desk.home)
    done, again = (marketday("accept", "--reason", "wider stop", "--home", desk.home) for _ in range(2))

    assert (mute.exit_code, done.exit_code, again.exit_code) == (2, 0, 0)
    assert done.output.startswith("SIM · accepted: ")
    assert again.output.startswith("SIM · nothing to accept: ")
    assert desk.ledger.version_of[at("14:30").date()] == (desk.desk.code, desk.desk.config)


def test_the_next_session_is_traded_with_what_is_there_then(desk: Rehearsal) -> None:
    """Changed over night, nothing is to be accepted: the first run of the session names its version."""
    stranger = changed(desk, config="over night")
    monday = desk.desk.sessions.at_or_after(at("14:38").date() + timedelta(days=1))
    planning = monday.open - timedelta(minutes=150)
    desk.to(planning)
    with trading_pass(stranger, "plan-session", planning, "test") as found:
        pass

    assert found.skipped == ""
    assert desk.ledger.version_of[monday.day] == (desk.desk.code, "over night")


def test_nobody_names_a_version_twice_without_a_reason(desk: Rehearsal) -> None:
    said = {"session": "2026-11-20", "code": "x", "config": "y", "by": "somebody"}
    with pytest.raises(AppendRefused, check=lambda error: error.code == "other_version"):
        desk.desk.journal.append(Kind.VERSION, said | {"reason": ""}, desk.now())
