"""Cash, positions, and what a fill does to them. Units: :mod:`pipeline.domain.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.domain.money import notional
from pipeline.domain.orders import Fill, Side


@dataclass(frozen=True, slots=True)
class Position:
    """A holding; absent when flat.

    Attributes:
        quantity: signed, quantity units; never 0.
        cost: money paid for it, signed like ``quantity``; the average price is cost / quantity.
        opened_at: the first fill since flat, UTC.
    """

    symbol: str
    quantity: int
    cost: int
    opened_at: datetime

    @property
    def average_price(self) -> int:
        """Average entry price, price units, rounded half up."""
        from_cost = abs(self.cost) * 10_000_000
        return (from_cost + abs(self.quantity) // 2) // abs(self.quantity)

    def value(self, price: int) -> int:
        """Return its market value at ``price``."""
        return notional(price, self.quantity)

    def unrealized(self, price: int) -> int:
        """Return the profit not yet taken at ``price``."""
        return self.value(price) - self.cost


@dataclass(frozen=True, slots=True)
class Booking:
    """A position after a fill, and the profit that the fill realized (before fees)."""

    position: Position | None
    realized: int


def apply_fill(position: Position | None, fill: Fill) -> Booking:
    """Return the position after ``fill``.

    Closing shares take out their share of the cost, rounded towards zero; a fill that crosses
    zero closes the old position and opens a new one at the fill's price.
    """
    signed = fill.signed_quantity
    if position is None:
        return Booking(_opened(fill, signed), 0)
    if (position.quantity > 0) == (signed > 0):
        cost = position.cost + notional(fill.price, signed)
        return Booking(Position(fill.symbol, position.quantity + signed, cost, position.opened_at), 0)
    closed = min(abs(signed), abs(position.quantity))
    direction = 1 if position.quantity > 0 else -1
    share = abs(position.cost) * closed // abs(position.quantity) * direction
    realized = notional(fill.price, closed * direction) - share
    left = position.quantity + signed
    if left == 0:
        return Booking(None, realized)
    if (left > 0) == (position.quantity > 0):
        return Booking(Position(fill.symbol, left, position.cost - share, position.opened_at), realized)
    return Booking(_opened(fill, left), realized)


def _opened(fill: Fill, signed: int) -> Position:
    return Position(fill.symbol, signed, notional(fill.price, signed), fill.at)


def undo_fill(position: Position | None, fill: Fill, realized: int) -> Booking:
    """Return the position without ``fill``, which the broker took back, and the profit that goes with it.

    Args:
        realized: what the fill realized when it was booked. Shares and cost go back exactly as they came;
            where later trades left nothing that they could go back to, the opposite trade is booked.
    """
    quantity = (0 if position is None else position.quantity) - fill.signed_quantity
    cost = (0 if position is None else position.cost) - realized - notional(fill.price, fill.signed_quantity)
    if quantity == cost == 0:
        return Booking(None, -realized)
    if quantity * cost > 0:
        opened_at = fill.at if position is None else position.opened_at
        return Booking(Position(fill.symbol, quantity, cost, opened_at), -realized)
    opposite = Side.SELL if fill.side is Side.BUY else Side.BUY
    return apply_fill(position, replace(fill, side=opposite))


def merged(position: Position | None, other: Position | None) -> Booking:
    """Return two holdings of one symbol as one: what is long in one and short in the other is closed."""
    if position is None or other is None:
        return Booking(position or other, 0)
    opened_at = min(position.opened_at, other.opened_at)
    if (position.quantity > 0) == (other.quantity > 0):
        quantity, cost = position.quantity + other.quantity, position.cost + other.cost
        return Booking(Position(position.symbol, quantity, cost, opened_at), 0)
    small, large = sorted((position, other), key=lambda held: abs(held.quantity))
    share = abs(large.cost) * abs(small.quantity) // abs(large.quantity) * (1 if large.quantity > 0 else -1)
    left = large.quantity + small.quantity
    realized = -(share + small.cost)
    if left == 0:
        return Booking(None, realized)
    return Booking(Position(large.symbol, left, large.cost - share, large.opened_at), realized)


def part_of(position: Position, quantity: int) -> Position:
    """Return the part of a holding that is ``quantity``, at the same average price."""
    return replace(position, quantity=quantity, cost=position.cost * quantity // position.quantity)


def split(position: Position, numerator: int, denominator: int) -> Position | None:
    """Return the holding counted in new shares, what is less than the smallest part of one cut off."""
    signed = abs(position.quantity) * numerator // denominator * (1 if position.quantity > 0 else -1)
    return replace(position, quantity=signed) if signed else None


def cash_of(fill: Fill) -> int:
    """Return what the fill does to cash, before fees: negative for a buy."""
    return -notional(fill.price, fill.signed_quantity)


def gross_exposure(positions: Mapping[str, Position], prices: Mapping[str, int]) -> int:
    """Return Σ |quantity| · price, money."""
    return sum(abs(held.value(prices[symbol])) for symbol, held in positions.items())


@dataclass(frozen=True, slots=True)
class Account:
    """What the broker says of the account at an instant.

    Attributes:
        number: the broker's account number; mode: "paper" or "live", by what the broker answered.
        equity, cash, buying_power: money.
        blocked: the broker lets us place no orders; restriction: why, in its words, "" while it does.
    """

    number: str
    mode: str
    equity: int
    cash: int
    buying_power: int
    blocked: bool
    currency: str = "USD"
    restriction: str = ""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A position as the broker tells it; ``price`` is its current price, ``available`` what may be sold."""

    symbol: str
    quantity: int
    available: int
    average_price: int
    price: int


@dataclass(frozen=True, slots=True)
class CashActivity:
    """Money moved other than by a fill: fee, dividend, deposit, withdrawal. ``amount`` is signed money."""

    id: str
    kind: str
    amount: int
    at: datetime
    description: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A split that was booked: shares from ``at`` on are new ones, ``numerator`` for every ``denominator``.

    A price from before ``at`` is one of old shares: in new ones it is price · denominator / numerator.
    """

    activity_id: str
    symbol: str
    numerator: int
    denominator: int
    at: datetime
