"""From traded bars and sessions to a history: decision bars, timetable, coverage. Pure.

Bars of a configured length are aligned to midnight in exchange time, as brokers align them. Where they fall
on the session's own grid, ticks are live trading's. Hours do not (a session opens at 09:30): then a tick
comes at the end of each bar that there is. Of data longer than a minute nothing is known between two ticks:
an order sent there would wait for a bar and time out before it, so there are no monitor passes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from pipeline.domain.market import Bar
from pipeline.domain.session import Session, SessionTable
from pipeline.domain.timetable import RANK, Procedure, Rhythm, session_runs
from pipeline.errors import ConfigurationError, UsageError
from pipeline.research.history import Day, History, Series

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions with bars: those that are simulated, and those before them that only warm up."""

    warm_up: tuple[Session, ...]
    simulated: tuple[Session, ...]

    @property
    def every(self) -> tuple[Session, ...]:
        """All of them, oldest first."""
        return (*self.warm_up, *self.simulated)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what should be there is there, for one symbol in the simulated sessions.

    Attributes:
        due, found: bars that decisions see; longest: missing in a row within a session, at most.
        empty: sessions without any bar.
    """

    symbol: str
    due: int
    found: int
    longest: int
    empty: int

    @property
    def missing(self) -> int:
        """Bars that are not there."""
        return self.due - self.found


def assemble(
    series: Mapping[str, Series],
    span: Span,
    table: SessionTable,
    procedures: tuple[Procedure, ...],
    rhythm: Rhythm,
) -> History:
    """Return the history of the symbols in ``series``.

    Raises:
        ConfigurationError: bars that are too long for the rhythm, or a price that never moves.
    """
    length, zone = rhythm.bar, ZoneInfo(table.timezone)
    bars = {symbol: _bars(symbol, held, span.every, length, zone) for symbol, held in series.items()}
    for symbol, held in bars.items():
        _check_moves(symbol, held)
    starts = {start for held in bars.values() for start in (bar.start for bar in held)}
    if _on_grid(span.every, length, zone):
        starts |= {start for session in span.every for start in session.bar_starts(length)}
    grid = sorted(starts)
    coarse = any(held.length > MINUTE for held in series.values())
    days = []
    for session in span.simulated:
        runs = session_runs(session, procedures, rhythm)
        if not _on_grid((session,), length, zone):
            ends = grid[bisect_left(grid, session.open - length) : bisect_left(grid, session.close)]
            runs = _with_ticks(runs, [start + length for start in ends if start + length <= session.close])
        if coarse:
            runs = tuple(run for run in runs if run[0] != "risk-monitor")
        days.append(Day(session, runs))
    return History(tuple(days), series, bars, grid, length, _missing(table, span, length))


def check_enough(history: History, lookback: int) -> None:
    """Refuse a history in which no strategy is ever asked.

    Raises:
        UsageError: with both numbers.
    """
    most, symbol = max((len(held), symbol) for symbol, held in history.bars.items())
    if most < lookback + 1:
        raise UsageError(
            f"too little history: {symbol} has {most} bars, the strategies look back {lookback} and need one "
            "more to trade on. Give more data, an earlier --from, or shorter periods"
        )


def coverage_of(history: History, session_bars: Callable[[Session], int]) -> tuple[Coverage, ...]:
    """Return what is missing, by symbol. ``session_bars``: how many bars a whole session has."""
    return tuple(_coverage(history, symbol, session_bars) for symbol in history.bars)


def _coverage(history: History, symbol: str, session_bars: Callable[[Session], int]) -> Coverage:
    every = history.bars[symbol]
    due = found = longest = empty = 0
    for day in history.days:
        session = day.session
        first = bisect_left(every, session.open - history.length, key=_start, lo=0)
        last = bisect_left(every, session.close, key=_start)
        starts = [bar.start for bar in every[first:last] if bar.start + history.length > session.open]
        wanted = session_bars(session)
        due, found, empty = due + wanted, found + len(starts), empty + (not starts)
        longest = max(longest, *_holes(session, starts, history.length), 0)
    return Coverage(symbol, due, found, longest, empty)


def _holes(session: Session, starts: Sequence[datetime], length: timedelta) -> list[int]:
    """Return how many bars are missing before the first, between two, and after the last."""
    if not starts:
        return [-(-(session.close - session.open) // length)]
    between = [(later - earlier) // length - 1 for earlier, later in pairwise(starts)]
    return [(starts[0] - session.open) // length, *between, -(-(session.close - starts[-1]) // length) - 1]


def _start(bar: Bar) -> datetime:
    return bar.start


def _bars(
    symbol: str, series: Series, sessions: Sequence[Session], length: timedelta, zone: ZoneInfo
) -> list[Bar]:
    seconds = int(length.total_seconds())
    if series.length > seconds or seconds % series.length:
        wanted, has = seconds // MINUTE, series.length // MINUTE
        remedy = f"{symbol} has bars of {has} min: bars of {wanted} min cannot be made of them"
        raise ConfigurationError("data.timeframe", f"{wanted}m", remedy)
    found: list[Bar] = []
    for session in sessions:
        midnight = int(datetime.combine(session.day, time(), zone).timestamp())
        opens = int(session.open.timestamp())
        # The bar of an hour that the open falls into is the session's first.
        earliest = opens if series.length <= MINUTE else opens - series.length + 1
        first = bisect_left(series.start, earliest)
        last = bisect_left(series.start, int(session.close.timestamp()))
        places = groupby(range(first, last), lambda i: (series.start[i] - midnight) // seconds)  # noqa: B023
        found += [_merged(symbol, series, midnight + place * seconds, list(held)) for place, held in places]
    return found


def _merged(symbol: str, series: Series, start: int, held: Sequence[int]) -> Bar:
    """Return the bars at the positions ``held`` as one."""
    return Bar(
        symbol,
        datetime.fromtimestamp(start, UTC),
        series.opens[held[0]],
        max(series.highs[i] for i in held),
        min(series.lows[i] for i in held),
        series.closes[held[-1]],
        sum(series.volumes[i] for i in held),
    )


def _check_moves(symbol: str, bars: Sequence[Bar]) -> None:
    closes = {bar.close for bar in bars}
    if len(closes) == 1 and len(bars) > 1:
        same = f"{closes.pop() / 10_000:.2f} in all {len(bars)} bars"
        raise ConfigurationError(
            "data.symbols", symbol, f"its price never moves: {same}; there is nothing to test"
        )


def _on_grid(sessions: Sequence[Session], length: timedelta, zone: ZoneInfo) -> bool:
    """Tell whether bars aligned to midnight are the session's own."""
    opened = sessions[0].open.astimezone(zone)
    return not (opened - opened.replace(hour=0, minute=0)) % length


def _with_ticks(
    runs: tuple[tuple[str, datetime], ...], ticks: Sequence[datetime]
) -> tuple[tuple[str, datetime], ...]:
    at = set(ticks)
    kept = [
        run for run in runs if run[0] != "intraday-tick" and not (run[0] == "risk-monitor" and run[1] in at)
    ]
    kept += [("intraday-tick", tick) for tick in ticks]
    return tuple(sorted(kept, key=lambda run: (run[1], RANK.index(run[0]))))


def _missing(table: SessionTable, span: Span, length: timedelta) -> Callable[[datetime, datetime], int]:
    """Return live trading's count of missing bars, over the sessions that matter only: it is asked often."""
    every = span.every
    small = SessionTable(table.exchange, table.timezone, every[0].day, every[-1].day, every)

    def missing(after: datetime, before: datetime) -> int:
        return small.bars_between(after, before, length)

    return missing
