"""One-minute bars as arrays, and one of them in plain integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MINUTE = 60
SECOND_US = 1_000_000


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
