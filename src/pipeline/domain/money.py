"""The one place where decimals become the integers of decisions, and back.

Units are those of :mod:`pipeline.domain.rules`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

PRICE_DECIMALS = 4
QTY_DECIMALS = 9
MONEY_DECIMALS = 6
PPM = 1_000_000

PRICE_SCALE: int = 10**PRICE_DECIMALS
QTY_SCALE: int = 10**QTY_DECIMALS
MONEY_SCALE: int = 10**MONEY_DECIMALS
NOTIONAL_DIVISOR: int = PRICE_SCALE * QTY_SCALE // MONEY_SCALE
"""``price * quantity // NOTIONAL_DIVISOR`` is money in micro units."""


def to_units(value: str | int | float | Decimal, decimals: int) -> int:
    """Return ``value`` as an integer count of 10**-decimals, rounding half to even.

    A float is read by its shortest decimal form (``repr``), so 101.1 means 101.1.

    Raises:
        ValueError: not a finite number.
    """
    try:
        exact = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)
        if not exact.is_finite():
            raise ValueError(f"{value!r} is not a finite number")
        return int(exact.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is not a number") from error


def to_price(value: str | int | float | Decimal) -> int:
    """Return a price in account currency per share as decision units. Raises ValueError."""
    return to_units(value, PRICE_DECIMALS)


def to_qty(value: str | int | float | Decimal) -> int:
    """Return a number of shares as decision units. Raises ValueError."""
    return to_units(value, QTY_DECIMALS)


def to_money(value: str | int | float | Decimal) -> int:
    """Return an amount in account currency as decision units. Raises ValueError."""
    return to_units(value, MONEY_DECIMALS)


def to_ppm(value: str | int | float | Decimal) -> int:
    """Return a fraction (0.02) as parts per million (20_000). Raises ValueError."""
    return to_units(value, 6)


def price_decimal(units: int) -> Decimal:
    """Return a price in account currency per share."""
    return Decimal(units).scaleb(-PRICE_DECIMALS)


def qty_decimal(units: int) -> Decimal:
    """Return a number of shares, without trailing zeros (``Decimal("3")``, not ``3.000000000``)."""
    value = Decimal(units).scaleb(-QTY_DECIMALS).normalize()
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


def money_decimal(units: int) -> Decimal:
    """Return an amount in account currency, six decimals."""
    return Decimal(units).scaleb(-MONEY_DECIMALS)


def fraction_decimal(ppm: int) -> Decimal:
    """Return parts per million as a fraction."""
    return Decimal(ppm).scaleb(-6)


def notional(price: int, qty: int) -> int:
    """Return the money value of ``qty`` at ``price``, rounded half away from zero, signed like ``qty``."""
    product = price * qty
    half = NOTIONAL_DIVISOR // 2
    return (product + half) // NOTIONAL_DIVISOR if product >= 0 else -((-product + half) // NOTIONAL_DIVISOR)
