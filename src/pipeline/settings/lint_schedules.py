"""Lint of ``prefect.yaml``: schedules that would run at another hour than they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.settings.documents import read_document
from pipeline.settings.findings import Finding

_TIMED = ("cron", "interval", "rrule")
_TWICE_OR_NEVER = frozenset({1, 2})
"""Hours of the wall clock that a change to or from summer time skips or repeats."""
_PARAMETERS = frozenset({"config", "driver"})
"""A run gets a path; a number in a parameter would outlive the configuration it came from."""


def lint_schedules(path: Path, timezone: str) -> tuple[Finding, ...]:
    """Return what is wrong with the schedules in ``path`` for an exchange in ``timezone``: errors, all of it.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    deployments = read_document(path).values.get("deployments") or []
    return tuple(finding for at, one in enumerate(deployments) for finding in _deployment(at, one, timezone))


def _deployment(at: int, found: Mapping[str, Any], timezone: str) -> Iterator[Finding]:
    name = f"deployments[{at}] ({found.get('entrypoint', 'without entrypoint')})"
    schedules = found.get("schedules") or ([found["schedule"]] if found.get("schedule") else [])
    for number, schedule in enumerate(schedules):
        timed = next((kind for kind in _TIMED if kind in schedule), None)
        if timed is not None:
            yield from _schedule(f"{name}.schedules[{number}]", timed, schedule, timezone)
    extra = sorted(set(found.get("parameters") or {}) - _PARAMETERS)
    if extra:
        yield _error(
            "schedule_parameter",
            f"{name}.parameters.{extra[0]}",
            "a late run would act on an old value: only the path of the configuration travels as a parameter",
            "write it into the configuration",
        )


def _schedule(key: str, kind: str, schedule: Mapping[str, Any], timezone: str) -> Iterator[Finding]:
    zone = schedule.get("timezone")
    if not zone:
        yield _error(
            "schedule_without_timezone",
            f"{key}.timezone",
            f"{kind} {schedule[kind]!r} has no timezone, and Prefect reads it as UTC",
            f"add `timezone: {timezone}`",
        )
    elif zone != timezone:
        yield _error(
            "schedule_timezone",
            f"{key}.timezone",
            f"the schedule is in {zone}, the exchange in {timezone}",
            f"write `timezone: {timezone}`",
        )
    if kind == "cron" and _hours(str(schedule[kind])) & _TWICE_OR_NEVER:
        yield _error(
            "schedule_at_clock_change",
            f"{key}.cron",
            f"{schedule[kind]!r} falls between 01:00 and 03:00, hours that a clock change repeats or skips",
            "choose an hour outside",
        )


def _hours(cron: str) -> set[int]:
    """Return the hours in which a cron expression fires: lists, ranges and steps."""
    fields = cron.split()
    found: set[int] = set()
    for part in fields[1].split(",") if len(fields) > 1 else ():
        match = re.fullmatch(r"(\*|\d+)(?:-(\d+))?(?:/(\d+))?", part)
        if match:
            first = 0 if match[1] == "*" else int(match[1])
            open_ended = match[1] == "*" or (match[3] is not None and match[2] is None)
            last = int(match[2]) if match[2] else 23 if open_ended else first
            found |= set(range(first, last + 1, int(match[3] or 1)))
    return found


def _error(code: str, key: str, message: str, remedy: str) -> Finding:
    return Finding(code, (key,), message, remedy, "error")
