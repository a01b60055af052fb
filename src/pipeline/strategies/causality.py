"""Does a strategy decide by what it could know? A check for every registered strategy, and for users' own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal, Strategy
from pipeline.strategies.plugins import FOREIGN


class Rule(StrEnum):
    """What a strategy promises; see :class:`pipeline.domain.signals.Strategy`."""

    RAISED = "it raised an error on exactly its look-back of bars"
    CHANCE = "the same bars, asked twice in a row, give two answers"
    HISTORY = "bars older than the look-back change the answer"
    MEMORY = "the same bars, asked again in another order, give another answer"
    SHAPE = "the answer is not about the last bar, or its numbers are not what a signal holds"


Answer = Signal | str
"""A signal, or in words why there is none."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A row at which a strategy broke a rule.

    Attributes:
        row: index of the last bar it was shown; at: that bar's start, UTC.
        expected, actual: its answers that should be equal; ``actual`` alone counts for RAISED and SHAPE.
    """

    row: int
    at: datetime
    rule: Rule
    expected: Answer
    actual: Answer


def answers_of(strategy: Strategy, bars: Sequence[Bar]) -> tuple[Answer, ...]:
    """Return its answer at every row from ``lookback - 1`` on, oldest first, its look-back shown only."""
    rows = range(strategy.lookback - 1, len(bars))
    return tuple(_ask(strategy, _window(strategy, bars, row)) for row in rows)


def check_causality(strategy: Strategy, bars: Sequence[Bar]) -> tuple[Violation, ...]:
    """Return every row of ``bars`` at which the answer is not a pure function of the last ``lookback`` bars.

    Each row is asked forwards with its look-back only, then backwards (the future has been shown
    by then: a strategy that remembers it gives itself away), twice, and once more with the whole prefix.

    Args:
        bars: of one symbol, oldest first; with fewer than ``lookback`` nothing is asked.
    """
    first = answers_of(strategy, bars)
    rows = range(strategy.lookback - 1, len(bars))
    found = [
        violation
        for row, answer in zip(reversed(rows), reversed(first), strict=True)
        for violation in _at(strategy, bars, row, answer)
    ]
    return tuple(reversed(found))


def _window(strategy: Strategy, bars: Sequence[Bar], row: int) -> tuple[Bar, ...]:
    return tuple(bars[row + 1 - strategy.lookback : row + 1])


def _ask(strategy: Strategy, shown: tuple[Bar, ...]) -> Answer:
    try:
        answer = strategy.decide(shown)
    except FOREIGN as error:
        return f"{type(error).__name__}: {error}"
    # A plug-in is checked by what it does, not by what it says it returns.
    return answer if isinstance(answer, Signal) else f"a {type(answer).__name__} instead of a Signal"


def _at(strategy: Strategy, bars: Sequence[Bar], row: int, first: Answer) -> Iterator[Violation]:
    last, shown = bars[row], _window(strategy, bars, row)
    again, twice = _ask(strategy, shown), _ask(strategy, shown)
    whole = _ask(strategy, tuple(bars[: row + 1]))
    if again != twice:
        yield Violation(row, last.start, Rule.CHANCE, again, twice)
    elif again != first:
        yield Violation(row, last.start, Rule.MEMORY, first, again)
    elif whole != first:
        yield Violation(row, last.start, Rule.HISTORY, first, whole)
    if isinstance(first, str):
        yield Violation(row, last.start, Rule.RAISED, first, first)
    elif not _is_signal(first, last, strategy.name):
        yield Violation(row, last.start, Rule.SHAPE, first, first)


def _is_signal(answer: Signal, last: Bar, name: str) -> bool:
    """Tell whether the answer is about ``last`` and holds integers: 1.0 equals 1 and is no direction."""
    about_last = (answer.symbol, answer.price, answer.strategy) == (last.symbol, last.close, name)
    whole = all(type(number) is int for number in (answer.direction, answer.confidence, answer.price))
    return about_last and whole and answer.direction in (-1, 0, 1) and answer.confidence >= 0
