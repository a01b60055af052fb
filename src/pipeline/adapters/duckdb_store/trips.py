"""What fills do to positions, leg by leg: average cost, round trips from flat to flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline.domain.money import notional
from pipeline.domain.orders import Fill
from pipeline.domain.portfolio import Position, apply_fill


@dataclass(frozen=True, slots=True)
class Leg:
    """One change of one position. Units: :mod:`pipeline.domain.rules`.

    Attributes:
        number: 0, or 1 for the opening half of a fill that crosses zero.
        trip: 1, 2, … per symbol.
        fill: what changed it; None when the account simply held it.
        traded, price: signed, and at what price.
        quantity, cost: after it, signed; 0 when flat.
        realized: profit before fees.
    """

    number: int
    at: datetime
    symbol: str
    trip: int
    fill: Fill | None
    traded: int
    price: int
    value: int
    quantity: int
    cost: int
    realized: int
    opened_at: datetime


@dataclass(slots=True)
class Book:
    """Positions held, and how many round trips each symbol has begun."""

    positions: dict[str, Position] = field(default_factory=dict)
    trips: dict[str, int] = field(default_factory=dict)

    def hold(self, held: Mapping[str, Position], at: datetime) -> Iterator[Leg]:
        """Hold exactly ``held`` from now on; yield what ends by it, at cost, and what begins."""
        for symbol in sorted({*self.positions, *held}):
            before, after = self.positions.pop(symbol, None), held.get(symbol)
            if before is not None:
                price, trip = before.average_price, self.trips[symbol]
                gone = (-before.quantity, price, -before.cost, 0, 0, 0)
                yield Leg(0, at, symbol, trip, None, *gone, before.opened_at)
            if after is not None:
                self._begin(after)
                price, trip = after.average_price, self.trips[symbol]
                begun = (after.quantity, price, after.cost, after.quantity, after.cost, 0)
                yield Leg(1, at, symbol, trip, None, *begun, after.opened_at)

    def book(self, fill: Fill) -> Iterator[Leg]:
        """Apply a fill; yield its leg, or two when it crosses zero: one that closes, one that opens."""
        for number, part in enumerate(self._parts(fill)):
            before = self.positions.pop(fill.symbol, None)
            booking = apply_fill(before, part)
            after = booking.position
            if before is None and after is not None:
                self._begin(after)
            elif after is not None:
                self.positions[fill.symbol] = after
            traded = part.signed_quantity
            left = (0, 0) if after is None else (after.quantity, after.cost)
            done = (traded, part.price, notional(part.price, traded), *left, booking.realized)
            opened_at = fill.at if before is None else before.opened_at
            yield Leg(number, fill.at, fill.symbol, self.trips[fill.symbol], fill, *done, opened_at)

    def _parts(self, fill: Fill) -> tuple[Fill, ...]:
        before = self.positions.get(fill.symbol)
        held = 0 if before is None else before.quantity
        if held * fill.side.sign >= 0 or fill.quantity <= abs(held):
            return (fill,)
        return replace(fill, quantity=abs(held)), replace(fill, quantity=fill.quantity - abs(held))

    def _begin(self, position: Position) -> None:
        self.positions[position.symbol] = position
        self.trips[position.symbol] = self.trips.get(position.symbol, 0) + 1
