"""Every registered strategy decides by what it could know, and the check finds those that do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal
from pipeline.strategies.causality import Rule, check_causality
from pipeline.strategies.registry import STRATEGIES, build_strategy
from tests.unit.strategies.test_crossover import bars_of

PARAMETERS: dict[str, dict[str, object]] = {
    "momentum": {"fast_period": 5, "slow_period": 20, "signal_threshold": 0.0005},
    "moving_average": {"short_window": 3, "long_window": 8},
}


def a_walk(length: int = 300) -> list[Bar]:
    steps = random.Random(7)
    closes = [1_000_000]
    while len(closes) < length:
        closes.append(closes[-1] + steps.choice((-900, -300, 0, 300, 900)))
    return bars_of(closes)


@pytest.mark.parametrize("kind", sorted(STRATEGIES))
def test_a_registered_strategy_is_a_pure_function_of_its_look_back(kind: str) -> None:
    """A new strategy needs a line in PARAMETERS."""
    strategy = build_strategy(kind, kind, PARAMETERS[kind])
    bars = a_walk()
    wishes = {strategy.decide(bars[:end]).direction for end in range(strategy.lookback, len(bars))}

    assert check_causality(strategy, bars) == ()
    assert wishes == {-1, 0, 1}  # the walk makes it speak


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
    ],
)
def test_a_strategy_that_cheats_is_found_at_the_row_where_it_does(
    how: str, rows: list[int], rule: Rule | None
) -> None:
    """Rising closes: once the future was shown, the highest close seen is above every earlier one."""
    found = check_causality(Cheat(how), bars_of([10, 11, 12, 13, 14]))

    assert [(violation.row, violation.rule) for violation in found] == [(row, rule) for row in rows]


def test_too_few_bars_ask_nothing() -> None:
    assert check_causality(Cheat("shouts"), bars_of([10])) == ()
