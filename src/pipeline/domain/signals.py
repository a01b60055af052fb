"""What a strategy wants for one symbol: direction and confidence, never a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.market import Bar


@dataclass(frozen=True, slots=True)
class Signal:
    """One strategy's wish for one symbol at one bar.

    Attributes:
        direction: +1 buy, -1 sell what is held, 0 leave as it is.
        confidence: strength in ppm; its scale is the strategy's own.
        price: the close it was decided on, price units.
    """

    symbol: str
    strategy: str
    direction: int
    confidence: int
    price: int


class Strategy(Protocol):
    """A pure function of the last ``lookback`` bars: no clock, no state, no randomness.

    Attributes:
        name: as configured; part of every intent's id.
        lookback: bars needed; with fewer it is not asked.
    """

    @property
    def name(self) -> str: ...

    @property
    def lookback(self) -> int: ...

    def decide(self, bars: Sequence[Bar]) -> Signal:
        """Return the wish after the last of ``bars``, exactly ``lookback`` of them, oldest first."""
