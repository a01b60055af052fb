"""History as a simulation sees it: traded bars that fill orders, bars that decisions see, and the timetable.

Plain values; whoever reads files or makes a market builds them. Instants inside series are whole
seconds since 1970 UTC; prices, volumes as in :mod:`pipeline.domain.rules`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain.market import Bar
from pipeline.domain.session import Session


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol's traded bars, oldest first, as equally long columns; extended hours included.

    Attributes:
        length: of a bar, seconds.
        start: first second of each bar; bars without trades are absent.
        opens, highs, lows, closes: price units; volumes: shares.
    """

    length: int
    start: Sequence[int]
    opens: Sequence[int]
    highs: Sequence[int]
    lows: Sequence[int]
    closes: Sequence[int]
    volumes: Sequence[int]

    def at(self, second: int) -> int | None:
        """Return the position of the bar that starts at ``second``, None when nothing traded."""
        found = bisect_left(self.start, second)
        return found if found < len(self.start) and self.start[found] == second else None

    def before(self, second: int) -> int | None:
        """Return the position of the last bar that began before ``second``."""
        found = bisect_left(self.start, second) - 1
        return found if found >= 0 else None

    def price(self, second: int) -> int | None:
        """Return the last traded price: the open of a bar in progress, else the close of the last bar."""
        found = self.before(second)
        if found is None:
            return None
        complete = self.start[found] + self.length <= second
        return self.closes[found] if complete else self.opens[found]

    def priced_at(self, second: int) -> int | None:
        """Return since when the price is true: the start of a bar in progress, else the last one's end."""
        found = self.before(second)
        if found is None:
            return None
        end = self.start[found] + self.length
        return end if end <= second else self.start[found]

    def starts(self, first: int, last: int) -> Sequence[int]:
        """Return the starts in ``[first, last)``."""
        return self.start[bisect_left(self.start, first) : bisect_left(self.start, last)]


@dataclass(frozen=True, slots=True)
class Day:
    """One session and what happens in it: (procedure, instant) in order, as ``session_runs`` plans them."""

    session: Session
    runs: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True)
class History:
    """Everything a simulation runs over.

    Attributes:
        days: simulated, oldest first.
        series: by symbol, what fills orders and values holdings.
        bars: by symbol, complete bars of regular sessions, oldest first; those before the first day warm up.
        grid: when a bar of a regular session may start, oldest first, warm-up included.
        length: of a bar that decisions see.
        missing: bars of regular sessions that begin after the first instant and before the second.
    """

    days: tuple[Day, ...]
    series: Mapping[str, Series]
    bars: Mapping[str, Sequence[Bar]]
    grid: Sequence[datetime]
    length: timedelta
    missing: Callable[[datetime, datetime], int]
