"""Alpaca's trading REST (``/v2/…``) over an :class:`~pipeline.exchange.host.Exchange`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.domain.money import money_decimal, qty_decimal, to_qty
from pipeline.exchange import wire
from pipeline.exchange.activities import list_activities
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import Order, Refused, not_found
from pipeline.exchange.queries import exchange_of, json_body, list_orders, parse_day, parse_qty, truthy


async def get_account(request: Request) -> Response:
    """Answer ``GET /v2/account``."""
    return JSONResponse(wire.account_json(exchange_of(request).engine))


async def get_settings(request: Request) -> Response:
    """Answer ``GET /v2/account/configurations``."""
    return JSONResponse(exchange_of(request).engine.settings)


async def patch_settings(request: Request) -> Response:
    """Answer ``PATCH /v2/account/configurations``."""
    exchange = exchange_of(request)
    exchange.configure(await json_body(request))
    return JSONResponse(exchange.engine.settings)


async def get_history(request: Request) -> Response:
    """Answer ``GET /v2/account/portfolio/history``: one point a session, and one for now."""
    engine = exchange_of(request).engine
    base = engine.config.account.cash
    points = [*engine.closes, (engine.now, engine.equity())]
    equity = [float(money_decimal(value)) for _, value in points]
    gains = [float(money_decimal(value - base)) for _, value in points]
    return JSONResponse(
        {
            "timestamp": [at // SECOND_US for at, _ in points],
            "equity": equity,
            "profit_loss": gains,
            "profit_loss_pct": [gain / float(money_decimal(base)) if base else 0.0 for gain in gains],
            "base_value": float(money_decimal(base)),
            "base_value_asof": engine.config.first_session.isoformat(),
            "timeframe": "1D",
            "cashflow": {},
        }
    )


async def get_activities(request: Request) -> Response:
    """Answer ``GET /v2/account/activities`` and ``…/{activity_type}``."""
    kind = request.path_params.get("kind") or request.query_params.get("activity_types", "")
    return JSONResponse(list_activities(exchange_of(request).engine, kind, request.query_params))


async def get_clock(request: Request) -> Response:
    """Answer ``GET /v2/clock`` with virtual time."""
    return JSONResponse(wire.clock_json(exchange_of(request).engine))


async def get_calendar(request: Request) -> Response:
    """Answer ``GET /v2/calendar``."""
    table = exchange_of(request).engine.tape.table
    zone = ZoneInfo(table.timezone)
    start = parse_day(request.query_params.get("start"), date.min)
    end = parse_day(request.query_params.get("end"), date.max)
    days = zip(table.sessions, [*table.sessions[1:], table.sessions[-1]], strict=True)
    shut = exchange_of(request).engine.tape.is_shut
    rows = [
        wire.calendar_json(session, following, zone)
        for session, following in days
        if start <= session.day <= end and not shut(session)
    ]
    return JSONResponse(rows)


async def get_assets(request: Request) -> Response:
    """Answer ``GET /v2/assets``."""
    query = request.query_params
    none = query.get("status", "active") != "active" or query.get("asset_class", "us_equity") != "us_equity"
    profiles = () if none else exchange_of(request).engine.tape.profiles.values()
    listed = [p for p in profiles if query.get("exchange", p.listing) == p.listing]
    engine = exchange_of(request).engine
    return JSONResponse([wire.asset_json(engine, profile) for profile in listed])


async def get_asset(request: Request) -> Response:
    """Answer ``GET /v2/assets/{symbol or id}``."""
    profiles, key = exchange_of(request).engine.tape.profiles, request.path_params["key"]
    symbol = _symbol(key, profiles)
    if symbol not in profiles:
        raise not_found(f"asset not found for {key}")
    return JSONResponse(wire.asset_json(exchange_of(request).engine, profiles[symbol]))


async def get_orders(request: Request) -> Response:
    """Answer ``GET /v2/orders``."""
    engine, query = exchange_of(request).engine, request.query_params
    nested = truthy(query.get("nested"))
    orders = list_orders(engine.book.registry, query, nested)
    return JSONResponse([wire.order_json(engine, order, nested=nested) for order in orders])


async def post_order(request: Request) -> Response:
    """Answer ``POST /v2/orders``."""
    exchange = exchange_of(request)
    return _order(exchange, exchange.submit(await json_body(request)))


async def delete_orders(request: Request) -> Response:
    """Answer ``DELETE /v2/orders``: cancel everything."""
    return JSONResponse(_cancel_all(exchange_of(request)), status_code=207)


async def get_order(request: Request) -> Response:
    """Answer ``GET /v2/orders/{id}``."""
    engine = exchange_of(request).engine
    order = engine.book.registry.get(request.path_params["id"])
    nested = truthy(request.query_params.get("nested"))
    return JSONResponse(wire.order_json(engine, order, nested=nested))


async def get_order_by_client_id(request: Request) -> Response:
    """Answer ``GET /v2/orders:by_client_order_id``."""
    registry = exchange_of(request).engine.book.registry
    name = request.query_params.get("client_order_id", "")
    if name not in registry.by_client:
        raise not_found(f"order not found for {name}")
    return _order(exchange_of(request), registry.get(registry.by_client[name]))


async def patch_order(request: Request) -> Response:
    """Answer ``PATCH /v2/orders/{id}`` with the order that replaces it."""
    exchange = exchange_of(request)
    return _order(exchange, exchange.replace(request.path_params["id"], await json_body(request)))


async def delete_order(request: Request) -> Response:
    """Answer ``DELETE /v2/orders/{id}``."""
    exchange_of(request).cancel(request.path_params["id"])
    return Response(status_code=204)


async def get_positions(request: Request) -> Response:
    """Answer ``GET /v2/positions``."""
    engine = exchange_of(request).engine
    holdings = sorted(engine.book.ledger.holdings.items())
    return JSONResponse([wire.position_json(engine, symbol, holding) for symbol, holding in holdings])


async def get_position(request: Request) -> Response:
    """Answer ``GET /v2/positions/{symbol or id}``."""
    engine = exchange_of(request).engine
    symbol = _held(exchange_of(request), request.path_params["key"])
    return JSONResponse(wire.position_json(engine, symbol, engine.book.ledger.holdings[symbol]))


async def delete_position(request: Request) -> Response:
    """Answer ``DELETE /v2/positions/{symbol or id}`` with the order that closes it, or part of it."""
    exchange, query = exchange_of(request), request.query_params
    symbol = _held(exchange, request.path_params["key"])
    qty = exchange.engine.book.ledger.quantity(symbol)
    if "qty" in query:
        qty = parse_qty(query["qty"])
    elif "percentage" in query:
        qty = qty * parse_qty(query["percentage"]) // to_qty(100)
    return _order(exchange, exchange.submit(_close_body(symbol, qty)))


async def delete_positions(request: Request) -> Response:
    """Answer ``DELETE /v2/positions``: close everything, after cancelling when asked."""
    exchange = exchange_of(request)
    if truthy(request.query_params.get("cancel_orders")):
        _cancel_all(exchange)
    held = sorted(exchange.engine.book.ledger.holdings.items())
    rows = [_close_one(exchange, symbol, holding.qty) for symbol, holding in held]
    return JSONResponse(rows, status_code=207)


def _close_one(exchange: Exchange, symbol: str, qty: int) -> dict[str, Any]:
    try:
        order = exchange.submit(_close_body(symbol, qty))
    except Refused as refused:
        body = {"code": refused.code, "message": refused.message, **refused.details}
        return {"symbol": symbol, "status": refused.status, "body": body}
    return {"symbol": symbol, "status": 200, "body": wire.order_json(exchange.engine, order, nested=True)}


def _close_body(symbol: str, qty: int) -> dict[str, Any]:
    text = wire.plain(qty_decimal(qty))
    return {"symbol": symbol, "qty": text, "side": "sell", "type": "market", "time_in_force": "day"}


def _cancel_all(exchange: Exchange) -> list[dict[str, Any]]:
    """Cancel every open order and return the rows of the 207 answer, legs included."""
    registry = exchange.engine.book.registry
    rows = []
    for order_id in list(registry.open):
        status = 200
        try:
            if order_id in registry.open:
                exchange.cancel(order_id)
        except Refused as refused:
            status = refused.status
        rows.append({"id": order_id, "status": status})
    return rows


def _order(exchange: Exchange, order: Order) -> Response:
    return JSONResponse(wire.order_json(exchange.engine, order, nested=True))


def _held(exchange: Exchange, key: str) -> str:
    symbol = _symbol(key, exchange.engine.tape.profiles)
    if symbol not in exchange.engine.book.ledger.holdings:
        raise not_found("position does not exist")
    return symbol


def _symbol(key: str, symbols: Iterable[str]) -> str:
    """Return the symbol that ``key`` means: itself, or the one whose asset id it is."""
    return next((symbol for symbol in symbols if key in (symbol, wire.asset_id(symbol))), key)


ROUTES = [
    Route("/v2/account", get_account),
    Route("/v2/account/configurations", get_settings),
    Route("/v2/account/configurations", patch_settings, methods=["PATCH"]),
    Route("/v2/account/portfolio/history", get_history),
    Route("/v2/account/activities", get_activities),
    Route("/v2/account/activities/{kind}", get_activities),
    Route("/v2/clock", get_clock),
    Route("/v2/calendar", get_calendar),
    Route("/v2/assets", get_assets),
    Route("/v2/assets/{key}", get_asset),
    Route("/v2/orders", get_orders),
    Route("/v2/orders", post_order, methods=["POST"]),
    Route("/v2/orders", delete_orders, methods=["DELETE"]),
    Route("/v2/orders:by_client_order_id", get_order_by_client_id),
    Route("/v2/orders/{id}", get_order),
    Route("/v2/orders/{id}", patch_order, methods=["PATCH"]),
    Route("/v2/orders/{id}", delete_order, methods=["DELETE"]),
    Route("/v2/positions", get_positions),
    Route("/v2/positions", delete_positions, methods=["DELETE"]),
    Route("/v2/positions/{key}", get_position),
    Route("/v2/positions/{key}", delete_position, methods=["DELETE"]),
]
