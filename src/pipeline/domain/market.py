"""What the market shows: instruments, bars, quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

Item = TypeVar("Item")

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
        shortable: whether more may be sold than is held.
        halted: whether trading in it is stopped for now: no order would be executed.
    """

    symbol: str
    price_increment: int = 100
    lot: int = 1_000
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = True
    halted: bool = False


def row_problem(prices: tuple[int, int, int, int], volume: int) -> str:
    """Return what cannot be true of open, high, low and close in price units and a volume; "" when all can.

    The one list of rules for a bar: :class:`Bar` asks it; schemas of whole sessions are tested against it.
    """
    opened, high, low, closed = prices
    if min(prices) <= 0:
        return f"a price of {min(prices)} is not above zero"
    if high < low:
        return f"high {high} below low {low}"
    if not low <= opened <= high:
        return f"open {opened} outside {low} to {high}"
    if not low <= closed <= high:
        return f"close {closed} outside {low} to {high}"
    return f"volume {volume} is negative" if volume < 0 else ""


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low, close in price units and volume in shares over ``[start, start + length)``, UTC.

    ``feed`` says where it comes from and how it is adjusted, as in "iex raw": bars of two feeds are two
    markets, and never stand in one series.
    """

    symbol: str
    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int
    feed: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"{self.symbol}: a bar needs a time zone, got {self.start}")
        if not 0 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high or (
            self.volume < 0
        ):
            problem = row_problem((self.open, self.high, self.low, self.close), self.volume)
            raise ValueError(f"{self.symbol} {self.start}: {problem}")


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask in price units at an instant, UTC."""

    symbol: str
    at: datetime
    bid: int
    ask: int


class Defect(StrEnum):
    """What is wrong with a symbol's data: codes that stand in verdicts, records and alerts."""

    INVALID = "data_invalid"
    CONFLICT = "data_conflict"
    MIXED = "data_mixed_feeds"
    GAP = "data_gap"
    SPIKE = "data_spike"
    BAD_PRINT = "data_bad_print"
    FROZEN = "data_frozen"
    CROSSED = "data_crossed_quote"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a symbol's data is not to be traded on: the rule, the bar it is about, and both numbers.

    Attributes:
        at: start of the bar, or the instant of the quote, UTC.
        detail: for people, one clause.
        allowed, actual, unit: what the rule admits and what was seen, as in a breach.
    """

    symbol: str
    defect: Defect
    at: datetime
    detail: str
    allowed: int = 0
    actual: int = 1
    unit: str = "count"


class BySymbol(dict[str, Item]):
    """What a feed told of each symbol, and what of it was refused.

    Attributes:
        flaws: rows that cannot be true; they are not among the items, and concern their symbol only.
    """

    def __init__(self, items: Mapping[str, Item] = {}, flaws: Sequence[Flaw] = ()) -> None:
        super().__init__(items)
        self.flaws = tuple(flaws)


BarHistory = Mapping[str, Sequence[Bar]]
"""Complete bars by symbol, oldest first, without duplicates."""
