"""Intents and the life of their orders.

An intent is a decision to trade, with our own id, journalled before anything is sent.
Its id is a function of the decision alone, so the same decision always has the same id.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from pipeline.errors import IllegalTransition


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Purpose(StrEnum):
    """Why we trade. Everything but ENTRY reduces risk and is never refused by an entry limit."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    FLATTEN = "flatten"
    HOLDING_LIMIT = "holding_limit"
    LIQUIDATION = "liquidation"

    @property
    def reduces(self) -> bool:
        """Whether the trade can only make a position smaller."""
        return self is not Purpose.ENTRY

    @property
    def reviewed(self) -> bool:
        """Whether the trade waits for the review hold: protection does not."""
        return self in (Purpose.ENTRY, Purpose.EXIT)


class IntentState(StrEnum):
    """Life of an intent (DESIGN §6)."""

    PLANNED = "planned"
    HELD = "held"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACKED = "acked"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen any more."""
        return self in _TERMINAL

    @property
    def at_broker(self) -> bool:
        """Whether an order may be live at the broker."""
        return self in _AT_BROKER


_TERMINAL = frozenset({IntentState.FILLED, IntentState.CANCELLED, IntentState.EXPIRED, IntentState.REJECTED})
_AT_BROKER = frozenset({IntentState.SENDING, IntentState.UNKNOWN, IntentState.ACKED, IntentState.PARTIAL})

_MOVES: dict[IntentState, frozenset[IntentState]] = {
    IntentState.PLANNED: frozenset({IntentState.HELD, IntentState.SENDING, IntentState.EXPIRED}),
    IntentState.HELD: frozenset({IntentState.SENDING, IntentState.EXPIRED}),
    # SENDING may learn anything; back to HELD or PLANNED never: the request may have left.
    IntentState.SENDING: frozenset({IntentState.UNKNOWN, IntentState.ACKED, IntentState.PARTIAL}) | _TERMINAL,
    # A definite "no such order" allows one more send of the same id: UNKNOWN → SENDING.
    IntentState.UNKNOWN: frozenset({IntentState.SENDING, IntentState.ACKED, IntentState.PARTIAL}) | _TERMINAL,
    IntentState.ACKED: frozenset({IntentState.PARTIAL}) | _TERMINAL,
    IntentState.PARTIAL: frozenset({IntentState.PARTIAL}) | _TERMINAL - {IntentState.REJECTED},
}


@dataclass(frozen=True, slots=True)
class Intent:
    """A decision to trade.

    Attributes:
        id: our id, the broker's client order id.
        account, strategy, symbol, side, purpose: what is traded and why.
        quantity: positive, quantity units.
        decided_at: the tick's instant, UTC: end of the last bar the decision saw.
        decision_price: last close seen, price units.
        release_at: when a held intent may be sent, or None for at once.
        reason: one sentence for people, numbers included.
    """

    id: str
    account: str
    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    quantity: int
    decided_at: datetime
    decision_price: int
    release_at: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise ValueError(f"intent {self.id}: quantity {self.quantity} is not positive")
        if len(self.id) > MAX_ID_LENGTH:
            raise ValueError(f"intent id {self.id} is longer than {MAX_ID_LENGTH}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What makes one intent different from another: all of it and nothing else (no clock, no counter)."""

    account: str
    mode: str
    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    decided_at: datetime
    leg: int = 0


MAX_ID_LENGTH = 48
ID_PREFIX = "md1-"


