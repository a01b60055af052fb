"""Exchange sessions: when a market is open, as a table that is looked up, never computed live."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.errors import Terminal


class OutsideCalendar(Terminal):
    """A date the session table does not cover."""

    def __init__(self, day: date, first: date, last: date) -> None:
        super().__init__(day, first, last)
        self.day = day
        self.first = first
        self.last = last

    def __str__(self) -> str:
        return (
            f"the calendar covers {self.first} to {self.last}, not {self.day}: "
            "run `marketday doctor --refresh-calendar`"
        )


@dataclass(frozen=True, slots=True)
class Session:
    """One exchange trading day. ``open`` and ``close`` are UTC; ``close`` is the real one of that day."""

    day: date
    open: datetime
    close: datetime
    early_close: bool = False

    def bar_starts(self, length: timedelta) -> tuple[datetime, ...]:
        """Return the start of every bar of the session, oldest first."""
        count = (self.close - self.open) // length
        return tuple(self.open + i * length for i in range(count))

    def ticks(self, length: timedelta) -> tuple[datetime, ...]:
        """Return the instants at which a bar has just completed: the last one is the close."""
        return tuple(start + length for start in self.bar_starts(length))

    def bars_between(self, after: datetime, before: datetime, length: timedelta) -> int:
        """Return how many bars of the session begin after ``after`` and before ``before``."""
        first = max(0, (after - self.open) // length + 1)
        last = min((self.close - self.open) // length, -((self.open - before) // length))
        return max(0, last - first)

    def is_open(self, instant: datetime) -> bool:
        """Tell whether the exchange trades at ``instant`` (half-open: not at the close)."""
        return self.open <= instant < self.close


@dataclass(frozen=True, slots=True)
class SessionTable:
    """Every session of one exchange between two dates, oldest first.

    Attributes:
        exchange: ISO market identifier code, as in "XNYS".
        timezone: the exchange's IANA zone.
        first, last: dates covered, inclusive; asking outside raises :class:`OutsideCalendar`.
    """

    exchange: str
    timezone: str
    first: date
    last: date
    sessions: Sequence[Session]

    def _index(self, day: date) -> int:
        if not self.first <= day <= self.last:
            raise OutsideCalendar(day, self.first, self.last)
        return bisect_left(self.sessions, day, key=lambda session: session.day)

    def on(self, day: date) -> Session | None:
        """Return the session of ``day``, or None on a holiday or weekend."""
        at = self._index(day)
        found = self.sessions[at] if at < len(self.sessions) else None
        return found if found is not None and found.day == day else None

    def at_or_after(self, day: date) -> Session:
        """Return the first session on or after ``day``."""
        at = self._index(day)
        if at == len(self.sessions):
            raise OutsideCalendar(day, self.first, self.last)
        return self.sessions[at]

    def before(self, day: date) -> Session:
        """Return the last session before ``day``."""
        at = self._index(day)
        if at == 0:
            raise OutsideCalendar(day, self.first, self.last)
        return self.sessions[at - 1]

    def bars_between(self, after: datetime, before: datetime, length: timedelta) -> int:
        """Return how many bars of regular sessions begin after ``after`` and before ``before``, UTC."""
        zone = ZoneInfo(self.timezone)
        day, last = after.astimezone(zone).date(), before.astimezone(zone).date()
        count = 0
        for session in self.sessions[self._index(day) : self._index(last) + 1]:
            count += session.bars_between(after, before, length)
        return count

    def following(self, day: date, count: int) -> tuple[Session, ...]:
        """Return ``count`` sessions, the first on or after ``day``."""
        at = self._index(day)
        if at + count > len(self.sessions):
            raise OutsideCalendar(self.last + timedelta(days=1), self.first, self.last)
        return tuple(self.sessions[at : at + count])
