"""What comes in with a request: bodies, flags, times, and the filters of the order list."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request

from pipeline.domain.money import to_qty
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import Order, Refused, Registry, invalid, to_instant

DEFAULT_ORDERS, MOST_ORDERS = 50, 500


def exchange_of(request: Request) -> Exchange:
    """Return the exchange the application serves."""
    exchange = request.app.state.exchange
    if not isinstance(exchange, Exchange):
        raise TypeError("the application serves no exchange")
    return exchange


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises Refused (400)."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refused(400, 40010000, "request body format is invalid") from error
    if not isinstance(body, dict):
        raise Refused(400, 40010000, "request body format is invalid")
    return body


def truthy(value: str | None) -> bool:
    """Tell whether a flag is set; alpaca-py sends ``True`` with a capital."""
    return value is not None and value.lower() == "true"


def parse_instant(value: str | None, default: int) -> int:
    """Return a time parameter as microseconds: RFC 3339, or a date; naive is UTC. Raises Refused."""
    if not value:
        return default
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError as error:
        raise invalid(f"invalid time {value}: use RFC 3339, as in 2026-11-20T14:30:00Z") from error
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def parse_day(value: str | None, default: date) -> date:
    """Return a date parameter. Raises Refused."""
    if not value:
        return default
    try:
        return datetime.fromisoformat(value.replace(" ", "+")).date()
    except ValueError as error:
        raise invalid(f"invalid date {value}: use YYYY-MM-DD") from error


def parse_count(value: str | None, default: int, most: int) -> int:
    """Return a size parameter between 1 and ``most``. Raises Refused."""
    if not value:
        return default
    if not value.isdigit() or not 1 <= int(value) <= most:
        raise invalid(f"limit must be between 1 and {most}")
    return int(value)


def parse_qty(value: str) -> int:
    """Return a number parameter as quantity units. Raises Refused."""
    try:
        return to_qty(value)
    except ValueError as error:
        raise invalid(f"invalid number {value}") from error


def list_orders(registry: Registry, query: Mapping[str, str], nested: bool) -> list[Order]:
    """Return the orders that the parameters of ``GET /v2/orders`` ask for.

    Legs are listed on their own unless ``nested``. ``after`` and ``until`` bound the time of
    submission, exclusively and inclusively; ``after_order_id`` and ``before_order_id`` likewise.
    """
    chosen = _filter(query)
    newest_first = query.get("direction", "desc") != "asc"
    wanted = [order for order in registry.orders.values() if chosen(order) and not (nested and order.parent)]
    for name, after in (("after_order_id", True), ("before_order_id", False)):
        if query.get(name):
            pivot = registry.get(query[name]).seq
            wanted = [o for o in wanted if (o.seq > pivot if after else o.seq < pivot)]
    wanted.sort(key=lambda o: (o.submitted, o.seq), reverse=newest_first)
    return wanted[: parse_count(query.get("limit"), DEFAULT_ORDERS, MOST_ORDERS)]


def _filter(query: Mapping[str, str]) -> Callable[[Order], bool]:
    status, side = query.get("status") or "open", query.get("side")
    if status not in ("open", "closed", "all"):
        raise invalid(f"invalid status {status}: use open, closed or all")
    symbols = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
    after, until = parse_instant(query.get("after"), -1), parse_instant(query.get("until"), 2**62)

    def chosen(order: Order) -> bool:
        return (
            (status == "all" or order.is_open == (status == "open"))
            and (not symbols or order.ticket.symbol in symbols)
            and (not side or (side == "buy") == order.ticket.buys)
            and after < order.submitted <= until
        )

    return chosen
