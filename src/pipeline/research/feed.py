"""What a desk knows of its bars at each tick: the same windows, and the same doubts, as in live trading."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from pipeline.domain.market import Bar, Flaw
from pipeline.domain.quality import flaws_among, in_force, quote_flaw, rules_of
from pipeline.domain.risk import RiskLimits
from pipeline.research.account import Account
from pipeline.research.history import History

_BEGAN = attrgetter("start")
SLACK = 2
"""Bars may be missing: a window is this many times the longest look-back, as in live trading."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The market at an instant. ``flaws`` are those in force; a symbol without any is not a key."""

    instant: datetime
    prices: Mapping[str, int]
    prices_at: Mapping[str, datetime]
    bars: Mapping[str, Sequence[Bar]] = field(default_factory=dict)
    flaws: Mapping[str, tuple[Flaw, ...]] = field(default_factory=dict)


class Feed:
    """Bars as they become complete, judged once each."""

    def __init__(self, history: History, limits: RiskLimits, lookback: int) -> None:
        self._history = history
        self._rules = rules_of(limits, history.length, lookback)
        self._collar = limits.price_collar
        self._seen = dict.fromkeys(history.bars, 0)
        self._told: dict[str, list[Flaw]] = {symbol: [] for symbol in history.bars}

    def look(self, instant: datetime) -> Sight:
        """Return the market as the last complete bars show it; instants only grow."""
        start = self._window_start(instant)
        bars = {symbol: self._window(symbol, start, instant) for symbol in self._history.bars}
        last = {symbol: held[-1] for symbol, held in bars.items() if held}
        found = {symbol: in_force(told, bars[symbol], self._rules) for symbol, told in self._told.items()}
        return Sight(
            instant=instant,
            prices={symbol: bar.close for symbol, bar in last.items()},
            prices_at={symbol: bar.start + self._rules.length for symbol, bar in last.items()},
            bars=bars,
            flaws={symbol: flaws for symbol, flaws in found.items() if flaws},
        )

    def quotes(self, account: Account, instant: datetime) -> Sight:
        """Return the market as quotes show it; the price is the middle of bid and ask."""
        told = account.quotes(tuple(self._history.bars))
        wrong = {quote.symbol: quote_flaw(quote, self._collar) for quote in told.values()}
        flaws = {symbol: (flaw,) for symbol, flaw in wrong.items() if flaw is not None}
        fine = {symbol: quote for symbol, quote in told.items() if symbol not in flaws}
        return Sight(
            instant=instant,
            prices={symbol: (quote.bid + quote.ask) // 2 for symbol, quote in fine.items()},
            prices_at={symbol: quote.at for symbol, quote in fine.items()},
            flaws=flaws,
        )

    def _window_start(self, instant: datetime) -> datetime:
        grid = self._history.grid
        until = bisect_left(grid, instant)
        return grid[max(0, until - self._rules.lookback * SLACK)] if until else instant

    def _window(self, symbol: str, start: datetime, instant: datetime) -> Sequence[Bar]:
        every = self._history.bars[symbol]
        seen = self._seen[symbol]
        first = bisect_left(every, start, key=_BEGAN)
        last = bisect_right(every, instant - self._rules.length, lo=seen, key=_BEGAN)
        bars = every[first:last]
        if last > seen:
            kept = [flaw for flaw in self._told[symbol] if flaw.at >= start]
            new = flaws_among(bars, max(seen - first, 0), self._rules, self._history.missing)
            self._told[symbol] = kept + new
            self._seen[symbol] = last
        return bars
