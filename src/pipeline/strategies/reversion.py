"""A price far below its mean, and the way back: ``mean_reversion``.

With the last n closes c₁ … cₙ (price units), S = Σc and Q = Σc², the last close lies

    z = (cₙ − S/n) / √(Q/n − (S/n)²) = (n·cₙ − S) / √(n·Q − S²)

population standard deviations from its mean. Nothing is divided and no root is taken to compare: z ≤ −k
is n·cₙ − S < 0 and (n·cₙ − S)² ≥ k²·(n·Q − S²), integers on both sides.

Source: the lower band is that of J. Bollinger, *Bollinger on Bollinger Bands* (2001): a mean of 20 closes, 2
population standard deviations. No z of n values exceeds √(n − 1): P. A. Samuelson, "How Deviant
Can You Be?", *Journal of the American Statistical Association* 63 (1968), 1522-1525.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from pipeline.domain.market import Bar
from pipeline.domain.rules.signals import crossover_signal
from pipeline.domain.signals import Signal

PPM = 1_000_000


def reversion_side(gap: int, spread: int, entry: int, leave: int) -> int:
    """Return +1 far below the mean, -1 back near it or above it, else 0.

    Args:
        gap: n times the last close less the sum of all n: n times its distance from the mean.
        spread: n times the sum of squares less the square of the sum: n² times the variance.
        entry, leave: distances below the mean in standard deviations, ppm, ``0 <= leave < entry``.
    """
    if gap >= 0:
        return -1
    squared = gap * gap * PPM * PPM
    if squared >= entry * entry * spread:
        return 1
    return -1 if squared <= leave * leave * spread else 0


@dataclass(frozen=True, slots=True)
class MeanReversion:
    """Buy when the close falls far below its mean, sell when it is back.

    As with :class:`pipeline.strategies.crossover.Crossover`, a buy needs the crossing and a sell only
    the side (ADR 6): what was stopped out is not bought back while it falls on. Constant prices lie at
    their mean: they sell and never buy.

    Attributes:
        name: as configured.
        window: closes that make the mean and the deviation, the last one among them; at least 3.
        entry: how far below the mean buys, in standard deviations, ppm.
        leave: how far below the mean is near enough to sell, in standard deviations, ppm.
    """

    name: str
    window: int
    entry: int = 2 * PPM
    leave: int = 0

    def __post_init__(self) -> None:
        if self.window < 3:
            raise ValueError(f"{self.name}: a window of {self.window} bars has no deviation; give at least 3")
        if not 0 <= self.leave < self.entry:
            raise ValueError(f"{self.name}: leave {self.leave} must be at least 0 and below {self.entry}")
        if self.entry * self.entry > (self.window - 1) * PPM * PPM:
            raise ValueError(
                f"{self.name}: no close of {self.window} is ever {self.entry} ppm deviations away"
            )

    @property
    def lookback(self) -> int:
        """Bars needed: the window, and the same one bar earlier."""
        return self.window + 1

    def decide(self, bars: Sequence[Bar]) -> Signal:
        """Return the wish after the last of ``bars``; its confidence is |z| in ppm, rounded down."""
        closes = [bar.close for bar in bars[-self.lookback :]]
        gap, spread = self._measured(closes[1:])
        before = reversion_side(*self._measured(closes[:-1]), self.entry, self.leave)
        now = reversion_side(gap, spread, self.entry, self.leave)
        return Signal(
            symbol=bars[-1].symbol,
            strategy=self.name,
            direction=crossover_signal(now, before),
            confidence=isqrt(gap * gap * PPM * PPM // spread) if spread else 0,
            price=closes[-1],
        )

    def _measured(self, closes: Sequence[int]) -> tuple[int, int]:
        total = sum(closes)
        return self.window * closes[-1] - total, self.window * sum(c * c for c in closes) - total * total
