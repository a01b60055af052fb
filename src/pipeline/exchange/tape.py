"""The market as a tape: bars of any span and prices at any instant, whatever they come from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Protocol

from pipeline.domain.session import Session, SessionTable
from pipeline.exchange.alterations import Alterations
from pipeline.exchange.bars import COLUMNS, MINUTE, SECOND_US, Bars, Minute
from pipeline.exchange.config import SymbolProfile

LOOK_BACK_SESSIONS = 10
"""How many sessions back the last price of a symbol may lie."""


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

    Attributes:
        altered: what the control port has done to it.
    """

    def __init__(self, market: Market, table: SessionTable) -> None:
        self.market = market
        self.table = table
        self.profiles = market.profiles
        self.altered = Alterations()
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
        return hours is not None and hours[0] * SECOND_US <= at_us and not self.altered.closed_until(at_us)

    def is_shut(self, session: Session) -> bool:
        """Tell whether a whole session is closed."""
        opens, closes = (int(at.timestamp()) * SECOND_US for at in (session.open, session.close))
        return self.altered.closed_until(opens) >= closes

    def day(self, symbol: str, session: Session) -> Bars:
        """Return every bar of the session's calendar day, as altered."""
        return self.altered.bars(symbol, session.day, self.market.bars(symbol, session))

    def bar(self, symbol: str, second: int) -> Minute | None:
        """Return the in-session bar that starts at ``second``, or None when nothing traded."""
        session = self.table.sessions[self.session_index(second * SECOND_US)]
        bars = self.day(symbol, session)
        i = bars.at(second)
        if i == len(bars) or bars.start[i] != second:
            return None
        return Minute(*(int(getattr(bars, name)[i]) for name in COLUMNS[1:]))

    def last_bar(self, symbol: str, at_us: int) -> tuple[Bars, int] | None:
        """Return the day's bars and the position of the last one that began before ``at_us``."""
        second = -(-at_us // SECOND_US)
        newest = min(bisect_right(self._opens, second), len(self._opens) - 1)
        for index in range(newest, max(newest - LOOK_BACK_SESSIONS, 0) - 1, -1):
            bars = self.day(symbol, self.table.sessions[index])
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
        start = int(bars.start[i])
        complete = (start + MINUTE) * SECOND_US <= at_us
        price = int(bars.close[i] if complete else bars.open[i])
        return self.altered.carried(symbol, price, start * SECOND_US, at_us)

    def previous_close(self, symbol: str, at_us: int) -> int | None:
        """Return the last session's closing price in shares of ``at_us``, None without one."""
        index = self.session_index(at_us) - 1
        if index < 0:
            return None
        close = self._closes[index] * SECOND_US
        price = self.price(symbol, close)
        return price and self.altered.split_price(symbol, price, close, at_us)

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
            bars = self.day(symbol, session)
            first, last = bars.at(start), bars.at(end_us // SECOND_US - MINUTE + 1)
            if first < last:
                yield session, bars, first, last
