"""Corporate actions, announced as soon as they are planned: ``GET /v1/corporate-actions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.domain.money import price_decimal
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import to_datetime
from pipeline.exchange.queries import parse_day
from pipeline.exchange.truth_market import split_id

Json = dict[str, Any]

_CUSIP = "000000000"
"""The rehearsal's securities have no CUSIP; Alpaca's documents require one."""


def list_actions(engine: Engine, query: Mapping[str, str]) -> Json:
    """Return the asked actions by type, oldest first.

    Args:
        engine: the exchange's state.
        query: symbols and types, comma-separated; start (today by default) and end of their process
            dates, inclusive.

    Raises:
        Refused: a date that cannot be read.
    """
    symbols = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
    types = {name for name in query.get("types", "").split(",") if name}
    today = _day(engine, engine.now)
    start, end = parse_day(query.get("start"), today), parse_day(query.get("end"), date.max)
    found: dict[str, list[Json]] = {}
    for kind, row in sorted(_all(engine), key=lambda item: item[1]["process_date"]):
        wanted = (not symbols or row["symbol"] in symbols) and (not types or kind in types)
        if wanted and start.isoformat() <= row["process_date"] <= end.isoformat():
            found.setdefault(f"{kind}s", []).append(row)
    return {"corporate_actions": found, "next_page_token": None}


def _all(engine: Engine) -> Iterator[tuple[str, Json]]:
    for symbol, change in engine.tape.altered.splits():
        yield _split(engine, symbol, change.at, (change.denominator, change.numerator))
    for activity in engine.book.activities:
        if activity.kind == "DIV":
            rate = float(price_decimal(activity.per_share))
            yield _dividend(engine, activity.symbol, activity.at, (activity.id, rate))
    for at, number, body in engine.agenda:
        if body["kind"] == "split":
            yield _split(engine, body["symbol"], at, (body["new"], body.get("old", 1)))
        if body["kind"] == "dividend":
            name = split_id(body["symbol"], at, number, 0)
            yield _dividend(engine, body["symbol"], at, (name, float(body["per_share"])))


def _split(engine: Engine, symbol: str, at: int, rates: tuple[int, int]) -> tuple[str, Json]:
    new, old = rates
    row = _dated(engine, symbol, at, split_id(symbol, at, new, old)) | {"new_rate": new, "old_rate": old}
    if new > old:
        return "forward_split", row | {"cusip": _CUSIP}
    return "reverse_split", row | {"old_cusip": _CUSIP, "new_cusip": _CUSIP}


def _dividend(engine: Engine, symbol: str, at: int, paid: tuple[str, float]) -> tuple[str, Json]:
    name, rate = paid
    row = _dated(engine, symbol, at, name)
    return "cash_dividend", row | {"cusip": _CUSIP, "rate": rate, "special": False, "foreign": False}


def _dated(engine: Engine, symbol: str, at: int, name: str) -> Json:
    day = _day(engine, at)
    dates = {"process_date": day, "ex_date": day, "payable_date": day, "record_date": day - timedelta(days=1)}
    return {"id": name, "symbol": symbol} | {key: value.isoformat() for key, value in dates.items()}


def _day(engine: Engine, at: int) -> date:
    return to_datetime(at).astimezone(ZoneInfo(engine.tape.table.timezone)).date()