def intent_id(decision: Decision) -> str:
    """Return the intent's id: the same decision always gets the same id. 28 characters: md1-, a–z and 2–7.

    Raises:
        ValueError: the instant has no time zone, so that it names no instant.
    """
    if decision.decided_at.tzinfo is None:
        raise ValueError(f"a decision needs a time zone, got {decision.decided_at}")
    parts = (
        decision.account,
        decision.mode,
        decision.strategy,
        decision.symbol,
        decision.side.value,
        decision.purpose.value,
        decision.decided_at.astimezone(UTC).isoformat(),
        decision.leg,
    )
    # As JSON, because joined by a separator, names that contain it could make two decisions look alike.
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return ID_PREFIX + b32encode(digest).decode().rstrip("=")[:24].lower()


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution.

    Attributes:
        id: the broker's execution id; the same id is the same fill.
        order_id: the broker's order id; intent_id: ours, "" when the order is not ours.
        quantity: positive, quantity units; price: price units.
        at: the execution's time, UTC.
    """

    id: str
    order_id: str
    intent_id: str
    symbol: str
    side: Side
    quantity: int
    price: int
    at: datetime

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise ValueError(f"fill {self.id}: quantity {self.quantity} is not positive")

    @property
    def signed_quantity(self) -> int:
        """Quantity, negative for a sell."""
        return self.side.sign * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """What the broker holds under an id, as it told us.

    Attributes:
        id: the broker's id; client_id: ours, "" or foreign when a person traded by hand.
        state: in our words; ``raw_status`` is the broker's.
        filled: quantity executed so far; average_price: of it, price units, 0 when none.
    """

    id: str
    client_id: str
    symbol: str
    side: Side
    quantity: int
    filled: int
    average_price: int
    state: IntentState
    raw_status: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class OrderLife:
    """An intent and all that is known of its order. Moves only forward; see :data:`_MOVES`.

    ``filled`` is what the broker says was executed, ``booked`` the part of it that is in our positions.
    """

    intent: Intent
    state: IntentState = IntentState.PLANNED
    order_id: str = ""
    filled: int = 0
    booked: int = 0
    sends: int = 0
    sent_at: datetime | None = None
    cancel_requested: bool = False
    note: str = ""

    @property
    def remaining(self) -> int:
        """Quantity that could still be executed: none once the life has ended."""
        return 0 if self.state.terminal else self.intent.quantity - self.filled

    @property
    def unsettled(self) -> int:
        """Quantity by which our positions may still change: not yet executed, or executed and not yet booked.

        What the broker calls filled counts until its fills are booked, or a second exit could be
        sent for shares already sold, and a second entry into room already taken.
        """
        ended = self.state.terminal and self.state is not IntentState.FILLED
        return max(0, (self.filled if ended else self.intent.quantity) - self.booked)

    def move(self, state: IntentState, at: datetime, note: str = "", order_id: str = "") -> OrderLife:
        """Return the life after ``state`` became known.

        Raises:
            IllegalTransition: that state cannot follow this one.
        """
        if state not in _MOVES.get(self.state, frozenset()):
            raise IllegalTransition(self.intent.id, self.state, state)
        sending = state is IntentState.SENDING
        return replace(
            self,
            state=state,
            order_id=order_id or self.order_id,
            sends=self.sends + sending,
            sent_at=at if sending else self.sent_at,
            note=note or self.note,
        )

    def shrunk(self, quantity: int) -> OrderLife:
        """Return the life of what the gates left of the intent when it was released.

        Raises:
            IllegalTransition: more than was decided, nothing, or already sent.
        """
        if quantity == self.intent.quantity:
            return self
        if self.sends or not 0 < quantity < self.intent.quantity:
            raise IllegalTransition(self.intent.id, self.state, f"quantity {quantity}")
        return replace(self, intent=replace(self.intent, quantity=quantity))

    def executed(self, total: int) -> OrderLife:
        """Return the life with ``total`` executed so far, never less than was known.

        Raises:
            IllegalTransition: more was executed than was ordered.
        """
        if total > self.intent.quantity:
            raise IllegalTransition(self.intent.id, self.state, f"{total} executed of {self.intent.quantity}")
        return replace(self, filled=max(self.filled, total))

    def cancelling(self) -> OrderLife:
        """Return the life with a cancel on its way."""
        return replace(self, cancel_requested=True)
