"""How large a trade is. Units: :mod:`pipeline.domain.rules`."""

from __future__ import annotations

PPM = 1_000_000
NOTIONAL_DIVISOR = 10_000_000
"""price units × quantity units / this = money units."""


def share(money: int, fraction: int) -> int:
    """Return ``fraction`` (ppm) of ``money``, rounded down."""
    return money * fraction // PPM


def room(limit: int, used: int) -> int:
    """Return what is left of ``limit``, never negative."""
    return limit - used if limit > used else 0


def quantity_for(money: int, price: int, lot: int) -> int:
    """Return the largest quantity, a multiple of ``lot``, that costs at most ``money`` at ``price``."""
    if money <= 0:
        return 0
    return money * NOTIONAL_DIVISOR // price // lot * lot


def cost_of(price: int, quantity: int) -> int:
    """Return what ``quantity`` (positive) costs at ``price``, rounded up: limits count in full."""
    return -(-price * quantity // NOTIONAL_DIVISOR)
