"""Changes of money and shares without an order: what the account's activities tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.domain.money import notional, to_money, to_price, to_qty
from pipeline.exchange.engine import Engine
from pipeline.exchange.fields import Fields, positive, text
from pipeline.exchange.ledger import Holding
from pipeline.exchange.orders import Activity
from pipeline.exchange.wire_activities import activity_id

Outcome = dict[str, Any]
Act = Callable[[Engine], Outcome]

_KINDS = {"deposit": ("CSD", 1), "withdrawal": ("CSW", -1), "fee": ("FEE", -1)}


def _cash(kind: str) -> Callable[[Fields], Act]:
    """Return the reader of a movement of cash whose direction is in its name."""
    code, sign = _KINDS[kind]

    def read(fields: Fields) -> Act:
        amount = fields.take("amount", positive(to_money, 1))
        said = fields.take("description", text, kind)
        return lambda engine: _note(engine, Activity("", engine.now, code, sign * amount, description=said))

    return read


def _interest(fields: Fields) -> Act:
    amount = fields.take("amount", to_money)
    return lambda engine: _note(engine, Activity("", engine.now, "INT", amount, description="interest"))


def _dividend(fields: Fields) -> Act:
    symbol, rate = fields.take("symbol", text), fields.take("per_share", positive(to_price, 1))

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        qty = engine.book.ledger.quantity(symbol)
        if not qty:
            return {}
        money = notional(rate, qty)
        return _note(
            engine, Activity("", engine.now, "DIV", money, symbol, qty, rate, f"cash dividend of {symbol}")
        )

    return act


def _activity(fields: Fields) -> Act:
    """Read a bare row, as of a spin-off, a name change or a transfer; its money moves."""
    kind, symbol = fields.take("type", text), fields.take("symbol", text, "")
    money, qty = fields.take("net_amount", to_money, 0), fields.take("qty", to_qty, 0)
    said = fields.take("description", text, "")
    return lambda engine: _note(engine, Activity("", engine.now, kind, money, symbol, qty, description=said))


def _position(fields: Fields) -> Act:
    symbol = fields.take("symbol", text)
    qty, cost = fields.take("qty", positive(to_qty, 0)), fields.take("cost", positive(to_money, 0), 0)

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        engine.book.ledger.put(symbol, Holding(qty, cost), engine.now)
        return {}

    return act


def _note(engine: Engine, activity: Activity) -> Outcome:
    noted = engine.book.add_activity(activity)
    return {"activity_id": activity_id(noted.at, noted.id)}


READERS: dict[str, Callable[[Fields], Act]] = {
    **{kind: _cash(kind) for kind in _KINDS},
    "interest": _interest,
    "dividend": _dividend,
    "activity": _activity,
    "position": _position,
}
