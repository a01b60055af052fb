"""Executions by order, and what restated them, with the profit that the books say each took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.cli.standing import part
from pipeline.domain.codec import decode
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.money import notional
from pipeline.domain.orders import Fill, Intent, Side

ADOPTED, TAKEN_BACK = "adopted", "taken back"
"""In the place of a purpose: others' shares that became ours, and an execution that the broker took back."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One order's executions. Units: :mod:`pipeline.domain.rules`.

    Attributes:
        at: of the first; average: price paid; realized: profit taken before fees.
        purpose: why, "" for an order that is not ours; or ADOPTED, TAKEN_BACK: no order, but it moves profit.
        arrival: last close its decision saw, or None.
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
    """Return every order that was executed, and what restated them, oldest first, with the books' profit."""
    orders: dict[str, _Order] = {}
    restated: list[Execution] = []
    seen: set[str] = set()
    for record in records:
        if record.kind in (Kind.ADOPTED, Kind.BUST):
            restated += _restated(record, ledger)
        if record.kind is not Kind.FILL or record.data["id"] in seen:
            continue
        fill = decode(Fill, record.data)
        seen.add(fill.id)
        key = fill.intent_id or ledger.by_order.get(fill.order_id) or fill.order_id
        orders.setdefault(key, _Order(fill)).take(fill, ledger.realized[fill.id])
    ours = [_execution(key, order, ledger) for key, order in orders.items()]
    return tuple(sorted((*ours, *restated), key=lambda one: one.at))


def _restated(record: Record, ledger: Ledger) -> Iterator[Execution]:
    """Yield what an adoption or a bust did to our profit; nothing when it did nothing to our books."""
    data = record.data
    if record.seq not in ledger.restated:
        return
    if record.kind is Kind.BUST:
        fill = ledger.fills[data["fill_id"]]
        side, quantity, price, what = fill.side, fill.quantity, fill.price, TAKEN_BACK
        symbol = fill.symbol
    elif data["quantity"]:
        symbol, what, quantity = data["symbol"], ADOPTED, abs(data["quantity"])
        side = Side.BUY if data["quantity"] > 0 else Side.SELL
        price = _price(abs(data["cost"]), quantity)
    else:
        return
    profit = ledger.restated[record.seq]
    yield Execution(record.at, symbol, side, what, quantity, price, profit, None, None, None, 0, "")


def _price(value: int, quantity: int) -> int:
    return (value * 10_000_000 + quantity // 2) // quantity


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
        average=_price(order.value, order.quantity),
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
