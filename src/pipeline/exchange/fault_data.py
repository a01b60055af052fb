"""How market data is falsified: bars, quotes and trades as a broken feed shows them.

A rule's window is the time of what is shown, so a bar that was wrong stays wrong however often and
whenever it is asked for; a probability is drawn per bar. Nothing here changes what is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain.money import PRICE_SCALE
from pipeline.exchange.bars import MINUTE, SECOND_US
from pipeline.exchange.engine import Engine
from pipeline.exchange.fault_book import Standing, draw
from pipeline.exchange.orders import to_instant
from pipeline.exchange.wire import moment

Row = dict[str, Any]

_BAR, _QUOTE = ("o", "h", "l", "c"), ("bp", "ap")
_STALE_SECONDS = 3_600
_MEMBERS = ("bars", "quotes", "trades")


@dataclass(frozen=True, slots=True)
class Feed:
    """One symbol's data as one rule falsifies it."""

    engine: Engine
    standing: Standing
    symbol: str

    def concerns(self, row: Row) -> bool:
        """Tell whether the rule strikes a row: by its time, and by chance."""
        at = to_instant(datetime.fromisoformat(row["t"]))
        if not self.standing.since <= at < self.standing.until:
            return False
        rule = self.standing.rule
        return rule.probability >= 1 or draw(rule.seed, f"{self.symbol}/{row['t']}") < rule.probability

    def frozen_price(self) -> float | None:
        """Return the price at which the feed stopped."""
        at = min(self.standing.since, self.engine.now)
        price = self.engine.tape.price(self.symbol, at)
        return None if price is None else price / PRICE_SCALE


def falsify(engine: Engine, body: Any, rules: Iterable[Standing]) -> Any:
    """Return an answer with market data as the rules falsify it, one after the other."""
    for standing in rules:
        body = _body(engine, body, standing)
    return body


def _body(engine: Engine, body: Any, standing: Standing) -> Any:
    if not isinstance(body, dict):
        return body
    member = next((name for name in _MEMBERS if name in body), None)
    if member is not None:
        return body | {member: _symbols(engine, body[member], standing)}
    return {symbol: _snapshot(Feed(engine, standing, symbol), found) for symbol, found in body.items()}


def _symbols(engine: Engine, found: Any, standing: Standing) -> Any:
    shown: dict[str, Any] = {}
    for symbol, rows in (found or {}).items():
        feed = Feed(engine, standing, symbol)
        if standing.rule.symbol not in ("", symbol):
            shown[symbol] = rows
        elif isinstance(rows, list):
            shown[symbol] = _rows(feed, rows)
        elif fresh := _rows(feed, [rows]):
            shown[symbol] = fresh[-1]
    return shown


def _snapshot(feed: Feed, found: Any) -> Any:
    if not isinstance(found, dict) or feed.standing.rule.symbol not in ("", feed.symbol):
        return found
    shown: dict[str, Any] = {}
    for name, row in found.items():
        rows = _rows(feed, [row]) if isinstance(row, dict) and "t" in row else [row]
        if rows:
            shown[name] = rows[-1]
    return shown


def _rows(feed: Feed, rows: list[Row]) -> list[Row]:
    kind = feed.standing.rule.kind
    if kind in _WHOLE:
        return _WHOLE[kind](feed, rows)
    change = _EACH[kind]
    shown: list[Row] = []
    for row in rows:
        shown += change(feed, dict(row)) if feed.concerns(row) else [row]
    return shown


def _with(row: Row, change: Callable[[float], Any]) -> list[Row]:
    """Return the row with every price changed."""
    return [{name: change(row[name]) if _is_price(row, name) else row[name] for name in row}]


def _one(row: Row, value: Any) -> list[Row]:
    """Return the row with one price replaced: the close, or the bid."""
    return [row | {name: value for name in ("c", "bp") if _is_price(row, name)}]


