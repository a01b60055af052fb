"""Records that move money or shares, as rows. The order of a row's values is that of its table's columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime

from pipeline.adapters.duckdb_store.carried import Carried, Row
from pipeline.adapters.duckdb_store.trips import Leg
from pipeline.domain.codec import decode
from pipeline.domain.journal import Record
from pipeline.domain.money import money_decimal, notional, price_decimal, qty_decimal
from pipeline.domain.orders import Fill
from pipeline.domain.pnl import DEPOSITS, Explained, Explanation
from pipeline.domain.portfolio import CashActivity, Position


def opening_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """What the account held when the ledger began."""
    yield "openings", (record.seq, record.at, carried.session, money_decimal(record.data["cash"]))
    held = {symbol: decode(Position, raw) for symbol, raw in record.data["positions"].items()}
    for leg in carried.book.hold(held, record.at):
        yield _position_change(record.seq, carried.session, leg)


def fill_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """An execution of our own order, and what it does to the position."""
    fill = decode(Fill, record.data)
    if not carried.is_new("fills", fill.id):
        return
    day = carried.session_at(fill.at)
    whose = (fill.id, fill.order_id, fill.intent_id or None)
    yield "fills", (record.seq, record.at, fill.at, day, *whose, *_traded(fill))
    for leg in carried.book.book(fill):
        yield _position_change(record.seq, day, leg)


def _traded(fill: Fill) -> tuple[object, ...]:
    value = money_decimal(notional(fill.price, fill.quantity))
    return fill.symbol, fill.side.value, qty_decimal(fill.quantity), price_decimal(fill.price), value


def external_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """An execution of an order that is not ours: kept apart until it is adopted."""
    fill = decode(Fill, record.data)
    if carried.is_new("external_fills", fill.id):
        at = (record.seq, record.at, fill.at, carried.session_at(fill.at))
        yield "external_fills", (*at, fill.id, fill.order_id, *_traded(fill))


def adopted_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """What a person made ours, and the position after it."""
    data = record.data
    moved = (qty_decimal(data["quantity"]), money_decimal(data["cost"]), money_decimal(data["cash"]))
    said = (data["symbol"], *moved, data["by"], data["reason"])
    yield "adoptions", (record.seq, record.at, carried.session, *said)
    if data["quantity"]:
        theirs = Position(data["symbol"], data["quantity"], data["cost"], record.at)
        for leg in carried.book.adopt(theirs, record.at):
            yield _position_change(record.seq, carried.session, leg)


def balanced_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """What a person set the ledger to, and the position after it."""
    data = record.data
    held = (qty_decimal(data["quantity"]), money_decimal(data["cost"]), money_decimal(data["cash"]))
    said = (data["symbol"], *held, money_decimal(data["residual"]), data["by"], data["reason"])
    yield "balances", (record.seq, record.at, carried.session, *said)
    if data["symbol"]:
        for leg in carried.book.balance(data["symbol"], data["quantity"], data["cost"], record.at):
            yield _position_change(record.seq, carried.session, leg)


def bust_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """An execution that the broker took back, and the position without it."""
    data, fill = record.data, decode(Fill, record.data["fill"])
    if not carried.is_new("busts", fill.id):
        return
    day, money = carried.session, money_decimal(data["realized"])
    yield (
        "busts",
        (record.seq, record.at, day, fill.id, *_traded(fill), money, data["external"], data["reason"]),
    )
    if not data["external"] and not data.get("unbooked"):
        yield _position_change(record.seq, day, carried.book.bust(fill, data["realized"], record.at))


def split_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """Shares counted anew, and the position in new ones."""
    data = record.data
    if not carried.is_new("splits", data["activity_id"]):
        return
    at, ratio = datetime.fromisoformat(data["at"]), (data["numerator"], data["denominator"])
    yield (
        "splits",
        (record.seq, record.at, at, carried.session, data["activity_id"], data["symbol"], *ratio),
    )
    for leg in carried.book.split(data["symbol"], ratio, record.at) if data.get("rescale", True) else ():
        yield _position_change(record.seq, carried.session, leg)


def _position_change(seq: int, day: date | None, leg: Leg) -> Row:
    fill_id, intent_id = (None, None) if leg.fill is None else (leg.fill.id, leg.fill.intent_id or None)
    traded = (qty_decimal(leg.traded), price_decimal(leg.price), money_decimal(leg.value))
    after = (qty_decimal(leg.quantity), money_decimal(leg.cost), money_decimal(leg.realized), leg.opened_at)
    cause = leg.cause or None
    head = (seq, leg.number, leg.at, day, leg.symbol, leg.trip, fill_id, intent_id)
    return "position_changes", (*head, *traded, *after, cause)


def cash_rows(carried: Carried, record: Record) -> Iterator[Row]:
    """Money that moved other than by an execution."""
    moved = decode(CashActivity, record.data)
    if not carried.is_new("cash_flows", moved.id):
        return
    day = carried.session_of_day(moved.at.astimezone(UTC).date())
    said = (moved.id, moved.kind, money_decimal(moved.amount), moved.description, moved.kind in DEPOSITS)
    yield "cash_flows", (record.seq, record.at, moved.at, day, *said)


def explained_row(day: date | None, record: Record) -> Row:
    """Return where a session's change of equity came from, as a reconciliation found it."""
    told = decode(Explanation, record.data)
    sources = (getattr(told.explained, source.name) for source in fields(Explained))
    amounts = (told.equity, told.change, told.deposits, *sources, told.residual)
    return "explanations", (record.seq, record.at, day, *map(money_decimal, amounts))
