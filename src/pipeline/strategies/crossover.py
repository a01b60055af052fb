"""Two moving averages and what their crossing says: ``momentum`` and ``moving_average``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.market import Bar
from pipeline.domain.rules.signals import crossover_side, crossover_signal, distance
from pipeline.domain.signals import Signal


@dataclass(frozen=True, slots=True)
class Crossover:
    """Buy when the fast average of closes crosses above the slow one, sell when it is below.

    Attributes:
        name: as configured.
        fast, slow: bars averaged, ``1 <= fast < slow``.
        threshold: distance between the averages that counts, ppm of the slow one: it filters weak signals.
    """

    name: str
    fast: int
    slow: int
    threshold: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow:
            raise ValueError(
                f"{self.name}: the fast period {self.fast} must be shorter than the slow {self.slow}"
            )

    @property
    def lookback(self) -> int:
        """Bars needed: the slow average, and the same one bar earlier."""
        return self.slow + 1

    def decide(self, bars: Sequence[Bar]) -> Signal:
        """Return the wish after the last of ``bars``."""
        closes = [bar.close for bar in bars[-self.lookback :]]
        fast_now, slow_now = sum(closes[-self.fast :]), sum(closes[1:])
        fast_before = fast_now - closes[-1] + closes[-self.fast - 1]
        slow_before = slow_now - closes[-1] + closes[0]
        now = crossover_side(fast_now, self.fast, slow_now, self.slow, self.threshold)
        before = crossover_side(fast_before, self.fast, slow_before, self.slow, self.threshold)
        return Signal(
            symbol=bars[-1].symbol,
            strategy=self.name,
            direction=crossover_signal(now, before),
            confidence=distance(fast_now, self.fast, slow_now, self.slow),
            price=closes[-1],
        )