def _is_price(row: Row, name: str) -> bool:
    """Tell whether a field is a price: ``c`` is the close of a bar, and the conditions of a quote."""
    return name in (*_BAR, *_QUOTE) and isinstance(row.get(name), int | float)


def _crossed(_feed: Feed, row: Row) -> list[Row]:
    if "h" in row:
        return [row | {"h": row["l"], "l": row["h"] + 0.01}]
    return [row | {"bp": row["ap"], "ap": row["bp"]}] if "bp" in row else [row]


def _conflict(_feed: Feed, row: Row) -> list[Row]:
    if "h" not in row:
        return [row]
    other = round(row["h"] * 1.01, 2)
    return [row, row | {"h": other, "c": other}]


def _frozen(feed: Feed, row: Row) -> list[Row]:
    price = feed.frozen_price()
    if price is None or "p" in row:
        return [row]
    if "o" in row:
        return [row | dict.fromkeys((*_BAR, "vw"), price)]
    return [row | {"bp": round(price - 0.01, 4), "ap": round(price + 0.01, 4)}]


def _spike(feed: Feed, row: Row) -> list[Row]:
    factor = feed.standing.rule.factor
    if "h" not in row:
        return [row]
    close = round(row["c"] * factor, 2)
    return [row | {"h": max(row["h"], close), "l": min(row["l"], close), "c": close}]


def _stale(feed: Feed, row: Row) -> list[Row]:
    if "o" in row:
        return [row]
    age = timedelta(seconds=feed.standing.rule.seconds or _STALE_SECONDS)
    return [row | {"t": _stamp(datetime.fromisoformat(row["t"]) - age)}]


def _naive(_feed: Feed, row: Row) -> list[Row]:
    return [row | {"t": row["t"].removesuffix("Z")}]


def _disorder(feed: Feed, rows: list[Row]) -> list[Row]:
    """Return the rows of the window newest first, where the window began."""
    struck = [row for row in rows if feed.concerns(row)]
    fine = [row for row in rows if row not in struck]
    return fine + struck[::-1]


def _partial(feed: Feed, rows: list[Row]) -> list[Row]:
    """Return the rows with the newest as it was a moment after it began."""
    if not rows or "o" not in rows[-1] or not feed.concerns(rows[-1]):
        return rows
    newest = rows[-1]
    first = {"h": newest["o"], "l": newest["o"], "c": newest["o"], "v": newest["v"] // 10}
    return [*rows[:-1], newest | first]


def _unclosed(feed: Feed, rows: list[Row]) -> list[Row]:
    """Return the rows and one that has begun and not ended."""
    if not rows or "o" not in rows[-1]:
        return rows
    began = feed.engine.now // SECOND_US // MINUTE * MINUTE
    price = rows[-1]["c"]
    row = rows[-1] | dict.fromkeys((*_BAR, "vw"), price)
    row |= {"t": str(moment(began * SECOND_US)), "v": 1, "n": 1}
    return [*rows, row] if feed.concerns(row) and row["t"] > rows[-1]["t"] else rows


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


_EACH: dict[str, Callable[[Feed, Row], list[Row]]] = {
    "data_nan": lambda _feed, row: _one(row, math.nan),
    "data_null": lambda _feed, row: _one(row, None),
    "data_zero": lambda _feed, row: _with(row, lambda _price: 0),
    "data_negative": lambda _feed, row: _with(row, lambda price: -price),
    "data_crossed": _crossed,
    "data_duplicate": lambda _feed, row: [row, row],
    "data_conflict": _conflict,
    "data_missing": lambda _feed, _row: [],
    "data_frozen": _frozen,
    "data_spike": _spike,
    "data_stale": _stale,
    "data_naive": _naive,
}
"""Kinds that look at one row."""

_WHOLE: dict[str, Callable[[Feed, list[Row]], list[Row]]] = {
    "data_disorder": _disorder,
    "data_partial": _partial,
    "data_unclosed": _unclosed,
}
"""Kinds that look at all rows of a symbol."""
