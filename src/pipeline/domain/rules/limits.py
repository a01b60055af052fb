"""When a limit is crossed: exact comparisons of products. Units: :mod:`pipeline.domain.rules`.

Each is written as "not within": of what cannot be compared, such as a NaN, it says that the limit is crossed.
"""

from __future__ import annotations

PPM = 1_000_000

NORMAL, CAUTIOUS, REDUCING, HALTED = 0, 1, 2, 3


def crossed(loss: int, base: int, limit: int) -> bool:
    """Tell whether ``loss`` is at least ``limit`` (ppm) of ``base``. A limit of 0 is not configured."""
    return limit > 0 and not loss * PPM < limit * base


def fraction(loss: int, base: int) -> int:
    """Return loss / base in ppm, rounded down; 0 without a base."""
    return loss * PPM // base if base > 0 else 0


def rung(loss: int, base: int, cautious: int, reducing: int, halted: int) -> int:
    """Return the ladder's state for a loss from ``base``: of a day, of a month, or from the peak."""
    if crossed(loss, base, halted):
        return HALTED
    if crossed(loss, base, reducing):
        return REDUCING
    return CAUTIOUS if crossed(loss, base, cautious) else NORMAL


def stop_price(average_price: int, long: bool, stop: int) -> int:
    """Return the price at which a stop ``stop`` (ppm) away triggers, on the safe side of rounding."""
    if long:
        return -(-average_price * (PPM - stop) // PPM)
    return average_price * (PPM + stop) // PPM


def stop_hit(price: int, trigger: int, long: bool) -> bool:
    """Tell whether ``price`` reached the stop's ``trigger``."""
    return not (price > trigger if long else price < trigger)


def beyond_collar(price: int, reference: int, collar: int) -> bool:
    """Tell whether ``price`` is further than ``collar`` (ppm) from ``reference``, either way."""
    gap = price - reference
    return not (gap if gap >= 0 else -gap) * PPM <= collar * reference
