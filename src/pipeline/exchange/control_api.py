"""The control port: moves virtual time and shows the exchange's own log. Not part of Alpaca's API."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.exchange import wire
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import invalid
from pipeline.exchange.queries import exchange_of, json_body, parse_instant

FASTEST = 10_000.0


async def get_clock(request: Request) -> Response:
    """Answer ``GET /clock``: virtual time."""
    return JSONResponse(_clock(exchange_of(request)))


async def post_clock(request: Request) -> Response:
    """Answer ``POST /clock {"to": instant}``; 409 when that is in the past, 200 when it is now."""
    exchange, body = exchange_of(request), await json_body(request)
    to = body.get("to")
    if not isinstance(to, str):
        raise invalid('to is required, as in {"to": "2026-11-20T14:30:00Z"}')
    exchange.advance(parse_instant(to, 0))
    return JSONResponse(_clock(exchange))


async def post_run(request: Request) -> Response:
    """Answer ``POST /clock/run {"speed": n}``: let virtual time flow n times as fast as real time."""
    exchange, body = exchange_of(request), await json_body(request)
    speed = body.get("speed", 1)
    if not isinstance(speed, int | float) or not (math.isfinite(speed) and 0 < speed <= FASTEST):
        raise invalid(f"speed must be above 0 and at most {FASTEST:.0f}")
    exchange.run(float(speed))
    return JSONResponse(_clock(exchange))


async def post_pause(request: Request) -> Response:
    """Answer ``POST /clock/pause``."""
    exchange_of(request).pause()
    return JSONResponse(_clock(exchange_of(request)))


async def get_status(request: Request) -> Response:
    """Answer ``GET /status``: time, the session that is open or next, how much there is of everything."""
    exchange = exchange_of(request)
    engine = exchange.engine
    session = engine.tape.table.sessions[engine.tape.session_index(engine.now)]
    return JSONResponse(
        _clock(exchange)
        | {
            "session": session.day.isoformat(),
            "account_number": engine.config.account.number,
            "symbols": sorted(engine.tape.profiles),
            "counts": {
                "orders": len(engine.book.registry.orders),
                "open_orders": len(engine.book.registry.open),
                "fills": len(engine.book.fills),
                "positions": len(engine.book.ledger.holdings),
                "events": len(engine.book.events),
            },
        }
    )


async def get_log(request: Request) -> Response:
    """Answer ``GET /log?after=seq``: every submission, fill, cancel, replacement, expiry and refusal."""
    after = request.query_params.get("after", "0")
    if not after.isdigit():
        raise invalid("after must be a sequence number")
    events = exchange_of(request).engine.book.events[int(after) :]
    return JSONResponse([wire.log_json(event) for event in events])


def _clock(exchange: Exchange) -> dict[str, Any]:
    engine = exchange.engine
    return {
        "now": wire.moment(engine.now),
        "is_open": engine.tape.is_open(engine.now),
        "running": exchange.running,
    }


ROUTES = [
    Route("/clock", get_clock),
    Route("/clock", post_clock, methods=["POST"]),
    Route("/clock/run", post_run, methods=["POST"]),
    Route("/clock/pause", post_pause, methods=["POST"]),
    Route("/status", get_status),
    Route("/log", get_log),
]
