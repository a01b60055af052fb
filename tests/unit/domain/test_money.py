from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.money import (
    notional,
    price_decimal,
    qty_decimal,
    to_money,
    to_ppm,
    to_price,
    to_qty,
    to_units,
)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("671.20", 6_712_000),
        (671.2, 6_712_000),
        (101.1, 1_011_000),
        (Decimal("0.00005"), 0),  # half to even
        (Decimal("0.00015"), 2),
        (-3, -30_000),
        ("1e2", 1_000_000),
        (np.float64(671.2), 6_712_000),
    ],
)
def test_a_price_is_read_as_written(text: str | float, units: int) -> None:
    assert to_price(text) == units


@pytest.mark.parametrize("wrong", ["", "abc", "nan", "inf", "-inf", "sNaN", "1e999999", float("nan"), "1,5"])
def test_what_is_no_finite_number_is_refused(wrong: str | float) -> None:
    with pytest.raises(ValueError, match="is not a"):
        to_money(wrong)


def test_the_seed_quantity_goes_out_and_back() -> None:
    assert to_qty("0.297973778") == 297_973_778
    assert qty_decimal(297_973_778) == Decimal("0.297973778")
    assert str(qty_decimal(3_000_000_000)) == "3"
    assert str(qty_decimal(1_000_000_000_000)) == "1000"
    assert to_ppm(0.02) == 20_000


@given(units=st.integers(-(10**15), 10**15))
def test_units_survive_the_way_to_a_decimal_and_back(units: int) -> None:
    assert to_price(price_decimal(units)) == units
    assert to_qty(qty_decimal(units)) == units


@given(value=st.decimals(-(10**12), 10**12, allow_nan=False, places=12), decimals=st.integers(0, 9))
def test_conversion_rounds_half_to_even_like_decimal(value: Decimal, decimals: int) -> None:
    assert to_units(value, decimals) == int(
        value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN).scaleb(decimals)
    )


@pytest.mark.parametrize(
    ("price", "quantity", "money"),
    [
        (6_712_000, 1_000_000_000, 671_200_000),  # one share at 671.20
        (6_712_000, -1_000_000_000, -671_200_000),
        (6_712_000, 297_973_778, 200_000_000),  # 199.9999998… USD rounds up to 200.000000
        (1, 5_000_000, 1),  # half a micro rounds away from zero
        (1, -5_000_000, -1),
        (1, 4_999_999, 0),
    ],
)
def test_notional_rounds_half_away_from_zero(price: int, quantity: int, money: int) -> None:
    assert notional(price, quantity) == money


@given(price=st.integers(1, 10**10), quantity=st.integers(-(10**13), 10**13))
def test_notional_is_within_half_a_micro_and_odd_in_quantity(price: int, quantity: int) -> None:
    exact = Fraction(price * quantity, 10**7)

    assert abs(notional(price, quantity) - exact) <= Fraction(1, 2)
    assert notional(price, -quantity) == -notional(price, quantity)
