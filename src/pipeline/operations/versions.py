"""One version of code and configuration trades a session; another does nothing until a person accepts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.journal import Kind
from pipeline.errors import UsageError
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk

_SHORT = 12
"""Characters of a fingerprint that people are shown."""


def other_version(desk: Desk, day: date) -> str:
    """Say which version trades the session of ``day``, "" when it is this desk's or none is named yet."""
    named = desk.journal.read().version_of.get(day)
    if named is None or named == (desk.code, desk.config):
        return ""
    code, config = named
    changed = [
        f"{what} {ours[:_SHORT]} instead of {theirs[:_SHORT]}"
        for what, ours, theirs in (("code", desk.code, code), ("configuration", desk.config, config))
        if ours != theirs
    ]
    return f"other version: {', '.join(changed)} in the session of {day}"


def name_version(desk: Desk, day: date, now: datetime) -> None:
    """Journal that this desk's code and configuration trade the session, unless something is said already."""
    if day not in desk.journal.read().version_of:
        _journal(desk, day, "the session's first run", "", now)


def tell_version(desk: Desk, day: date, reason: str, now: datetime) -> bool:
    """Journal an alert of a run that another version refused: once for each version and session."""
    found = alert("version_changed", "", f"{reason}. Nothing was done.", now, desk.badge)
    key = f"version_changed|{day}|{desk.code[:_SHORT]}|{desk.config[:_SHORT]}"
    return raise_alert(desk.journal, replace(found, id=key))


def accept(desk: Desk, reason: str, by: str, now: datetime) -> bool:
    """Have this desk's code and configuration trade the session that is on; return whether that is new.

    It lets the next runs trade with what they find; it neither resumes nor releases anything.

    Raises:
        UsageError: no reason given.
    """
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why', it stands in the journal for good")
    day = desk.sessions.at_or_after(now.astimezone(desk.zone).date()).day
    if not other_version(desk, day):
        return False
    _journal(desk, day, by, reason.strip(), now)
    return True


def _journal(desk: Desk, day: date, by: str, reason: str, now: datetime) -> None:
    data = {"session": day.isoformat(), "code": desk.code, "config": desk.config, "by": by, "reason": reason}
    desk.journal.append(Kind.VERSION, data, now)
