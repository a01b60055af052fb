from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal
from pipeline.strategies.crossover import Crossover
from tests.unit.domain.making import T0


def bars_of(closes: list[int], symbol: str = "SPY") -> list[Bar]:
    return [
        Bar(symbol, T0 + timedelta(minutes=at), close, close, close, close, 100)
        for at, close in enumerate(closes)
    ]


def reference(closes: list[int], fast: int, slow: int, threshold: int) -> int:
    """Return the wish after the last close, by averages as fractions."""

    def side(upto: int) -> int:
        quick = Fraction(sum(closes[upto - fast : upto]), fast)
        steady = Fraction(sum(closes[upto - slow : upto]), slow)
        limit = steady * Fraction(threshold, 1_000_000)
        return (quick - steady > limit) - (steady - quick > limit)

    now, before = side(len(closes)), side(len(closes) - 1)
    if now < 0:
        return -1
    return 1 if now > 0 and before <= 0 else 0


@st.composite
def cases(draw: st.DrawFn) -> tuple[Crossover, list[int]]:
    slow = draw(st.integers(2, 8))
    fast = draw(st.integers(1, slow - 1))
    threshold = draw(st.sampled_from([0, 1, 5_000, 25_000, 999_999]))
    highest = draw(st.sampled_from([12, 10**9]))
    closes = draw(st.lists(st.integers(1, highest), min_size=slow + 1, max_size=slow + 20))
    return Crossover("momentum", fast, slow, threshold), closes


@given(case=cases())
def test_the_signal_is_that_of_exact_averages(case: tuple[Crossover, list[int]]) -> None:
    """Small prices make ties and exact hits of the threshold common."""
    strategy, closes = case
    expected = reference(closes, strategy.fast, strategy.slow, strategy.threshold)

    assert strategy.decide(bars_of(closes)).direction == expected


def test_a_crossing_buys_once_and_the_side_below_keeps_selling() -> None:
    """Averages of 2 and 3 closes over 10 10 10 13 13 7 7: above at 13, above again, below twice."""
    strategy = Crossover("m", 2, 3)
    closes = [10, 10, 10, 13, 13, 7, 7]
    wishes = [strategy.decide(bars_of(closes[:end])).direction for end in range(4, 8)]

    assert strategy.lookback == 4
    assert wishes == [1, 0, -1, -1]


def test_a_signal_carries_its_strength_and_the_close_it_saw() -> None:
    """Fast average 11.5, slow 11: 4.5454 % apart."""
    signal = Crossover("m", 2, 3).decide(bars_of([10, 10, 10, 13], "QQQ"))

    assert signal == Signal("QQQ", "m", 1, 45_454, 13)


@pytest.mark.parametrize(("threshold", "direction"), [(45_453, 1), (45_454, 1), (45_455, 0)])
def test_the_threshold_filters_weak_crossings(threshold: int, direction: int) -> None:
    """1/22 is 45,454.54… ppm."""
    assert Crossover("m", 2, 3, threshold).decide(bars_of([10, 10, 10, 13])).direction == direction


@pytest.mark.parametrize(("fast", "slow"), [(0, 5), (5, 5), (6, 5), (-1, 1)])
def test_a_fast_average_that_is_not_faster_is_refused(fast: int, slow: int) -> None:
    with pytest.raises(ValueError, match="must be shorter"):
        Crossover("m", fast, slow)
