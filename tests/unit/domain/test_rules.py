from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.rules.limits import beyond_collar, crossed, fraction, rung, stop_hit, stop_price
from pipeline.domain.rules.signals import crossover_side, crossover_signal, distance
from pipeline.domain.rules.sizing import cost_of, quantity_for, room, share

money = st.integers(0, 10**15)
price = st.integers(1, 10**9)
ppm = st.integers(0, 1_000_000)


def test_two_percent_of_ten_thousand_buys_less_than_one_share_of_spy() -> None:
    """200 USD / 671.20 USD = 0.297973778307… shares (FAULTS S5: int() made it 0 and never traded)."""
    wanted = share(10_000_000_000, 20_000)

    assert wanted == 200_000_000
    assert quantity_for(wanted, 6_712_000, 1) == 297_973_778
    assert quantity_for(wanted, 6_712_000, 1_000) == 297_973_000
    assert quantity_for(wanted, 6_712_000, 1_000_000_000) == 0
    assert cost_of(6_712_000, 297_973_778) == 200_000_000


@given(budget=money, at=price, lot=st.sampled_from([1, 1_000, 1_000_000_000]))
def test_a_size_is_the_largest_that_the_money_pays(budget: int, at: int, lot: int) -> None:
    quantity = quantity_for(budget, at, lot)

    assert quantity % lot == 0
    assert cost_of(at, quantity) <= budget
    assert Fraction(at * (quantity + lot), 10**7) > budget


def test_no_money_buys_nothing() -> None:
    assert [quantity_for(amount, 100, 1) for amount in (0, -1)] == [0, 0]
    assert [room(5, 4), room(5, 5), room(5, 6)] == [1, 0, 0]


@pytest.mark.parametrize(("loss", "answer"), [(19_999_999, False), (20_000_000, True), (20_000_001, True)])
def test_a_limit_is_crossed_when_it_is_reached(loss: int, answer: bool) -> None:
    """2 % of 1,000 USD is 20 USD."""
    assert crossed(loss, 1_000_000_000, 20_000) is answer


def test_a_limit_of_nothing_is_not_configured_and_a_gain_crosses_nothing() -> None:
    assert not crossed(10**9, 10**9, 0)
    assert not crossed(-1, 10**9, 1)
    assert (fraction(5, 200), fraction(1, 0), fraction(1, -3)) == (25_000, 0, 0)


@given(loss=st.integers(-(10**12), 10**12), base=st.integers(1, 10**12), limits=st.tuples(ppm, ppm, ppm))
def test_the_rung_is_the_strictest_limit_reached(loss: int, base: int, limits: tuple[int, int, int]) -> None:
    reached = [
        level for level, limit in enumerate(limits, 1) if limit and Fraction(loss, base) * 10**6 >= limit
    ]

    assert rung(loss, base, *limits) == max(reached, default=0)


@pytest.mark.parametrize(
    ("average", "long", "stop", "trigger"),
    [
        (1_000_000, True, 15_000, 985_000),  # 100.00, 1.5 % below
        (1_000_000, False, 15_000, 1_015_000),
        (1_000_001, True, 15_000, 985_001),  # 98.50009…85 rounds up: rather early than late
        (1_000_001, False, 15_000, 1_015_001),
    ],
)
def test_a_stop_triggers_at_its_distance_on_the_safe_side(
    average: int, long: bool, stop: int, trigger: int
) -> None:
    adverse = -1 if long else 1

    assert stop_price(average, long, stop) == trigger
    assert [stop_hit(trigger + step * adverse, trigger, long) for step in (-1, 0, 1)] == [False, True, True]


@pytest.mark.parametrize(
    ("now", "outside"), [(1_020_000, False), (1_020_001, True), (980_000, False), (979_999, True)]
)
def test_the_collar_is_two_percent_both_ways(now: int, outside: bool) -> None:
    assert beyond_collar(now, 1_000_000, 20_000) is outside


def test_a_tie_of_averages_says_nothing_and_the_threshold_must_be_passed() -> None:
    """Fast 2 bars, slow 4 bars: averages 101 and 100; at a threshold of 1 % the distance just misses."""
    assert crossover_side(202, 2, 404, 4, 0) == 0
    assert crossover_side(202, 2, 400, 4, 9_999) == 1
    assert crossover_side(202, 2, 400, 4, 10_000) == 0
    assert crossover_side(198, 2, 400, 4, 9_999) == -1
    assert crossover_side(198, 2, 400, 4, 10_000) == 0
    assert distance(202, 2, 400, 4) == distance(198, 2, 400, 4) == 10_000


def test_a_buy_needs_a_crossing_and_a_sell_only_the_side() -> None:
    answers = {(now, before): crossover_signal(now, before) for now in (-1, 0, 1) for before in (-1, 0, 1)}

    assert [pair for pair, answer in answers.items() if answer == 1] == [(1, -1), (1, 0)]
    assert [pair for pair, answer in answers.items() if answer == -1] == [(-1, -1), (-1, 0), (-1, 1)]


sums = st.integers(1, 10**12)


@given(fast=sums, slow=sums, n=st.integers(1, 50), m=st.integers(1, 50), threshold=st.integers(0, 999_999))
def test_the_comparison_of_averages_is_exact(fast: int, slow: int, n: int, m: int, threshold: int) -> None:
    one, other, limit = Fraction(fast, n), Fraction(slow, m), Fraction(threshold, 10**6)
    expected = 1 if one > other * (1 + limit) else -1 if one < other * (1 - limit) else 0

    assert crossover_side(fast, n, slow, m, threshold) == expected
    assert distance(fast, n, slow, m) == int(abs(one / other - 1) * 10**6)
