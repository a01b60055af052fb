"""Fill and fee rules: hand-computed prices, and what holds for every price."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.rules.fees import fee
from pipeline.domain.rules.fills import (
    BUY,
    SELL,
    fill_quantity,
    limit_fill_price,
    market_fill_price,
    stop_fill_price,
)

prices = st.integers(min_value=1, max_value=50_000_000)
costs = st.integers(min_value=0, max_value=50_000)
sides = st.sampled_from([BUY, SELL])


def test_a_market_order_pays_the_open_and_its_costs_rounded_against_it() -> None:
    """671.23 at 50 ppm costs 0.0335615: a buy pays 671.2636 (up), a sell gets 671.1964 (down)."""
    assert market_fill_price(6_712_300, BUY, 50) == 6_712_636
    assert market_fill_price(6_712_300, SELL, 50) == 6_711_964
    assert market_fill_price(6_712_300, BUY, 0) == market_fill_price(6_712_300, SELL, 0) == 6_712_300


def test_a_limit_fills_where_the_bar_trades_through_it() -> None:
    """Buy at 100.00: open 101 and low 99 fills at the limit; open 99 fills near 99; low 100.01 does not."""
    assert limit_fill_price(1_010_000, 990_000, 1_000_000, BUY, 100) == 1_000_000
    assert limit_fill_price(990_000, 980_000, 1_000_000, BUY, 100) == 990_099
    assert limit_fill_price(1_010_000, 1_000_100, 1_000_000, BUY, 100) == 0
    assert limit_fill_price(990_000, 1_010_000, 1_000_000, SELL, 100) == 1_000_000
    assert limit_fill_price(1_010_000, 1_020_000, 1_000_000, SELL, 100) == 1_009_899
    assert limit_fill_price(990_000, 999_900, 1_000_000, SELL, 100) == 0


def test_a_stop_fills_at_the_worse_of_open_and_stop() -> None:
    """Sell stop 95: touched inside the bar it gets 95 less costs; a gap to 90 gets 90 less costs."""
    assert stop_fill_price(1_000_000, 950_000, 950_000, SELL, 1_000) == 949_050
    assert stop_fill_price(900_000, 890_000, 950_000, SELL, 1_000) == 899_100
    assert stop_fill_price(1_000_000, 950_100, 950_000, SELL, 1_000) == 0
    assert stop_fill_price(1_000_000, 1_050_000, 1_050_000, BUY, 1_000) == 1_051_050
    assert stop_fill_price(1_100_000, 1_120_000, 1_050_000, BUY, 1_000) == 1_101_100
    assert stop_fill_price(1_000_000, 1_049_900, 1_050_000, BUY, 1_000) == 0


def test_a_bar_takes_its_share_of_volume_in_whole_lots_and_any_last_piece() -> None:
    """10 % of 1,234 shares is 123.4: 123 whole ones of a big order, all of a small fractional one."""
    share = 1_000_000_000

    assert fill_quantity(500 * share, 1_234, 100_000, share) == 123 * share
    assert fill_quantity(297_885_000, 1_234, 100_000, share) == 297_885_000
    assert fill_quantity(500 * share, 9, 100_000, share) == 0
    assert fill_quantity(900_000_000, 9, 100_000, share) == 900_000_000
    assert fill_quantity(500 * share, 0, 1_000_000, share) == 0


def test_fees_are_rounded_up_part_by_part() -> None:
    """10.5 shares at $0.0035 are $0.03675; 27.8 ppm (here 28) of $7,046.797801 are $0.197310338…, up."""
    assert fee(7_046_797_801, 10_500_000_000, False, 3_500, 28) == 36_750
    assert fee(7_046_797_801, 10_500_000_000, True, 3_500, 28) == 36_750 + 197_311
    assert fee(7_046_797_801, 1, True, 3_500, 0) == 1
    assert fee(7_046_797_801, 10_500_000_000, True, 0, 0) == 0


@given(open_price=prices, extreme=prices, wanted=prices, side=sides, cost=costs)
def test_no_fill_is_better_than_the_market_or_worse_than_its_limit(
    open_price: int, extreme: int, wanted: int, side: int, cost: int
) -> None:
    """Signed by side, every fill costs at least the best price of the bar, and at most the limit."""
    market = market_fill_price(open_price, side, cost)
    limit = limit_fill_price(open_price, extreme, wanted, side, cost)
    stop = stop_fill_price(open_price, extreme, wanted, side, cost)

    assert side * market >= side * open_price
    assert abs(market - Fraction(open_price * (1_000_000 + side * cost), 1_000_000)) < 1
    assert limit == 0 or side * limit <= side * wanted
    assert limit == 0 or side * limit >= side * min(open_price * side, wanted * side) * side
    assert stop == 0 or side * stop >= side * wanted


@given(
    remaining=st.integers(1, 10**16),
    volume=st.integers(0, 10**8),
    participation=st.integers(1, 10**6),
)
def test_a_fill_is_never_more_than_what_is_left_or_what_the_bar_gives(
    remaining: int, volume: int, participation: int
) -> None:
    """The bound is exact: participation times volume, as a rational number of shares."""
    qty = fill_quantity(remaining, volume, participation, 10**9)

    assert 0 <= qty <= remaining
    assert Fraction(qty, 10**9) <= Fraction(volume * participation, 10**6)
    assert qty == remaining or qty % 10**9 == 0
