"""What the control port does to the market: prices rescaled from an instant on, trading paused.

The market itself stays a pure function of its configuration; these are laid over it. Instants are
microseconds since 1970 UTC, half-open intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipeline.domain.money import PRICE_SCALE
from pipeline.exchange.bars import COLUMNS, SECOND_US, Bars, Ints

_CENT = PRICE_SCALE // 100

EVERYTHING = ""
"""The symbol of a pause that concerns the whole exchange."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """From ``at`` on, prices count ``numerator / denominator`` times. A split moves volume the other way."""

    at: int
    numerator: int
    denominator: int
    split: bool

    def price(self, price: int) -> int:
        """Return a price after it, rounded half up to the increment, at least one increment."""
        exact = price * self.numerator
        step = _CENT if exact >= PRICE_SCALE * self.denominator else 1
        return max((2 * exact + step * self.denominator) // (2 * step * self.denominator), 1) * step

    def bars(self, bars: Bars, first: int, last: int) -> Bars:
        """Return the bars with those in ``[first, last)`` rescaled."""
        volume = bars.volume.copy()
        if self.split:
            volume[first:last] = volume[first:last] * self.denominator // self.numerator
        opened, high, low, close = (
            self._prices(column, first, last) for column in (bars.open, bars.high, bars.low, bars.close)
        )
        return Bars(bars.start, opened, high, low, close, volume)

    def _prices(self, column: Ints, first: int, last: int) -> Ints:
        fresh = column.copy()
        fresh[first:last] = [self.price(int(price)) for price in column[first:last]]
        return fresh


@dataclass(frozen=True, slots=True)
class Pause:
    """A symbol, or everything, does not trade in ``[since, until)``."""

    symbol: str
    since: int
    until: int


class Alterations:
    """All of them, and the bars as they are with them."""

    def __init__(self) -> None:
        self._rescales: dict[str, list[Rescale]] = {}
        self._pauses: list[Pause] = []
        self._kept: dict[tuple[str, date], Bars] = {}

    def rescale(self, symbol: str, change: Rescale) -> None:
        """Rescale a symbol's prices from an instant on that is not before the last one's."""
        self._rescales.setdefault(symbol, []).append(change)
        self._kept.clear()

    def splits(self) -> Iterator[tuple[str, Rescale]]:
        """Yield (symbol, split), a symbol's oldest first."""
        for symbol, changes in self._rescales.items():
            yield from ((symbol, change) for change in changes if change.split)

    def pause(self, pause: Pause) -> None:
        """Stop trading for a while."""
        self._pauses.append(pause)
        self._kept.clear()

    def closed_until(self, at: int) -> int:
        """Return when the exchange opens again that is closed ahead of its time, 0 when it is not."""
        return max((p.until for p in self._covering(EVERYTHING, at)), default=0)

    def paused(self, symbol: str, at: int) -> bool:
        """Tell whether a symbol does not trade at an instant."""
        return bool(self._pauses) and any(
            True for name in (symbol, EVERYTHING) for _ in self._covering(name, at)
        )

    def bars(self, symbol: str, day: date, bars: Bars) -> Bars:
        """Return a day's bars as they are shown."""
        if not self._rescales and not self._pauses:
            return bars
        key = (symbol, day)
        if key not in self._kept:
            self._kept[key] = self._altered(symbol, bars)
        return self._kept[key]

    def carried(self, symbol: str, price: int, since: int, now: int) -> int:
        """Return what a price of the bar that began at ``since`` is at ``now``."""
        return _through(self._between(symbol, since, now), price)

    def split_price(self, symbol: str, price: int, since: int, now: int) -> int:
        """Return an earlier price in shares of ``now``: splits count, jumps of the market do not."""
        return _through([r for r in self._between(symbol, since, now) if r.split], price)

    def split_adjusted(self, symbol: str, bars: Bars, now: int) -> Bars:
        """Return bars in shares of ``now``, as Alpaca's ``adjustment=split`` shows them."""
        for change in self._rescales.get(symbol, ()):
            if change.split and change.at <= now:
                bars = change.bars(bars, 0, _position(bars, change.at))
        return bars

    def _altered(self, symbol: str, bars: Bars) -> Bars:
        for change in self._rescales.get(symbol, ()):
            first = _position(bars, change.at)
            if first < len(bars):
                bars = change.bars(bars, first, len(bars))
        for pause in self._pauses:
            if pause.symbol in (symbol, EVERYTHING):
                bars = _without(bars, _position(bars, pause.since), _position(bars, pause.until))
        return bars

    def _between(self, symbol: str, since: int, now: int) -> list[Rescale]:
        return [r for r in self._rescales.get(symbol, ()) if since < r.at <= now]

    def _covering(self, symbol: str, at: int) -> Iterable[Pause]:
        return (p for p in self._pauses if p.symbol == symbol and p.since <= at < p.until)


def _through(changes: Iterable[Rescale], price: int) -> int:
    for change in changes:
        price = change.price(price)
    return price


def _position(bars: Bars, at: int) -> int:
    return bars.at(-(-at // SECOND_US))


def _without(bars: Bars, first: int, last: int) -> Bars:
    if first >= last:
        return bars
    kept = np.r_[0:first, last : len(bars)]
    return Bars(*(getattr(bars, name)[kept] for name in COLUMNS))
