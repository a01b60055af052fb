"""Executions by order, with the profit each took: the journal's fills, in the order of their booking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.cli.standing import part
from pipeline.domain.codec import decode
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.money import notional
from pipeline.domain.orders import Fill, Intent, Side
from pipeline.domain.portfolio import Position, apply_fill


@dataclass(frozen=True, slots=True)
class Execution:
    """One order's executions. Units: :mod:`pipeline.domain.rules`.

    Attributes:
        at: of the first; average: price paid; realized: profit taken before fees.
        purpose: why, "" for an order that is not ours; arrival: last close its decision saw, or None.
        slippage: money against the arrival price, negative is a cost; slippage_ppm: of the arrival price.
    """

    at: datetime
    symbol: str
    side: Side
    purpose: str
    quantity: int
    average: int
    realized: int
    arrival: int | None
    slippage: int | None
    slippage_ppm: int | None
    fills: int
    intent_id: str


@dataclass(slots=True)
class _Order:
    """An order's fills while they are gathered."""

    first: Fill
    quantity: int = 0
    value: int = 0
    realized: int = 0
    fills: int = 0

    def take(self, fill: Fill, realized: int) -> None:
        """Add one fill."""
        self.quantity += fill.quantity
        self.value += notional(fill.price, fill.quantity)
        self.realized += realized
        self.fills += 1


def executions(records: Iterable[Record], ledger: Ledger) -> tuple[Execution, ...]:
    """Return every order that was executed, oldest first."""
    positions: dict[str, Position] = {}
    orders: dict[str, _Order] = {}
    seen: set[str] = set()
    for record in records:
        if record.kind is Kind.OPENING:
            held = record.data["positions"].items()
            positions = {symbol: decode(Position, data) for symbol, data in held}
        if record.kind is not Kind.FILL or record.data["id"] in seen:
            continue
        fill = decode(Fill, record.data)
        seen.add(fill.id)
        booking = apply_fill(positions.pop(fill.symbol, None), fill)
        if booking.position is not None:
            positions[fill.symbol] = booking.position
        key = fill.intent_id or ledger.by_order.get(fill.order_id) or fill.order_id
        orders.setdefault(key, _Order(fill)).take(fill, booking.realized)
    return tuple(_execution(key, order, ledger) for key, order in orders.items())


def _execution(key: str, order: _Order, ledger: Ledger) -> Execution:
    life = ledger.lives.get(key)
    intent = None if life is None else life.intent
    slip = None if intent is None else _slippage(order, intent)
    return Execution(
        at=order.first.at,
        symbol=order.first.symbol,
        side=order.first.side,
        purpose="" if intent is None else intent.purpose.value,
        quantity=order.quantity,
        average=(order.value * 10_000_000 + order.quantity // 2) // order.quantity,
        realized=order.realized,
        arrival=None if intent is None else intent.decision_price,
        slippage=slip,
        slippage_ppm=None
        if intent is None or slip is None
        else part(slip, notional(intent.decision_price, order.quantity)),
        fills=order.fills,
        intent_id="" if intent is None else intent.id,
    )


def _slippage(order: _Order, intent: Intent) -> int:
    return (notional(intent.decision_price, order.quantity) - order.value) * intent.side.sign


def total_realized(found: Sequence[Execution]) -> int:
    """Return the profit taken by all of them, before fees."""
    return sum(one.realized for one in found)
