"""Market data as Alpaca shows it: minutes, their aggregates, quotes and trades, ready as JSON text.

Everything is derived from complete one-minute bars. An aggregate in progress is shown as it
stands, as Alpaca shows it; a day aggregates the regular session only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.domain.money import PPM, PRICE_SCALE
from pipeline.domain.session import Session
from pipeline.exchange.bars import MINUTE, SECOND_US, Bars, Ints
from pipeline.exchange.engine import Engine

Row = tuple[int, str]
"""Seconds since 1970 UTC, and the JSON of what is shown for that time."""

DAY = 86_400
_CENT = PRICE_SCALE // 100


@dataclass(frozen=True, slots=True)
class Span:
    """Asked time in seconds, both ends inclusive."""

    start: int
    end: int


def bar_rows(engine: Engine, symbol: str, span: Span, seconds: int, *, adjusted: bool = False) -> list[Row]:
    """Return bars of ``seconds`` that start in ``span``, oldest first; ``adjusted`` for splits since."""
    end_us = min(engine.now, (span.end + seconds) * SECOND_US)
    rows: list[Row] = []
    for session, bars, first, last in engine.tape.complete_days(symbol, span.start, end_us):
        if adjusted:
            bars = engine.tape.altered.split_adjusted(symbol, bars, engine.now)  # noqa: PLW2901
        if seconds == MINUTE:
            rows.extend(_minute_rows(bars)[first:last])
            continue
        part = _regular(session, bars.slice(0, last)) if seconds == DAY else bars.slice(first, last)
        if len(part):
            rows.extend(_rows(*_aggregate(part, session, seconds, engine.tape.table.timezone)))
    return [row for row in rows if span.start <= row[0] <= span.end]


def quote_rows(engine: Engine, symbol: str, span: Span) -> list[Row]:
    """Return one quote a minute, at its end, oldest first."""
    half = engine.config.costs.half_spread_ppm
    return [
        (at, json.dumps(_quote(at, price, half), separators=(",", ":")))
        for at, price, _ in _closes(engine, symbol, span)
    ]


def trade_rows(engine: Engine, symbol: str, span: Span) -> list[Row]:
    """Return one trade a minute, at its end, oldest first."""
    return [
        (at, json.dumps(_trade(at, price, size), separators=(",", ":")))
        for at, price, size in _closes(engine, symbol, span)
    ]


def latest(engine: Engine, symbol: str) -> dict[str, Any] | None:
    """Return the newest ``bar``, ``quote`` and ``trade`` of a symbol; the bar may be None.

    None for a symbol that is unknown or has not traded yet.
    """
    if symbol not in engine.tape.profiles:
        return None
    found = engine.tape.last_bar(symbol, engine.now)
    price = engine.tape.price(symbol, engine.now)
    if found is None or price is None:
        return None
    bars, i = found
    complete = (int(bars.start[i]) + MINUTE) * SECOND_US <= engine.now
    at = int(bars.start[i]) + (MINUTE if complete else 0)
    newest = i if complete else i - 1
    return {
        "bar": json.loads(_minute_rows(bars)[newest][1]) if newest >= 0 else None,
        "quote": _quote(at, price, engine.config.costs.half_spread_ppm),
        "trade": _trade(at, price, int(bars.volume[i])),
    }


def latest_days(engine: Engine, symbol: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the bars of the newest session that has traded, as far as it has, and of the one before."""
    now = engine.now // SECOND_US
    rows = bar_rows(engine, symbol, Span(now - 10 * DAY, now), DAY)
    days = [None, None, *(json.loads(text) for _, text in rows)]
    return days[-1], days[-2]


def _closes(engine: Engine, symbol: str, span: Span) -> list[tuple[int, int, int]]:
    """Return (end of the minute, close, volume) of the minutes that end in ``span``."""
    end_us = min(engine.now, span.end * SECOND_US)
    rows: list[tuple[int, int, int]] = []
    for _, bars, first, last in engine.tape.complete_days(symbol, span.start - MINUTE, end_us):
        part = bars.slice(first, last)
        rows.extend(
            zip((part.start + MINUTE).tolist(), part.close.tolist(), part.volume.tolist(), strict=True)
        )
    return rows


@lru_cache(maxsize=16_384)
def _minute_rows(bars: Bars) -> tuple[Row, ...]:
    """Render a day of minutes once: a tick asks for the same ones every minute."""
    return tuple(_rows(bars, _average(bars), _trades(bars))) if len(bars) else ()


def _rows(bars: Bars, average: Ints, trades: Ints) -> list[Row]:
    stamps = np.datetime_as_string(bars.start.astype("datetime64[s]")).tolist()
    prices = (
        (column / PRICE_SCALE).tolist() for column in (bars.open, bars.high, bars.low, bars.close, average)
    )
    columns = zip(bars.start.tolist(), stamps, *prices, bars.volume.tolist(), trades.tolist(), strict=True)
    return [
        (at, f'{{"t":"{t}Z","o":{o!r},"h":{h!r},"l":{low!r},"c":{c!r},"v":{v},"n":{n},"vw":{vw!r}}}')
        for at, t, o, h, low, c, vw, v, n in columns
    ]


def _average(bars: Bars) -> Ints:
    """Return a plausible volume-weighted price: bars do not tell the real one."""
    return (bars.open + bars.high + bars.low + bars.close) // 4


def _trades(bars: Bars) -> Ints:
    """Return a plausible number of trades: a hundred shares each."""
    return -(-bars.volume // 100)


def _regular(session: Session, bars: Bars) -> Bars:
    return bars.slice(bars.at(int(session.open.timestamp())), bars.at(int(session.close.timestamp())))


def _aggregate(bars: Bars, session: Session, seconds: int, timezone: str) -> tuple[Bars, Ints, Ints]:
    """Return longer bars, aligned to midnight in exchange time, their average prices, their trades."""
    base = int(datetime.combine(session.day, time(), ZoneInfo(timezone)).timestamp())
    bucket = base + (bars.start - base) // seconds * seconds
    start, first = np.unique(bucket, return_index=True)
    last = np.append(first[1:], len(bars)) - 1
    volume = np.add.reduceat(bars.volume, first)
    money = np.add.reduceat(_average(bars) * bars.volume, first)
    merged = Bars(
        start,
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        volume,
    )
    average = np.where(volume > 0, money // np.maximum(volume, 1), merged.close)
    return merged, average, np.add.reduceat(_trades(bars), first)


def _quote(at: int, price: int, half_spread_ppm: int) -> dict[str, Any]:
    """Return a quote around ``price``, outside it by at least half the spread, in cents."""
    bid = price * (PPM - half_spread_ppm) // PPM // _CENT * _CENT
    ask = -(-price * (PPM + half_spread_ppm) // (PPM * _CENT)) * _CENT
    return {
        "t": _stamp(at),
        "bx": "V",
        "bp": (bid if bid < ask else bid - _CENT) / PRICE_SCALE,
        "bs": 100,
        "ax": "V",
        "ap": ask / PRICE_SCALE,
        "as": 100,
        "c": ["R"],
        "z": "B",
    }


def _trade(at: int, price: int, size: int) -> dict[str, Any]:
    return {"t": _stamp(at), "i": at, "x": "V", "p": price / PRICE_SCALE, "s": size, "c": ["@"], "z": "B"}


def _stamp(at: int) -> str:
    return f"{np.datetime_as_string(np.datetime64(at, 's'))}Z"
