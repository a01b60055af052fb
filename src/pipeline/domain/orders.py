"""Intents, orders and executions; :mod:`pipeline.domain.order_life` joins them.

An intent is a decision to trade, with our own id, journalled before anything is sent.
Its id is a function of the decision alone, so the same decision always has the same id.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Purpose(StrEnum):
    """Why we trade. Everything but ENTRY and PROBE reduces risk and is never refused by an entry limit.

    REDUCTION is what an automatic stop sells; PROBE is a recovery's test order, which cannot fill.
    """

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    FLATTEN = "flatten"
    HOLDING_LIMIT = "holding_limit"
    LIQUIDATION = "liquidation"
    REDUCTION = "reduction"
    PROBE = "probe"

    @property
    def reduces(self) -> bool:
        """Whether the trade can only make a position smaller."""
        return self not in (Purpose.ENTRY, Purpose.PROBE)

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
        return self in TERMINAL

    @property
    def at_broker(self) -> bool:
        """Whether an order may be live at the broker."""
        return self in _AT_BROKER


TERMINAL = frozenset({IntentState.FILLED, IntentState.CANCELLED, IntentState.EXPIRED, IntentState.REJECTED})
_AT_BROKER = frozenset({IntentState.SENDING, IntentState.UNKNOWN, IntentState.ACKED, IntentState.PARTIAL})


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
        limit_price: price units; None, as for everything but a PROBE, is an order at the market.
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
    limit_price: int | None = None

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
