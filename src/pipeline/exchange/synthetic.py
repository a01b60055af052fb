"""A seeded synthetic market: the same seed, symbol and session always give the same bars.

Each session has a regime (calm, trend, stress) drawn from a Markov chain; symbols share a
common factor; volume and volatility are U-shaped over the day; sessions are joined by
overnight gaps. Returns do not depend on the price level, so the chain is anchored such that
the first session opens at the configured price, and earlier sessions lead up to it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.domain.money import PRICE_SCALE
from pipeline.domain.session import Session
from pipeline.exchange.bars import EMPTY, MINUTE, Bars
from pipeline.exchange.config import ExchangeConfig, SymbolProfile

Floats = npt.NDArray[np.float64]

WARM_UP_SESSIONS = 10
"""Sessions before the first one that have bars, so that look-backs are warm."""

_YEAR_SESSIONS = 252
_FULL_DAY = 390
"""Minutes of an ordinary session: an early close has less volume and moves less."""

_STEPS = 5
"""Steps of the path inside a minute; its extremes are the bar's high and low."""

_OVERNIGHT_SHARE = 0.35
"""Overnight gap's standard deviation as a share of a day's."""

_REGIMES = ("calm", "trend", "stress")
_TRANSITIONS = ((0.86, 0.11, 0.03), (0.20, 0.74, 0.06), (0.22, 0.18, 0.60))
_VOLATILITY = {"calm": 0.75, "trend": 0.95, "stress": 2.1}
_DRIFT = {"calm": 0.0, "trend": 0.9, "stress": -0.5}
"""Mean of a day's common factor, in its standard deviations; a trend goes either way."""

_VOLUME = {"calm": 0.9, "trend": 1.1, "stress": 1.9}


class SyntheticMarket:
    """Bars made from the seed on demand and kept."""

    def __init__(self, config: ExchangeConfig) -> None:
        self.profiles: Mapping[str, SymbolProfile] = config.market.symbols
        self._seed = config.seed
        self._sessions = config.table.sessions
        self._index = {session.day: i for i, session in enumerate(self._sessions)}
        self._first = self._index[config.first_session]
        self._anchor = max(self._first - WARM_UP_SESSIONS, 0)
        self._regimes = [_REGIMES[0]]
        self._opens: dict[tuple[str, int], float] = {
            (p.symbol, self._first): float(np.log(p.price / PRICE_SCALE)) for p in self.profiles.values()
        }
        self._bars: dict[tuple[str, int], Bars] = {}
        self._common = lru_cache(maxsize=64)(self._common_factor)

    def bars(self, symbol: str, session: Session) -> Bars:
        """Return the session's bars; none before the warm-up sessions."""
        index = self._index[session.day]
        if index < self._anchor:
            return EMPTY
        key = (symbol, index)
        if key not in self._bars:
            self._bars[key] = self._make(self.profiles[symbol], index)
        return self._bars[key]

    def regime(self, index: int) -> str:
        """Return the regime of the session at ``index``: one step of the chain a session."""
        while len(self._regimes) <= index - self._anchor:
            row = _TRANSITIONS[_REGIMES.index(self._regimes[-1])]
            draw = self._random("regime", self._anchor + len(self._regimes)).random()
            self._regimes.append(_REGIMES[int(np.searchsorted(np.cumsum(row)[:-1], draw, side="right"))])
        return self._regimes[max(index - self._anchor, 0)]

    def _random(self, what: str, index: int) -> np.random.Generator:
        day = self._sessions[index].day.toordinal()
        return np.random.Generator(np.random.PCG64([self._seed, zlib.crc32(what.encode()), day]))

    def _minutes(self, index: int) -> int:
        session = self._sessions[index]
        return int((session.close - session.open).total_seconds()) // MINUTE

    def _common_factor(self, index: int) -> tuple[Floats, float]:
        """Return the market's steps and its overnight gap, both in standard deviations of a day."""
        random = self._random("market", index)
        regime = self.regime(index)
        count = self._minutes(index) * _STEPS
        step = 1 / np.sqrt(_FULL_DAY * _STEPS)
        direction = 1.0 if regime != "trend" or random.random() < 0.5 else -1.0
        drift = direction * _DRIFT[regime] * step * step
        return drift + random.standard_normal(count) * step, float(random.standard_normal())

    def _steps(self, profile: SymbolProfile, index: int) -> tuple[Floats, float, np.random.Generator]:
        """Return log returns of each step, the gap before the open, and the rest of the randomness."""
        random = self._random(profile.symbol, index)
        common, common_gap = self._common(index)
        shape = np.repeat(_smile(self._minutes(index), 0.45), _STEPS)
        own = random.standard_normal(len(common)) / np.sqrt(_FULL_DAY * _STEPS)
        rho = profile.correlation
        day = profile.annual_volatility / np.sqrt(_YEAR_SESSIONS) * _VOLATILITY[self.regime(index)]
        mixed = rho * common + np.sqrt(1 - rho * rho) * own
        gap = rho * common_gap + np.sqrt(1 - rho * rho) * float(random.standard_normal())
        return day * shape * mixed, float(day * _OVERNIGHT_SHARE * gap), random

    def _open(self, profile: SymbolProfile, index: int) -> float:
        """Return the logarithm of the session's first price, chained from the first session's."""
        at = self._first
        direction = 1 if index > at else -1
        while at != index:
            joined, at = at, at + direction
            if (profile.symbol, at) not in self._opens:
                earlier = min(joined, at)
                move = float(self._steps(profile, earlier)[0].sum()) + self._steps(profile, earlier + 1)[1]
                self._opens[profile.symbol, at] = self._opens[profile.symbol, joined] + direction * move
        return self._opens[profile.symbol, index]

    def _make(self, profile: SymbolProfile, index: int) -> Bars:
        steps, _gap, random = self._steps(profile, index)
        minutes = self._minutes(index)
        path = np.exp(self._open(profile, index) + np.cumsum(steps)).reshape(minutes, _STEPS)
        ticks = _ticks(path, 100 if profile.price >= PRICE_SCALE else 1)
        volume = _smile(minutes, 1.4) * np.exp(0.35 * random.standard_normal(minutes))
        shares = volume / _FULL_DAY * profile.daily_volume * _VOLUME[self.regime(index)]
        start = int(self._sessions[index].open.timestamp()) + MINUTE * np.arange(minutes, dtype=np.int64)
        return Bars(start, ticks[:, 0], ticks.max(1), ticks.min(1), ticks[:, -1], shares.astype(np.int64))


def _smile(minutes: int, depth: float) -> Floats:
    """Return a U over the session, shape (minutes,), mean one; ``depth`` is how much the ends stand out."""
    x = np.linspace(-1.0, 1.0, minutes)
    shape: Floats = 1.0 + depth * (x**2 * (1.0 - 0.25 * x)) * 2
    return np.asarray(shape / shape.mean())


def _ticks(prices: Floats, increment: int) -> npt.NDArray[np.int64]:
    """Return prices as price units on the grid of ``increment``, at least one increment."""
    steps = np.rint(prices * PRICE_SCALE / increment).astype(np.int64)
    return np.maximum(steps, 1) * increment
