"""What the market shows: instruments, bars, quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SYMBOL = re.compile(r"^[A-Z][A-Z0-9.\-]{0,9}$")
"""What a symbol may look like; everything else is refused at the boundary (FAULTS T13)."""


class Timeframe(StrEnum):
    """Length of a bar."""

    ONE_MINUTE = "1m"
    FIVE_MINUTES = "5m"
    FIFTEEN_MINUTES = "15m"
    ONE_HOUR = "1h"

    @property
    def length(self) -> timedelta:
        """The bar's length."""
        return {"1m": timedelta(minutes=1), "5m": timedelta(minutes=5), "15m": timedelta(minutes=15)}.get(
            self.value, timedelta(hours=1)
        )


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable thing.

    Attributes:
        symbol: as in :data:`SYMBOL`.
        price_increment: smallest step of an order's limit price, in price units.
        lot: smallest step of an order's quantity, in quantity units.
        tradable: whether the broker accepts orders for it.
        fractionable: whether ``lot`` may be less than one share.
    """

    symbol: str
    price_increment: int = 100
    lot: int = 1_000
    tradable: bool = True
    fractionable: bool = True


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low, close in price units and volume in shares over ``[start, start + length)``, UTC."""

    symbol: str
    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"{self.symbol}: a bar needs a time zone, got {self.start}")
        if not 0 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"{self.symbol} {self.start}: prices out of order")
        if self.volume < 0:
            raise ValueError(f"{self.symbol} {self.start}: volume {self.volume} is negative")


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask in price units at an instant, UTC."""

    symbol: str
    at: datetime
    bid: int
    ask: int


BarHistory = Mapping[str, Sequence[Bar]]
"""Complete bars by symbol, oldest first, without duplicates."""
