"""What the rows of a record depend on besides the record itself."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pipeline.adapters.duckdb_store.trips import Book

Row = tuple[str, tuple[object, ...]]
"""A table's name and one row of it."""

_BEFORE_OPEN = timedelta(hours=5, minutes=30)
"""Trading before the open begins at 04:00 in New York: a fill from then on is the coming session's."""


@dataclass(slots=True)
class Carried:
    """What rows depend on besides their own record; the same for any split of the records into batches.

    Attributes:
        session: of the last SESSION record.
        opens: every planned session's open and day, sorted.
        book: positions and round trips.
        known: (table, id) of facts already stored: told twice is stored once.
    """

    session: date | None = None
    opens: list[tuple[datetime, date]] = field(default_factory=list)
    book: Book = field(default_factory=Book)
    known: set[tuple[str, str]] = field(default_factory=set)

    def session_at(self, instant: datetime) -> date | None:
        """Return the session during which, or after whose close, ``instant`` was."""
        found = bisect_right(self.opens, instant + _BEFORE_OPEN, key=lambda planned: planned[0])
        return self.opens[found - 1][1] if found else self.session

    def session_of_day(self, day: date) -> date | None:
        """Return the last session on or before ``day``: brokers date fees and dividends by day only."""
        found = bisect_right(self.opens, day, key=lambda planned: planned[1])
        return self.opens[found - 1][1] if found else self.session

    def is_new(self, table: str, key: str) -> bool:
        """Tell whether the fact was not stored before, and count it as stored."""
        if (table, key) in self.known:
            return False
        self.known.add((table, key))
        return True
