"""Signal comparisons, exact: sums and products of integers, no division, so no rounding.

Why: floats flip signals at ties (measured: pandas' rolling mean on 76 of 38.8 million bars).
"""

from __future__ import annotations

PPM = 1_000_000


def crossover_side(fast_sum: int, fast: int, slow_sum: int, slow: int, threshold: int) -> int:
    """Return +1 when the fast average is above the slow one by more than ``threshold``, -1 below, else 0.

    Args:
        fast_sum, slow_sum: sums of the last ``fast`` and ``slow`` closes, price units.
        fast, slow: numbers of bars averaged.
        threshold: distance as a fraction of the slow average, ppm; 0 asks for any distance.
    """
    scaled_fast = fast_sum * slow * PPM
    if scaled_fast > slow_sum * fast * (PPM + threshold):
        return 1
    if scaled_fast < slow_sum * fast * (PPM - threshold):
        return -1
    return 0


def crossover_signal(side_now: int, side_before: int) -> int:
    """Return +1 to buy, -1 to sell, 0 to leave things as they are.

    A buy needs a crossing: above now and not above one bar earlier, so that a stop-out is not
    bought back at once and a missed bar buys nothing late. A sell needs only the side: a missed
    crossing must not keep a position.
    """
    if side_now > 0:
        return 1 if side_before <= 0 else 0
    return side_now


def distance(fast_sum: int, fast: int, slow_sum: int, slow: int) -> int:
    """Return |fast average / slow average - 1| in ppm, rounded down: the signal's strength."""
    base = slow_sum * fast
    gap = fast_sum * slow - base
    return (gap if gap >= 0 else -gap) * PPM // base
