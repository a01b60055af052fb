"""Cash, positions and what open orders hold back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.domain.money import PPM, notional
from pipeline.exchange.orders import Fill, Order, Registry, invalid

MARKET_BUY_BUFFER_PPM = 30_000
"""Alpaca values a market order above the market when it checks buying power (its documentation: 3 %)."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A long position: quantity units, and what it cost in micro units of money."""

    qty: int
    cost: int


@dataclass(slots=True)
class Ledger:
    """The account's money and holdings; a flat symbol is absent.

    Attributes:
        past: every change of a holding, oldest first: (instant, symbol, holding then).
    """

    cash: int
    holdings: dict[str, Holding] = field(default_factory=dict)
    past: list[tuple[int, str, Holding | None]] = field(default_factory=list)

    def quantity(self, symbol: str) -> int:
        """Return the quantity held, 0 when flat."""
        holding = self.holdings.get(symbol)
        return holding.qty if holding else 0

    def book(self, fill: Fill) -> None:
        """Apply one fill: cash moves by its notional and its fee; cost is kept at the average."""
        money = notional(fill.price, fill.qty)
        held = self.holdings.get(fill.symbol, Holding(0, 0))
        self.cash -= fill.side * money + fill.fee
        left = held.qty + fill.side * fill.qty
        cost = held.cost + money if fill.side > 0 else held.cost - held.cost * fill.qty // held.qty
        self.put(fill.symbol, Holding(left, cost), fill.at)

    def unbook(self, fill: Fill, at: int) -> None:
        """Take a fill back. Raises Refused when its shares are gone already."""
        money = notional(fill.price, fill.qty)
        held = self.holdings.get(fill.symbol, Holding(0, 0))
        left = held.qty - fill.side * fill.qty
        if left < 0:
            raise invalid(f"the account would be short {fill.symbol}: the shares have been sold since")
        cost = held.cost - money if fill.side > 0 else held.cost + money
        self.cash += fill.side * money + fill.fee
        self.put(fill.symbol, Holding(left, max(cost, 0)), at)

    def put(self, symbol: str, holding: Holding, at: int) -> None:
        """Set a holding; one without shares is none."""
        if holding.qty:
            self.holdings[symbol] = holding
        else:
            self.holdings.pop(symbol, None)
        self.past.append((at, symbol, holding if holding.qty else None))

    def held_at(self, at: int) -> dict[str, Holding]:
        """Return the holdings as they were at an instant."""
        held: dict[str, Holding] = {}
        for when, symbol, holding in self.past:
            if when > at:
                break
            if holding is None:
                held.pop(symbol, None)
            else:
                held[symbol] = holding
        return held

    def market_value(self, price: Callable[[str], int]) -> int:
        """Return what the holdings are worth."""
        return sum(notional(price(symbol), holding.qty) for symbol, holding in self.holdings.items())


def held_by_sells(registry: Registry, symbol: str) -> int:
    """Return the quantity of ``symbol`` that open sells hold; exits of one family hold it once."""
    by_family: dict[str, int] = {}
    for order in _live(registry.open.values()):
        if order.ticket.symbol == symbol and not order.ticket.buys:
            family = order.parent or order.id
            by_family[family] = max(by_family.get(family, 0), order.remaining)
    return sum(by_family.values())


def held_by_buys(registry: Registry, price: Callable[[str], int]) -> int:
    """Return the money that open buys hold back."""
    buys = (order for order in _live(registry.open.values()) if order.ticket.buys)
    return sum(buy_reserve(order, price) for order in buys)


def buy_reserve(order: Order, price: Callable[[str], int]) -> int:
    """Return the money a buy holds back: at its limit, or above the market or its stop."""
    ticket = order.ticket
    if ticket.limit:
        return notional(ticket.limit, order.remaining)
    valued = max(price(ticket.symbol), ticket.stop)
    return notional(-(-valued * (PPM + MARKET_BUY_BUFFER_PPM) // PPM), order.remaining)


def _live(orders: Iterable[Order]) -> Iterable[Order]:
    return (order for order in orders if order.live)
