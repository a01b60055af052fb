"""Broker against ledger: what differs, and whether anything does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.money import money_decimal, qty_decimal
from pipeline.domain.orders import Order, OrderLife
from pipeline.domain.portfolio import BrokerPosition, Position

CASH_TOLERANCE = 10_000
"""One cent: brokers round cash to cents."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference. ``ledger`` and ``broker`` are shown to people; ``kind`` is stable.

    Kinds: position, cash, external_order, missing_order.
    """

    kind: str
    symbol: str
    ledger: str
    broker: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger holds, after every fill and fee the broker knows was booked."""

    cash: int
    positions: Mapping[str, Position]
    lives: Sequence[OrderLife]
    order_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What the broker holds at the same instant."""

    cash: int
    positions: Sequence[BrokerPosition]
    orders: Sequence[Order]


def compare(books: Books, statement: Statement) -> tuple[Discrepancy, ...]:
    """Return every difference; an empty tuple means that both agree."""
    return (*_positions(books, statement), *_cash(books, statement), *_orders(books, statement))


def _positions(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    for symbol, ours, theirs in _unequal(books, statement):
        if not _reachable(books, symbol, theirs - ours):
            shown = str(qty_decimal(ours)), str(qty_decimal(theirs))
            yield Discrepancy(
                "position", symbol, *shown, "the broker holds what the ledger does not, or less"
            )


def _unequal(books: Books, statement: Statement) -> Iterator[tuple[str, int, int]]:
    """Yield symbol, our quantity and theirs, where they differ."""
    held = {position.symbol: position.quantity for position in statement.positions}
    for symbol in sorted(set(books.positions) | set(held)):
        ours = books.positions[symbol].quantity if symbol in books.positions else 0
        if ours != held.get(symbol, 0):
            yield symbol, ours, held.get(symbol, 0)


def _reachable(books: Books, symbol: str, gap: int) -> bool:
    """Tell whether our own orders under way explain the gap: positions change before fills are listed."""
    moving = (life for life in books.lives if life.intent.symbol == symbol)
    reach = [life.intent.side.sign * life.unsettled for life in moving]
    return sum(each for each in reach if each < 0) <= gap <= sum(each for each in reach if each > 0)


def _cash(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    executing = any(life.filled > life.booked for life in books.lives)
    if executing or any(
        _reachable(books, symbol, theirs - ours) for symbol, ours, theirs in _unequal(books, statement)
    ):
        return  # cash moves with executions that are not listed yet; it is compared once they are
    if abs(books.cash - statement.cash) > CASH_TOLERANCE:
        ours, theirs = f"{money_decimal(books.cash):.2f}", f"{money_decimal(statement.cash):.2f}"
        yield Discrepancy("cash", "", ours, theirs, "cash moved that no fill, fee or deposit explains")


def _orders(books: Books, statement: Statement) -> Iterator[Discrepancy]:
    open_there = {order.client_id for order in statement.orders}
    ours = {life.intent.id for life in books.lives}
    for order in statement.orders:
        if order.client_id not in ours and order.id not in books.order_ids:
            yield Discrepancy(
                "external_order", order.symbol, "none", order.id, "an order that we did not make"
            )
    for life in books.lives:
        if life.order_id and life.state.at_broker and life.intent.id not in open_there:
            yield Discrepancy(
                "missing_order",
                life.intent.symbol,
                life.order_id,
                "none",
                "the broker does not list it as open",
            )
