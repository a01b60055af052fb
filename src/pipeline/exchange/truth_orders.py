"""Changes of orders and executions that nobody asked for through our API key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.domain.money import notional, qty_decimal, to_price, to_qty
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.conditions import CANCEL_MODES, NORMAL, CancelMode
from pipeline.exchange.engine import Engine
from pipeline.exchange.fields import Fields, fraction, one_of, positive, text, whole
from pipeline.exchange.intake import parse_ticket
from pipeline.exchange.orders import FINAL, Fill, Order, forbidden, invalid, not_found
from pipeline.exchange.truth_money import Act, Outcome
from pipeline.exchange.wire import plain


def _trade(fields: Fields) -> Act:
    symbol, side = fields.take("symbol", text), fields.take("side", one_of("buy", "sell"))
    qty, price = fields.take("qty", positive(to_qty, 1)), fields.maybe("price", positive(to_price, 1))

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        at_price = price or engine.price(symbol)
        body = {"symbol": symbol, "side": side, "qty": plain(qty_decimal(qty)), "type": "market"}
        ticket = parse_ticket(body | {"time_in_force": "day"})
        if ticket.buys and notional(at_price, qty) > engine.book.ledger.cash:
            raise forbidden("insufficient buying power")
        if not ticket.buys and qty > engine.book.available(symbol):
            raise forbidden(f"insufficient qty available for a manual sale of {symbol}")
        order = engine.book.enter(ticket, "new", engine.now, engine.expiry("day"))
        return _fill(engine, order, at_price, qty)

    return act


def _order(fields: Fields) -> Act:
    body = fields.take("body", dict)
    return lambda engine: _ids(engine.submit(body))


def _cancel(fields: Fields) -> Act:
    key = fields.take("order", text)
    return lambda engine: _ids(engine.cancel(_find(engine, key).id))


def _replace(fields: Fields) -> Act:
    key, body = fields.take("order", text), fields.take("body", dict)
    return lambda engine: _ids(engine.replace(_find(engine, key).id, body))


def _end_cancel(fields: Fields) -> Act:
    """Read the end of a cancel that was stuck."""
    key = fields.take("order", text)

    def act(engine: Engine) -> Outcome:
        order = _find(engine, key)
        if order.status == "pending_cancel":
            engine.book.end(order, "canceled", engine.now)
        return _ids(order)

    return act


def _force(fields: Fields) -> Act:
    key = fields.take("order", text)
    qty, price = fields.maybe("qty", positive(to_qty, 1)), fields.maybe("price", positive(to_price, 1))

    def act(engine: Engine) -> Outcome:
        order = _find(engine, key)
        amount = qty or order.remaining
        if amount <= 0:
            raise invalid("nothing remains of the order: give the qty to fill beyond it")
        if not order.ticket.buys and amount > engine.book.ledger.quantity(order.ticket.symbol):
            raise invalid(f"the account would be short {order.ticket.symbol}: it holds less than that")
        return _fill(engine, order, price or engine.price(order.ticket.symbol), amount)

    return act


def _status(fields: Fields) -> Act:
    key, status = fields.take("order", text), fields.take("status", text)
    if status in ("filled", "partially_filled", "replaced"):
        raise invalid(f"status = '{status}': comes of 'fill' or 'replace_order'; use that")

    def act(engine: Engine) -> Outcome:
        order = _find(engine, key)
        if not order.is_open:
            raise invalid(f'order is already in "{order.status}" state')
        if status in FINAL - {"rejected"}:
            engine.book.end(order, status, engine.now)
        else:
            changed = engine.book.registry.put(replace(order, status=status, updated=engine.now))
            engine.book.log(status, engine.now, changed)
        return _ids(order)

    return act


def _cancels(fields: Fields) -> Act:
    mode = CancelMode(
        mode=fields.take("mode", one_of(*CANCEL_MODES), NORMAL),
        delay=round(fields.take("seconds", fraction(0.0, 10**7), 0.0) * SECOND_US),
        left=fields.take("count", whole(0, 10**9), 0),
        symbol=fields.take("symbol", text, ""),
    )

    def act(engine: Engine) -> Outcome:
        engine.conditions.cancels = mode
        return {}

    return act


def _bust(fields: Fields) -> Act:
    key = fields.take("execution", text, "")

    def act(engine: Engine) -> Outcome:
        fill = _execution(engine, key)
        engine.book.ledger.unbook(fill, engine.now)
        engine.book.fills.remove(fill)
        order = engine.book.registry.get(fill.order_id)
        engine.book.log("trade_bust", engine.now, order, fill)
        return _ids(order) | {"execution_id": fill.id}

    return act


def _correct(fields: Fields) -> Act:
    key = fields.take("execution", text, "")
    qty, price = fields.maybe("qty", positive(to_qty, 1)), fields.maybe("price", positive(to_price, 1))
    if qty is None and price is None:
        raise invalid("qty and price are missing: give what is corrected")

    def act(engine: Engine) -> Outcome:
        book, old = engine.book, _execution(engine, key)
        order = book.registry.get(old.order_id)
        before = replace(order, filled=order.filled - old.qty, value=order.value - old.price * old.qty)
        new = book.execution(before, price or old.price, qty or old.qty, engine.now)
        book.ledger.unbook(old, engine.now)
        book.ledger.book(new)
        book.fills.remove(old)
        book.fills.append(new)
        value = before.value + new.price * new.qty
        order = book.registry.put(replace(before, filled=new.cumulative, value=value, updated=engine.now))
        book.log("trade_correct", engine.now, order, new)
        return _ids(order) | {"execution_id": new.id}

    return act


def _execution(engine: Engine, key: str) -> Fill:
    """Return an execution, by default the newest, whose shares are still what they were."""
    fills = engine.book.fills
    fill = next((f for f in reversed(fills) if key in ("", f.id)), None)
    if fill is None:
        raise not_found(f"execution not found for {key or 'the newest: nothing was executed'}")
    if any(s == fill.symbol and r.at > fill.at for s, r in engine.tape.altered.splits()):
        raise invalid(f"{fill.symbol} was split since: the execution names other shares")
    return fill


def _fill(engine: Engine, order: Order, price: int, qty: int) -> Outcome:
    engine.book.fill(order, price, qty, engine.now)
    return _ids(order) | {"execution_id": engine.book.fills[-1].id}


def _ids(order: Order) -> dict[str, Any]:
    return {"order_id": order.id, "client_order_id": order.ticket.client_order_id}


def _find(engine: Engine, key: str) -> Order:
    registry = engine.book.registry
    return registry.get(registry.by_client.get(key, key))


READERS: dict[str, Callable[[Fields], Act]] = {
    "trade": _trade,
    "order": _order,
    "cancel_order": _cancel,
    "replace_order": _replace,
    "end_cancel": _end_cancel,
    "fill": _force,
    "set_status": _status,
    "cancels": _cancels,
    "bust": _bust,
    "correct": _correct,
}
