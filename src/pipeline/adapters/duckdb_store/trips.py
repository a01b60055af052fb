"""What fills do to positions, leg by leg: average cost, round trips from flat to flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline.domain.money import notional
from pipeline.domain.orders import Fill
from pipeline.domain.portfolio import Booking, Position, apply_fill, merged, split, undo_fill


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
        cause: adopted, balanced, bust or split; "" for an execution, and for what was held at the beginning.
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
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What changes a position without being an execution; ``traded`` is signed."""

    cause: str
    symbol: str
    traded: int
    realized: int
    at: datetime


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

    def adopt(self, theirs: Position, at: datetime) -> Iterator[Leg]:
        """Make a holding that was not ours part of ours, and yield the change."""
        before = self.positions.pop(theirs.symbol, None)
        done = merged(before, theirs)
        yield self._changed(
            Change("adopted", theirs.symbol, theirs.quantity, done.realized, at), before, done
        )

    def balance(self, symbol: str, quantity: int, cost: int, at: datetime) -> Iterator[Leg]:
        """Hold exactly this much of a symbol; yield what ends by it, at cost, and what begins."""
        others = {name: held for name, held in self.positions.items() if name != symbol}
        before = self.positions.get(symbol)
        since = before.opened_at if before is not None and before.quantity * quantity > 0 else at
        now = {symbol: Position(symbol, quantity, cost, since)} if quantity else {}
        self.positions = {name: held for name, held in self.positions.items() if name == symbol}
        yield from (replace(leg, cause="balanced") for leg in self.hold(now, at))
        self.positions |= others

    def bust(self, fill: Fill, realized: int, at: datetime) -> Leg:
        """Undo an execution within the round trip that it was part of, and return the change."""
        before = self.positions.pop(fill.symbol, None)
        done = undo_fill(before, fill, realized)
        change = Change("bust", fill.symbol, -fill.signed_quantity, done.realized, at)
        return self._changed(change, before, done)

    def split(self, symbol: str, ratio: tuple[int, int], at: datetime) -> Iterator[Leg]:
        """Count a holding in new shares; yield the change when it is held."""
        before = self.positions.pop(symbol, None)
        if before is None:
            return
        after = split(before, *ratio)
        traded = (0 if after is None else after.quantity) - before.quantity
        yield self._changed(Change("split", symbol, traded, 0, at), before, Booking(after, 0))

    def _changed(self, change: Change, before: Position | None, done: Booking) -> Leg:
        """Return the leg of what changed a position without being an execution, and hold what is left."""
        after = done.position
        if after is not None and before is None and change.cause != "bust":
            self._begin(after)  # an execution taken back goes on with the trip that it had ended
        elif after is not None:
            self.positions[change.symbol] = after
        left = (0, 0) if after is None else (after.quantity, after.cost)
        value = left[1] - (0 if before is None else before.cost) - done.realized
        price = abs(value) * 10_000_000 // abs(change.traded) if change.traded else 0
        held = before or after
        opened_at = change.at if held is None else held.opened_at
        trip = self.trips.setdefault(change.symbol, 1)
        moved = (change.traded, price, value, *left, done.realized)
        return Leg(0, change.at, change.symbol, trip, None, *moved, opened_at, change.cause)

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
