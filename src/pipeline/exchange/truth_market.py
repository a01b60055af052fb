"""Changes of the market: splits, jumps, halts, an exchange that closes ahead of its time."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from pipeline.domain.money import PPM, to_ppm
from pipeline.exchange.alterations import EVERYTHING, Pause, Rescale
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.engine import Engine
from pipeline.exchange.fields import Fields, instant, positive, text, whole
from pipeline.exchange.ledger import Holding
from pipeline.exchange.orders import Activity, invalid, to_instant
from pipeline.exchange.truth_money import Act, Outcome
from pipeline.exchange.wire_activities import activity_id

_MOST = 1_000
"""Largest number of shares on either side of a split."""


def split_id(symbol: str, at: int, new: int, old: int) -> str:
    """Return the id of a split: of its announcement, and the key of its activity."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"split {symbol} {at} {new}:{old}"))


def split_name(symbol: str, new: int, old: int) -> str:
    """Return what people call it."""
    return f"{new}:{old} {'forward' if new > old else 'reverse'} split of {symbol}"


def _split(fields: Fields) -> Act:
    """Read a split. Open orders of the symbol are cancelled: they name prices of other shares."""
    symbol = fields.take("symbol", text)
    new, old = fields.take("new", whole(1, _MOST)), fields.take("old", whole(1, _MOST), 1)
    if new == old:
        raise invalid(f"{new}:{old} is no split: give another number of new or old shares")

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        book, now = engine.book, engine.now
        if any(name == symbol and change.at == now for name, change in engine.tape.altered.splits()):
            raise invalid(f"{symbol} was split at this instant already: its activity names it")
        for order in list(book.registry.open.values()):
            if order.ticket.symbol == symbol:
                book.end(order, "canceled", now)
        engine.tape.altered.rescale(symbol, Rescale(now, old, new, split=True))
        held = book.ledger.holdings.get(symbol)
        if held is None:
            return {}
        qty = held.qty * new // old
        book.ledger.put(symbol, Holding(qty, held.cost), now)
        name, said = split_id(symbol, now, new, old), split_name(symbol, new, old)
        book.add_activity(Activity(name, now, "SPLIT", 0, symbol, qty - held.qty, description=said))
        return {"activity_id": activity_id(now, name)}

    return act


def _shock(fields: Fields) -> Act:
    symbol, factor = fields.take("symbol", text), fields.take("factor", positive(to_ppm, 1))

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        engine.tape.altered.rescale(symbol, Rescale(engine.now, factor, PPM, split=False))
        return {}

    return act


def _halt(fields: Fields) -> Act:
    symbol, until = fields.take("symbol", text), fields.maybe("until", instant)

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        return _pause(engine, symbol, to_instant(until) if until else 0)

    return act


def _closure(fields: Fields) -> Act:
    until = fields.maybe("until", instant)
    return lambda engine: _pause(engine, EVERYTHING, to_instant(until) if until else 0)


def _pause(engine: Engine, symbol: str, until: int) -> Outcome:
    hours = engine.tape.hours(engine.tape.session_index(engine.now))
    end = until or (hours or (0, 0))[1] * SECOND_US
    if end <= engine.now:
        raise invalid("until must be after the change itself")
    engine.tape.altered.pause(Pause(symbol, engine.now, end))
    return {}


READERS: dict[str, Callable[[Fields], Act]] = {
    "split": _split,
    "shock": _shock,
    "halt_symbol": _halt,
    "closure": _closure,
}
