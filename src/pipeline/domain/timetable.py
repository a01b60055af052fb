"""The market day's timetable: procedures at offsets from the session's real open and close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain.session import Session

RANK = (
    "plan-session",
    "pre-market",
    "market-open",
    "intraday-tick",
    "risk-monitor",
    "intraday-check",
    "market-close",
    "post-market",
    "daily-report",
)
"""Order of procedures that fall on the same instant."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """One procedure of every session.

    Attributes:
        from_close: whether ``offset`` counts from the close; else from the open.
        steps: named steps, in the order in which they run.
    """

    name: str
    from_close: bool
    offset: timedelta
    steps: tuple[str, ...] = ()

    def at(self, session: Session) -> datetime:
        """Return its instant in ``session``, UTC; a half-day moves what counts from the close."""
        return (session.close if self.from_close else session.open) + self.offset


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What repeats within a session: ticks by bar length, monitor passes, hourly checks."""

    bar: timedelta
    monitor: timedelta
    check: timedelta


def session_runs(
    session: Session, procedures: tuple[Procedure, ...], rhythm: Rhythm
) -> tuple[tuple[str, datetime], ...]:
    """Return every run the session expects as (procedure, instant), in order.

    A monitor pass that falls on a tick is left out: a tick does all that a monitor pass does.
    """
    ticks = set(session.ticks(rhythm.bar))
    runs = [(procedure.name, procedure.at(session)) for procedure in procedures]
    runs += [("intraday-tick", at) for at in ticks]
    runs += [("risk-monitor", at) for at in session.ticks(rhythm.monitor) if at not in ticks]
    runs += [("intraday-check", at) for at in session.ticks(rhythm.check) if at < session.close]
    return tuple(sorted(runs, key=lambda run: (run[1], RANK.index(run[0]))))
