"""Every registered strategy decides by what it could know, and the check finds those that do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal
from pipeline.strategies.causality import Rule, check_causality
from pipeline.strategies.parameters import Kind
from pipeline.strategies.registry import STRATEGIES, build_strategy
from tests.unit.strategies.test_crossover import bars_of

EXAMPLES = {name: kind.examples for name, kind in STRATEGIES.items() if isinstance(kind, Kind)}
TALKATIVE: dict[str, dict[str, object]] = {"momentum": {"signal_threshold": 0.0005}}
"""Instead of the example that the walk below is too quiet for."""


def a_walk(length: int = 300) -> list[Bar]:
    steps = random.Random(7)
    closes = [1_000_000]
    while len(closes) < length:
        closes.append(closes[-1] + steps.choice((-900, -300, 0, 300, 900)))
    return bars_of(closes)


@pytest.mark.parametrize("kind", sorted(STRATEGIES))
def test_a_registered_strategy_is_a_pure_function_of_its_look_back(kind: str) -> None:
    """A new strategy is checked with its examples."""
    strategy = build_strategy(kind, kind, {**EXAMPLES[kind], **TALKATIVE.get(kind, {})})
    bars = a_walk()
    wishes = {strategy.decide(bars[:end]).direction for end in range(strategy.lookback, len(bars))}

    assert check_causality(strategy, bars) == ()
    assert wishes == {-1, 0, 1}  # the walk makes it speak


@pytest.mark.parametrize("kind", sorted(STRATEGIES))
@given(closes=st.lists(st.integers(1, 9), min_size=40, max_size=60), times=st.integers(2, 10**6))
def test_a_registered_strategy_wants_the_same_in_another_currency(
    kind: str, closes: list[int], times: int
) -> None:
    """Every price times a number: averages, deviations and thresholds keep their relations, exactly."""
    strategy = build_strategy(kind, kind, EXAMPLES[kind])
    wish, scaled = (strategy.decide(bars_of(each)) for each in (closes, [close * times for close in closes]))

    assert (wish.direction, wish.confidence) == (scaled.direction, scaled.confidence)


ODD: dict[str, Any] = {"is a float": 0.5, "is ashamed": -1}
"""Confidences that no signal holds."""


@dataclass
class Cheat:
    """Breaks one promise, as ``how`` says, on the last of five bars."""

    how: str
    name: str = "cheat"
    lookback: int = 2
    seen: list[int] = field(default_factory=list)

    def decide(self, bars: Sequence[Bar]) -> Signal:
        last = bars[-1]
        direction, price, symbol = 0, last.close, last.symbol
        if self.how == "remembers":
            self.seen.append(last.close)
            direction = int(max(self.seen) > last.close)
        if self.how == "looks far back":
            direction = int(len(bars) > 4)
        if self.how == "speaks of another":
            symbol = "QQQ"
        if self.how == "invents a price":
            price += 1
        if self.how == "shouts":
            direction = 2
        if self.how in ODD:
            return Signal(symbol, self.name, 0, ODD[self.how], price)
        if self.how == "says nothing":
            return None  # type: ignore[return-value]
        if self.how == "counts its calls":
            self.seen.append(0)
            direction = len(self.seen) % 2
        if self.how == "stumbles":
            direction = bars[-3].close and 0
        return Signal(symbol, self.name, direction, 0, price)


@pytest.mark.parametrize(
    ("how", "rows", "rule"),
    [
        ("is honest", [], None),
        ("remembers", [1, 2, 3], Rule.MEMORY),
        ("looks far back", [4], Rule.HISTORY),
        ("speaks of another", [1, 2, 3, 4], Rule.SHAPE),
        ("invents a price", [1, 2, 3, 4], Rule.SHAPE),
        ("shouts", [1, 2, 3, 4], Rule.SHAPE),
        ("is a float", [1, 2, 3, 4], Rule.SHAPE),
        ("is ashamed", [1, 2, 3, 4], Rule.SHAPE),
        ("says nothing", [1, 2, 3, 4], Rule.RAISED),
        ("counts its calls", [1, 2, 3, 4], Rule.CHANCE),
    ],
)
def test_a_strategy_that_cheats_is_found_at_the_row_where_it_does(
    how: str, rows: list[int], rule: Rule | None
) -> None:
    """Rising closes: once the future was shown, the highest close seen is above every earlier one."""
    found = check_causality(Cheat(how), bars_of([10, 11, 12, 13, 14]))

    assert [(violation.row, violation.rule) for violation in found] == [(row, rule) for row in rows]


def test_a_strategy_that_needs_more_than_it_says_is_found_by_its_error() -> None:
    """It asks for the third bar from the end and says that two are enough: with three it does not stumble."""
    found = check_causality(Cheat("stumbles"), bars_of([10, 11, 12, 13, 14]))

    assert [(one.row, one.rule) for one in found if one.rule is Rule.RAISED] == [
        (row, Rule.RAISED) for row in (1, 2, 3, 4)
    ]
    assert found[0].actual == "IndexError: tuple index out of range"
    assert [one.row for one in found if one.rule is Rule.HISTORY] == [2, 3, 4]


def test_too_few_bars_ask_nothing() -> None:
    assert check_causality(Cheat("shouts"), bars_of([10])) == ()
