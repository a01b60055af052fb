"""From a request body to a :class:`Ticket`: everything that can be checked without the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from pipeline.domain.money import PRICE_SCALE, QTY_SCALE, to_price, to_qty
from pipeline.domain.rules.fills import BUY, SELL
from pipeline.exchange.orders import Order, Ticket, invalid

SIDES = {"buy": BUY, "sell": SELL}
KINDS: dict[str, tuple[str, ...]] = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
}
"""Order types and the prices each needs."""

CLASSES = ("simple", "bracket", "oco", "oto")
LONGEST_CLIENT_ID = 128
_CENT = PRICE_SCALE // 100


def parse_ticket(body: Mapping[str, Any]) -> Ticket:
    """Return the ticket in the body of ``POST /v2/orders``.

    Raises:
        Refused: 422, in Alpaca's words.
    """
    legs = {name: _object(body, name) for name in ("take_profit", "stop_loss")}
    ticket = Ticket(
        symbol=_word(body, "symbol"),
        side=SIDES[_choice(body, "side", SIDES)],
        kind=_choice(body, "type", KINDS),
        time_in_force=_time_in_force(body, ""),
        qty=_qty(body),
        limit=_price(body, "limit_price"),
        stop=_price(body, "stop_price"),
        order_class=_choice({"order_class": body.get("order_class") or "simple"}, "order_class", CLASSES),
        client_order_id=_client_id(body),
        extended_hours=bool(body.get("extended_hours")),
        take_profit=_price(legs["take_profit"], "limit_price"),
        stop_loss=_price(legs["stop_loss"], "stop_price"),
        stop_loss_limit=_price(legs["stop_loss"], "limit_price"),
    )
    if ticket.order_class == "oco" and not ticket.limit:
        ticket = replace(ticket, limit=ticket.take_profit)
    check_ticket(ticket)
    return ticket


def check_ticket(ticket: Ticket) -> None:
    """Check that the fields fit together.

    Raises:
        Refused: 422, in Alpaca's words.
    """
    _check_prices(ticket)
    _check_class(ticket)
    if ticket.qty % QTY_SCALE and ticket.time_in_force != "day":
        raise invalid("fractional orders must be DAY orders")
    if ticket.qty % QTY_SCALE and ticket.order_class != "simple":
        raise invalid("fractional orders must be simple orders")
    if ticket.extended_hours and ticket.kind != "limit":
        raise invalid("extended hours order must be limit orders")


def parse_changes(order: Order, body: Mapping[str, Any]) -> Ticket:
    """Return the ticket of the order that replaces ``order``, as asked by ``PATCH /v2/orders/{id}``.

    Raises:
        Refused: 422, in Alpaca's words.
    """
    old = order.ticket
    ticket = replace(
        old,
        qty=old.qty if body.get("qty") is None else _qty(body),
        time_in_force=_time_in_force(body, old.time_in_force),
        limit=_price(body, "limit_price") or old.limit,
        stop=_price(body, "stop_price") or old.stop,
        client_order_id=_client_id(body),
    )
    if body.get("trail") is not None:
        raise invalid("trail can only be changed for trailing stop orders")
    if replace(ticket, client_order_id=old.client_order_id) == old:
        raise invalid("order parameters are not changed")
    if ticket.qty <= order.filled:
        raise invalid("qty must be > filled_qty")
    if order.parent:
        _check_prices(ticket)
    else:
        check_ticket(ticket)
    return ticket


def _time_in_force(body: Mapping[str, Any], default: str) -> str:
    value = {"time_in_force": body.get("time_in_force") or default}
    return _choice(value, "time_in_force", ("day", "gtc"))


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, Mapping):
        raise invalid(f"{name} must be an object")
    return value


def _word(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"{name} is required")
    return value


def _choice(body: Mapping[str, Any], name: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> str:
    value = _word(body, name)
    if value not in allowed:
        raise invalid(f"invalid {name}: {value} (this exchange knows {', '.join(allowed)})")
    return value


def _client_id(body: Mapping[str, Any]) -> str:
    value = body.get("client_order_id") or ""
    if not isinstance(value, str) or len(value) > LONGEST_CLIENT_ID:
        raise invalid(f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")
    return value


def _decimal(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise invalid(f"invalid {name} {value}") from error
    if isinstance(value, bool) or not number.is_finite():
        raise invalid(f"invalid {name} {value}")
    return number


def _qty(body: Mapping[str, Any]) -> int:
    if body.get("notional") is not None:
        raise invalid("notional orders are not supported by the rehearsal exchange; send qty")
    number = _decimal(body, "qty")
    if number is None:
        raise invalid("qty or notional is required")
    if number <= 0:
        raise invalid("qty must be > 0")
    if number.scaleb(9) % 1:
        raise invalid("qty increments can be no smaller than 0.000000001")
    return to_qty(number)


def _price(body: Mapping[str, Any], name: str) -> int:
    """Return a price, 0 when absent. Source of the increments: SEC rule 612, as Alpaca applies it."""
    number = _decimal(body, name)
    if number is None:
        return 0
    if number <= 0:
        raise invalid(f"{name} must be > 0")
    if number.scaleb(2 if number >= 1 else 4) % 1:
        raise invalid(
            f"invalid {name} {number}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return to_price(number)


def _check_prices(ticket: Ticket) -> None:
    given = {"limit_price": ticket.limit, "stop_price": ticket.stop}
    for name, value in given.items():
        if name in KINDS[ticket.kind] and not value:
            raise invalid(f"{ticket.kind} orders require {name.replace('_', ' ')}")
        if name not in KINDS[ticket.kind] and value:
            raise invalid(f"{ticket.kind} orders must not have {name}")


def _check_class(ticket: Ticket) -> None:
    """Check the legs. Source: Alpaca's documentation of bracket, OCO and OTO orders."""
    kind, profit, loss = ticket.order_class, ticket.take_profit, ticket.stop_loss
    if kind == "simple":
        if profit or loss:
            raise invalid("simple orders must not have take_profit or stop_loss")
        return
    if kind in ("bracket", "oco") and not profit:
        raise invalid(f"{kind} orders require take_profit.limit_price")
    if kind in ("bracket", "oco") and not loss:
        raise invalid(f"{kind} orders require stop_loss.stop_price")
    if kind == "oto" and bool(profit) == bool(loss):
        raise invalid("oto orders require exactly one of take_profit and stop_loss")
    if kind == "oco" and (ticket.kind != "limit" or ticket.buys):
        raise invalid("oco orders must be exit orders of type limit")
    if kind != "oco" and not ticket.buys:
        raise invalid(f"{kind} orders must be entry orders")
    if profit and loss and profit < loss + _CENT:
        raise invalid("take_profit.limit_price must be >= stop_loss.stop_price + 0.01")
    if loss and ticket.limit and kind != "oco" and loss > ticket.limit - _CENT:
        raise invalid("stop_loss.stop_price must be <= base_price - 0.01")
