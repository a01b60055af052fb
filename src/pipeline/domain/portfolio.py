"""Cash, positions, and what a fill does to them. Units: :mod:`pipeline.domain.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.money import notional
from pipeline.domain.orders import Fill


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
        blocked: the broker lets us place no orders.
    """

    number: str
    mode: str
    equity: int
    cash: int
    buying_power: int
    blocked: bool
    currency: str = "USD"


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
