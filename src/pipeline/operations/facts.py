"""What the market's recent history says about a configuration, for lint."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.market import Bar
from pipeline.domain.rules.signals import distance
from pipeline.errors import DataUnavailable
from pipeline.operations.desk import Desk
from pipeline.strategies.crossover import Crossover

_SESSIONS = 3


def largest_gaps(desk: Desk) -> dict[tuple[str, str], int]:
    """Return, by strategy and symbol, the largest distance between its averages in the last sessions, ppm.

    Empty when there is no history yet: then nothing can be said.
    """
    day = desk.clock.now().astimezone(desk.zone).date()
    following = desk.sessions.at_or_after(day)
    start = following
    for _ in range(_SESSIONS):
        start = desk.sessions.before(start.day)
    try:
        bars = desk.data.fetch_bars(desk.symbols, desk.timeframe, start.open, desk.clock.now())
    except DataUnavailable:
        return {}
    return {
        (strategy.name, symbol): gap
        for strategy in desk.strategies
        if isinstance(strategy, Crossover)
        for symbol, held in bars.items()
        if (gap := _largest_gap(strategy, held)) is not None
    }


def _largest_gap(strategy: Crossover, bars: Sequence[Bar]) -> int | None:
    closes = [bar.close for bar in bars]
    if len(closes) < strategy.slow:
        return None
    slow = sum(closes[: strategy.slow])
    fast = sum(closes[strategy.slow - strategy.fast : strategy.slow])
    largest = distance(fast, strategy.fast, slow, strategy.slow)
    for at in range(strategy.slow, len(closes)):
        fast += closes[at] - closes[at - strategy.fast]
        slow += closes[at] - closes[at - strategy.slow]
        largest = max(largest, distance(fast, strategy.fast, slow, strategy.slow))
    return largest
