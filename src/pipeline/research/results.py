"""What a simulation leaves behind: decisions, executions, equity, states. Same inputs, same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipeline.domain.codec import encode
from pipeline.domain.decide import Judged
from pipeline.domain.money import notional
from pipeline.domain.trading_state import StateChange, TradingState
from pipeline.research.account import Execution


@dataclass(frozen=True, slots=True)
class Decided:
    """A trade wanted at an instant, with its verdict."""

    at: datetime
    judged: Judged


@dataclass(frozen=True, slots=True)
class Point:
    """The account at a tick: money; ``exposure`` is what is held at its last price."""

    at: datetime
    session: date
    equity: int
    cash: int
    exposure: int
    state: TradingState


@dataclass(frozen=True, slots=True)
class Trip:
    """From flat to flat in one symbol.

    Attributes:
        quantity: most that was held, quantity units.
        cost, proceeds: money paid and got, fees not counted; fees: of all its executions.
        entry, exit: average prices, price units.
        reason: why it ended.
    """

    symbol: str
    opened: datetime
    closed: datetime
    quantity: int
    cost: int
    proceeds: int
    fees: int
    reason: str

    @property
    def profit(self) -> int:
        """What it earned after fees."""
        return self.proceeds - self.cost - self.fees

    @property
    def entry(self) -> int:
        """Average price paid, price units."""
        return self.cost * 10_000_000 // self.quantity

    @property
    def exit(self) -> int:
        """Average price got, price units."""
        return self.proceeds * 10_000_000 // self.quantity


@dataclass(frozen=True, slots=True)
class Result:
    """One simulation. ``cash`` is what it began with; ``sessions`` the days it ran over, oldest first."""

    cash: int
    sessions: tuple[date, ...]
    decisions: tuple[Decided, ...]
    executions: tuple[Execution, ...]
    curve: tuple[Point, ...]
    states: tuple[StateChange, ...]
    orders: int
    rejected: int

    def closes(self) -> list[int]:
        """Return the equity at the end of each session, oldest first; a session without a tick carries on."""
        last = {point.session: point.equity for point in self.curve}
        equity, closes = self.cash, []
        for day in self.sessions:
            equity = last.get(day, equity)
            closes.append(equity)
        return closes

    def trips(self) -> tuple[Trip, ...]:
        """Return the round trips that ended, in the order of their ends."""
        reasons = {
            one.judged.intent.id: one.judged.proposal.purpose.value
            for one in self.decisions
            if one.judged.intent is not None
        }
        return tuple(_trips(self.executions, reasons))

    def digest(self) -> str:
        """Return a hash of everything in it, hex SHA-256."""
        digest = hashlib.sha256()
        for part in (self.decisions, self.executions, self.curve, self.states):
            for one in part:
                digest.update(_line(encode(one)))
        digest.update(_line([self.cash, self.orders, self.rejected]))
        return digest.hexdigest()


def _line(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@dataclass(slots=True)
class _Open:
    """A round trip under way."""

    opened: datetime
    held: int = 0
    bought: int = 0
    cost: int = 0
    proceeds: int = 0
    fees: int = 0


def _trips(executions: tuple[Execution, ...], reasons: dict[str, str]) -> Iterator[Trip]:
    under_way: dict[str, _Open] = {}
    for one in executions:
        fill = one.fill
        trip = under_way.setdefault(fill.symbol, _Open(fill.at))
        money = notional(fill.price, fill.quantity)
        trip.held += fill.signed_quantity
        trip.fees += one.fee
        if fill.signed_quantity > 0:
            trip.bought += fill.quantity
            trip.cost += money
        else:
            trip.proceeds += money
        if trip.held == 0:
            del under_way[fill.symbol]
            yield Trip(
                fill.symbol,
                trip.opened,
                fill.at,
                trip.bought,
                trip.cost,
                trip.proceeds,
                trip.fees,
                reasons.get(fill.intent_id, ""),
            )
