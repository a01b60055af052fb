"""Alpaca's market-data REST (``/v2/stocks/…``): only what has happened at virtual now."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.corporate import list_actions
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Refused, not_found
from pipeline.exchange.queries import exchange_of, parse_count, parse_instant
from pipeline.exchange.series import Row, Span, bar_rows, latest, latest_days, quote_rows, trade_rows

DEFAULT_ROWS, MOST_ROWS = 1_000, 10_000
_TIMEFRAME = re.compile(r"^(\d+)(T|Min|H|Hour|D|Day)$")
_UNIT_SECONDS = {"T": 60, "Min": 60, "H": 3600, "Hour": 3600, "D": 86_400, "Day": 86_400}
_MOST = {60: 59, 3600: 23, 86_400: 1}

_ROWS = {"quotes": quote_rows, "trades": trade_rows}


async def get_bars(request: Request) -> Response:
    """Answer ``GET /v2/stocks/bars``."""
    seconds = _timeframe(request.query_params.get("timeframe", ""))
    adjusted = request.query_params.get("adjustment", "raw") in ("split", "all")
    return _page(request, "bars", partial(bar_rows, seconds=seconds, adjusted=adjusted))


async def get_ticks(request: Request) -> Response:
    """Answer ``GET /v2/stocks/quotes`` and ``…/trades``: one a minute, at its end."""
    kind = request.path_params["kind"]
    if kind not in _ROWS:
        raise not_found("endpoint not found.")
    return _page(request, kind, _ROWS[kind])


async def get_latest(request: Request) -> Response:
    """Answer ``GET /v2/stocks/{bars,quotes,trades}/latest``."""
    kind = request.path_params["kind"]
    if kind != "bars" and kind not in _ROWS:
        raise not_found("endpoint not found.")
    key = kind.removesuffix("s")
    engine = exchange_of(request).engine
    known = {symbol: latest(engine, symbol) for symbol in _symbols(request.query_params)}
    return JSONResponse({kind: {s: found[key] for s, found in known.items() if found and found[key]}})


async def get_snapshots(request: Request) -> Response:
    """Answer ``GET /v2/stocks/snapshots``."""
    engine = exchange_of(request).engine
    known = {symbol: latest(engine, symbol) for symbol in _symbols(request.query_params)}
    rows = {}
    for symbol, found in known.items():
        if found:
            day, previous = latest_days(engine, symbol)
            parts = {"latestTrade": found["trade"], "latestQuote": found["quote"], "minuteBar": found["bar"]}
            parts |= {"dailyBar": day, "prevDailyBar": previous}
            rows[symbol] = {name: part for name, part in parts.items() if part}
    return JSONResponse(rows)


async def get_news(_request: Request) -> Response:
    """Answer ``GET /v1beta1/news``: no news."""
    return JSONResponse({"news": [], "next_page_token": None})


async def get_corporate_actions(request: Request) -> Response:
    """Answer ``GET /v1/corporate-actions``: the splits and dividends of the control port."""
    return JSONResponse(list_actions(exchange_of(request).engine, request.query_params))


def _page(request: Request, kind: str, rows_of: Any) -> Response:
    """Return one page: symbols in order, ``limit`` counted over all of them, as Alpaca does."""
    query, engine = request.query_params, exchange_of(request).engine
    limit = parse_count(query.get("limit"), DEFAULT_ROWS, MOST_ROWS)
    at_symbol, at_time = _token(query.get("page_token"))
    descending = query.get("sort") == "desc"
    span = _span(engine, query)
    found: dict[str, list[Row]] = {}
    token = None
    for symbol in sorted(_symbols(query)):
        if symbol < at_symbol:
            continue
        rows = rows_of(engine, symbol, span)
        rows = rows[::-1] if descending else rows
        if symbol == at_symbol:
            rows = [row for row in rows if (row[0] < at_time if descending else row[0] > at_time)]
        taken = rows[: limit - sum(map(len, found.values()))]
        if taken:
            found[symbol] = taken
        if len(taken) < len(rows):
            last = taken[-1][0] if taken else (2**62 if descending else -1)
            token = urlsafe_b64encode(f"{symbol}|{last}".encode()).decode()
            break
    return _render(kind, found, token)


def _render(kind: str, found: Mapping[str, list[Row]], token: str | None) -> Response:
    """Join rows that are JSON already: 10,000 bars cost 3 ms instead of 60."""
    symbols = ",".join(f'"{s}":[{",".join(text for _, text in rows)}]' for s, rows in found.items())
    after = f'"{token}"' if token else "null"
    return Response(f'{{"{kind}":{{{symbols}}},"next_page_token":{after}}}', media_type="application/json")


def _symbols(query: Mapping[str, str]) -> list[str]:
    symbols = [symbol for symbol in query.get("symbols", "").split(",") if symbol]
    if not symbols:
        raise Refused(400, 40010001, "symbols is required")
    return symbols


def _span(engine: Engine, query: Mapping[str, str]) -> Span:
    """Return the asked time: from today's midnight (UTC) and to now by default, both ends inclusive."""
    midnight = engine.now - engine.now % (86_400 * SECOND_US)
    start, end = parse_instant(query.get("start"), midnight), parse_instant(query.get("end"), engine.now)
    return Span(-(-start // SECOND_US), min(end // SECOND_US, engine.now // SECOND_US))


def _token(value: str | None) -> tuple[str, int]:
    if not value:
        return "", -1
    try:
        symbol, _, at = urlsafe_b64decode(value.encode()).decode().partition("|")
        return symbol, int(at)
    except ValueError as error:
        raise Refused(400, 40010001, "invalid page_token") from error


def _timeframe(value: str) -> int:
    """Return a timeframe's length in seconds. Raises Refused (400)."""
    found = _TIMEFRAME.match(value)
    unit = _UNIT_SECONDS[found[2]] if found else 0
    if not found or not 1 <= int(found[1]) <= _MOST[unit]:
        raise Refused(400, 40010001, f"invalid timeframe: {value}")
    return int(found[1]) * unit


ROUTES = [
    Route("/v2/stocks/bars", get_bars),
    Route("/v2/stocks/snapshots", get_snapshots),
    Route("/v2/stocks/{kind}/latest", get_latest),
    Route("/v2/stocks/{kind}", get_ticks),
    Route("/v1beta1/news", get_news),
    Route("/v1/corporate-actions", get_corporate_actions),
]
