from __future__ import annotations

from fractions import Fraction
from statistics import mean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.signals import Signal
from pipeline.strategies.reversion import PPM, MeanReversion
from tests.unit.strategies.test_crossover import bars_of


def squared_z(closes: list[int]) -> Fraction:
    """Return z² of the last close, with z's sign, by the standard library's exact mean and variance."""
    exact = [Fraction(close) for close in closes]
    away, variance = exact[-1] - mean(exact), pvariance(exact)
    if variance == 0:
        return Fraction(0)
    return away * away / variance * (1 if away > 0 else -1)


def reference(closes: list[int], strategy: MeanReversion) -> int:
    """Return the wish after the last close, by fractions."""
    entry, leave = (Fraction(limit, PPM) ** 2 for limit in (strategy.entry, strategy.leave))
    now, before = (squared_z(part[-strategy.window :]) for part in (closes, closes[:-1]))
    if now >= -leave:
        return -1
    return 1 if now <= -entry < before else 0


@st.composite
def cases(draw: st.DrawFn) -> tuple[MeanReversion, list[int]]:
    """Small prices make ties and exact hits common; large ones look for products that are not exact."""
    window = draw(st.integers(5, 9))
    entry = draw(st.sampled_from([500_000, 1_000_000, 1_414_213, 2_000_000]))
    leave = draw(st.sampled_from([0, 1, 250_000, 499_999]))
    highest = draw(st.sampled_from([3, 12, 10**9]))
    closes = draw(st.lists(st.integers(1, highest), min_size=window + 1, max_size=window + 15))
    return MeanReversion("back", window, entry, leave), closes


@given(case=cases())
def test_the_signal_is_that_of_exact_deviations(case: tuple[MeanReversion, list[int]]) -> None:
    strategy, closes = case

    assert strategy.decide(bars_of(closes)).direction == reference(closes, strategy)


@given(case=cases())
def test_the_confidence_is_the_distance_in_deviations_rounded_down(
    case: tuple[MeanReversion, list[int]],
) -> None:
    strategy, closes = case
    sure = strategy.decide(bars_of(closes)).confidence

    assert (
        Fraction(sure, PPM) ** 2 <= abs(squared_z(closes[-strategy.window :])) < Fraction(sure + 1, PPM) ** 2
    )


def test_a_fall_of_exactly_two_deviations_buys_once_and_the_way_back_sells() -> None:
    """10 10 10 10 5 has mean 9 and deviation 2: z is -2. Then z is -1.22, and 8 lies above a mean of 7.6."""
    strategy = MeanReversion("back", 5)
    closes = [10, 10, 10, 10, 10, 5, 5, 8]
    wishes = [strategy.decide(bars_of(closes[:end])).direction for end in (6, 7, 8)]

    assert wishes == [1, 0, -1]
    assert strategy.lookback == 6
    assert strategy.decide(bars_of(closes[:6], "QQQ")) == Signal("QQQ", "back", 1, 2_000_000, 5)


@pytest.mark.parametrize(("entry", "direction"), [(1_999_999, 1), (2_000_000, 1)])
def test_the_limit_itself_counts(entry: int, direction: int) -> None:
    """As above; 2,000,001 ppm cannot be reached by five closes and is refused below."""
    assert MeanReversion("back", 5, entry).decide(bars_of([10, 10, 10, 10, 10, 5])).direction == direction


@pytest.mark.parametrize(("leave", "direction"), [(1_000_001, -1), (1_000_000, -1), (999_999, 0)])
def test_what_is_exactly_as_near_as_asked_is_sold(leave: int, direction: int) -> None:
    """10 10 10 5 5 5 has mean 7.5 and deviation 2.5: z is -1."""
    strategy = MeanReversion("back", 6, 2_000_000, leave)

    assert strategy.decide(bars_of([10, 10, 10, 10, 5, 5, 5])).direction == direction


def test_a_fall_that_goes_on_is_bought_once() -> None:
    """z at 9 and at 8: (9 - 9.8) / 0.4 = -2, then (8 - 9.4) / 0.8 = -1.75; both beyond 1.5."""
    strategy = MeanReversion("back", 5, 1_500_000)
    closes = [10, 10, 10, 10, 10, 9, 8]

    assert [strategy.decide(bars_of(closes[:end])).direction for end in (6, 7)] == [1, 0]


def test_constant_prices_never_buy() -> None:
    """They lie at their mean: what is held has come back, and is sold."""
    assert MeanReversion("back", 5).decide(bars_of([10] * 6)) == Signal("SPY", "back", -1, 0, 10)


@pytest.mark.parametrize(
    ("window", "entry", "leave", "problem"),
    [
        (2, 1_000_000, 0, "at least 3"),
        (5, 1_000_000, 1_000_000, "below 1000000"),
        (5, 1_000_000, -1, "at least 0"),
        (5, 2_000_001, 0, "no close of 5 is ever 2000001 ppm"),
    ],
)
def test_what_can_never_trade_as_meant_is_refused(window: int, entry: int, leave: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        MeanReversion("back", window, entry, leave)
