"""The market as a tape: bars of any span and prices at any instant, whatever they come from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.domain.session import Session, SessionTable
from pipeline.exchange.config import SymbolProfile

Ints = npt.NDArray[np.int64]

MINUTE = 60
SECOND_US = 1_000_000
LOOK_BACK_SESSIONS = 10
"""How many sessions back the last price of a symbol may lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """One-minute bars of one symbol, oldest first, as equally long arrays, shape (n,).

    Attributes:
        start: first second of each bar, seconds since 1970 UTC; minutes without trades are absent.
        open, high, low, close: price units.
        volume: shares.
    """

    start: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def __len__(self) -> int:
        return len(self.start)

    def slice(self, first: int, last: int) -> Bars:
        """Return the bars ``[first, last)`` by position."""
        return Bars(*(getattr(self, name)[first:last] for name in COLUMNS))

    def at(self, second: int) -> int:
        """Return the position of the first bar that starts at or after ``second``."""
        return int(np.searchsorted(self.start, second))


COLUMNS = ("start", "open", "high", "low", "close", "volume")
EMPTY = Bars(*(np.empty(0, np.int64) for _ in COLUMNS))


@dataclass(frozen=True, slots=True)
class Minute:
    """One bar for matching, in plain integers: prices in price units, volume in shares."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Market(Protocol):
    """Where prices come from: a pure function of the configuration."""

    profiles: Mapping[str, SymbolProfile]

    def bars(self, symbol: str, session: Session) -> Bars:
        """Return every bar of the session's calendar day, extended hours included; maybe none.

        Promise: the same object, or an equal one, at every call.
        """


class Tape:
    """A market laid along the sessions of an exchange.

    Instants are microseconds since 1970 UTC, bar starts seconds.
    """

    def __init__(self, market: Market, table: SessionTable) -> None:
        self.market = market
        self.table = table
        self.profiles = market.profiles
        self._opens = [int(s.open.timestamp()) for s in table.sessions]
        self._closes = [int(s.close.timestamp()) for s in table.sessions]

    def session_index(self, at_us: int) -> int:
        """Return the position of the first session that closes after ``at_us``."""
        return bisect_right(self._closes, at_us // SECOND_US)

    def hours(self, index: int) -> tuple[int, int] | None:
        """Return open and close of a session in seconds, or None past the end of the table."""
        return (self._opens[index], self._closes[index]) if index < len(self._opens) else None

    def is_open(self, at_us: int) -> bool:
        """Tell whether the exchange trades at an instant (half-open: not at the close)."""
        hours = self.hours(self.session_index(at_us))
        return hours is not None and hours[0] * SECOND_US <= at_us

    def bar(self, symbol: str, second: int) -> Minute | None:
        """Return the in-session bar that starts at ``second``, or None when nothing traded."""
        session = self.table.sessions[self.session_index(second * SECOND_US)]
        bars = self.market.bars(symbol, session)
        i = bars.at(second)
        if i == len(bars) or bars.start[i] != second:
            return None
        return Minute(*(int(getattr(bars, name)[i]) for name in COLUMNS[1:]))

    def last_bar(self, symbol: str, at_us: int) -> tuple[Bars, int] | None:
        """Return the day's bars and the position of the last one that began before ``at_us``."""
        second = -(-at_us // SECOND_US)
        newest = min(bisect_right(self._opens, second), len(self._opens) - 1)
        for index in range(newest, max(newest - LOOK_BACK_SESSIONS, 0) - 1, -1):
            bars = self.market.bars(symbol, self.table.sessions[index])
            i = bars.at(second)
            if i > 0:
                return bars, i - 1
        return None

    def price(self, symbol: str, at_us: int) -> int | None:
        """Return the last traded price: the open of a bar in progress, else the close of the last bar."""
        found = self.last_bar(symbol, at_us)
        if found is None:
            return None
        bars, i = found
        complete = (int(bars.start[i]) + MINUTE) * SECOND_US <= at_us
        return int(bars.close[i] if complete else bars.open[i])

    def previous_close(self, symbol: str, at_us: int) -> int | None:
        """Return the last price at the close of the last session that has closed, None without one."""
        index = self.session_index(at_us) - 1
        return self.price(symbol, self._closes[index] * SECOND_US) if index >= 0 else None

    def complete_days(self, symbol: str, start: int, end_us: int) -> Iterator[tuple[Session, Bars, int, int]]:
        """Yield (session, its day's bars, first, last) with the complete bars in ``[start, end_us]``.

        Args:
            symbol: listed or not; unknown symbols yield nothing.
            start: seconds, inclusive.
            end_us: microseconds; a bar counts when it has ended by then.
        """
        if symbol not in self.profiles:
            return
        first_index = max(bisect_right(self._closes, start) - 1, 0)
        for index in range(first_index, len(self._opens)):
            if self._opens[index] * SECOND_US > end_us + 12 * 3600 * SECOND_US:
                return
            session = self.table.sessions[index]
            bars = self.market.bars(symbol, session)
            first, last = bars.at(start), bars.at(end_us // SECOND_US - MINUTE + 1)
            if first < last:
                yield session, bars, first, last
