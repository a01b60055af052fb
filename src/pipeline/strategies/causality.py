"""Does a strategy decide by what it could know? A check for every registered strategy, and for users' own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal, Strategy


class Rule(StrEnum):
    """What a strategy promises; see :class:`pipeline.domain.signals.Strategy`."""

    HISTORY = "bars older than the look-back change the answer"
    MEMORY = "the same bars, asked again in another order, give another answer"
    SHAPE = "the answer is not about the last bar, or its direction is not -1, 0 or 1"


@dataclass(frozen=True, slots=True)
class Violation:
    """A row at which a strategy broke a rule.

    Attributes:
        row: index of the last bar it was shown; at: that bar's start, UTC.
        expected, actual: its answers that should be equal; ``actual`` alone counts for SHAPE.
    """

    row: int
    at: datetime
    rule: Rule
    expected: Signal
    actual: Signal


def check_causality(strategy: Strategy, bars: Sequence[Bar]) -> tuple[Violation, ...]:
    """Return every row of ``bars`` at which the answer is not a pure function of the last ``lookback`` bars.

    Each row is asked forwards with its look-back only, then backwards (the future has been shown
    by then: a strategy that remembers it gives itself away) and once more with the whole prefix.

    Args:
        bars: of one symbol, oldest first; with fewer than ``lookback`` nothing is asked.
    """
    lookback = strategy.lookback
    rows = range(lookback - 1, len(bars))
    first = {row: strategy.decide(tuple(bars[row + 1 - lookback : row + 1])) for row in rows}
    found = [violation for row in reversed(rows) for violation in _at(strategy, bars, row, first[row])]
    return tuple(sorted(found, key=lambda violation: violation.row))


def _at(strategy: Strategy, bars: Sequence[Bar], row: int, first: Signal) -> Iterator[Violation]:
    last = bars[row]
    again = strategy.decide(tuple(bars[row + 1 - strategy.lookback : row + 1]))
    whole = strategy.decide(tuple(bars[: row + 1]))
    if again != first:
        yield Violation(row, last.start, Rule.MEMORY, first, again)
    elif whole != first:
        yield Violation(row, last.start, Rule.HISTORY, first, whole)
    about_last = (first.symbol, first.price, first.strategy) == (last.symbol, last.close, strategy.name)
    if not about_last or first.direction not in (-1, 0, 1):
        yield Violation(row, last.start, Rule.SHAPE, first, first)
