from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle

import pytest

from pipeline.domain.signals import Strategy
from pipeline.errors import UsageError
from pipeline.strategies.causality import Rule
from pipeline.strategies.checks import StrategyReport, check_strategy
from pipeline.strategies.crossover import Crossover
from tests.unit.strategies.test_causality import Cheat, a_walk
from tests.unit.strategies.test_crossover import bars_of

RISING = bars_of([10, 11, 12, 13, 14])


def ticking(nanoseconds: int) -> Callable[[], int]:
    """Return a timer that grows by ``nanoseconds`` each time it is read."""
    return count(0, nanoseconds).__next__


def failed(report: StrategyReport) -> list[tuple[str, int]]:
    return [(one.name, one.first.row if one.first else -1) for one in report.checks if not one.passed]


def test_an_honest_strategy_passes_every_check() -> None:
    report = check_strategy(lambda: Crossover("m", 3, 8), a_walk(), ticking(5_000))

    assert report.passed
    assert [one.name for one in report.checks] == [
        "causality",
        "determinism",
        "lookback",
        "signals",
        "speed",
    ]
    assert (report.lookback, report.decisions) == (9, 292)
    assert report.buys > 0 < report.sells
    assert report.checks[-1].detail == "5.0 µs a decision (median of 292; worst 5.0; allowed 1,000)"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("remembers", [("causality", 1)]),
        ("looks far back", [("lookback", 4)]),
        ("counts its calls", [("determinism", 1)]),
        ("shouts", [("signals", 1)]),
        ("says nothing", [("signals", 1)]),
    ],
)
def test_a_broken_promise_fails_its_check_and_shows_the_first_row(
    how: str, expected: list[tuple[str, int]]
) -> None:
    report = check_strategy(lambda: Cheat(how), RISING, ticking(1_000))

    assert not report.passed
    assert failed(report) == expected


def test_two_strategies_that_are_built_alike_must_agree() -> None:
    """Alone, each is a pure function; of 10 10 11 10, fast averages of 1 and 2 differ at the fourth."""
    numbers = cycle((1, 2))

    def build() -> Strategy:
        return Crossover("m", next(numbers), 3)

    report = check_strategy(build, bars_of([10, 10, 11, 10, 11]), ticking(1_000))

    assert failed(report) == [("determinism", 3)]
    assert report.checks[1].detail.startswith("two strategies built alike disagree")


def test_two_strategies_that_are_built_alike_must_look_back_as_far() -> None:
    numbers = count(2)

    report = check_strategy(lambda: Crossover("m", 1, next(numbers)), bars_of([10] * 9), ticking(1_000))

    assert report.checks[1].detail == "two strategies built alike look back 4 and 5 bars"


def test_a_slow_strategy_fails_by_its_median() -> None:
    report = check_strategy(lambda: Crossover("m", 2, 3), a_walk(), ticking(1_001_000))

    assert failed(report) == [("speed", -1)]
    assert report.checks[-1].detail.startswith("1,001.0 µs a decision")


@pytest.mark.parametrize(("slow", "needed"), [(6, 7), (4, 5)])
def test_too_few_bars_name_both_numbers(slow: int, needed: int) -> None:
    """A single answer could not be compared with a later one."""
    said = f"5 bars are too few: m looks back {needed} bars and is checked on at least {needed + 1}"
    with pytest.raises(UsageError, match=said):
        check_strategy(lambda: Crossover("m", 2, slow), RISING, ticking(1))


def test_a_violation_has_the_rule_and_both_answers() -> None:
    first = check_strategy(lambda: Cheat("looks far back"), RISING, ticking(1)).checks[2].first

    assert first is not None
    assert first.rule is Rule.HISTORY
    assert [getattr(answer, "direction", None) for answer in (first.expected, first.actual)] == [0, 1]
