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
    # Executed in full after its cancel was confirmed: the executions win (see :meth:`OrderLife.move`).
    IntentState.CANCELLED: frozenset({IntentState.FILLED}),
    IntentState.EXPIRED: frozenset({IntentState.FILLED}),
}
_RISING = frozenset({IntentState.ACKED, IntentState.PARTIAL, IntentState.FILLED, IntentState.CANCELLED})
"""What a tombstone may become, by the broker's word alone."""


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


@dataclass(frozen=True, slots=True)
class OrderLife:
    """An intent and all that is known of its order. Moves only forward; see :data:`_MOVES`.

    Attributes:
        filled: what the broker says was executed; booked: the part of it that is in our positions.
        sends: requests that may have reached the broker; sent_at: the last one.
        cancel_at: when a cancel was first asked for, None when it was not.
        late: whether it had been given up as never arrived when the broker turned out to have it.
    """

    intent: Intent
    state: IntentState = IntentState.PLANNED
    order_id: str = ""
    filled: int = 0
    booked: int = 0
    sends: int = 0
    sent_at: datetime | None = None
    cancel_at: datetime | None = None
    late: bool = False
    note: str = ""

    @property
    def cancel_requested(self) -> bool:
        """Whether a cancel is on its way."""
        return self.cancel_at is not None

    @property
    def tombstone(self) -> bool:
        """Whether it was sent, never seen at the broker, and given up: a slow line may deliver it yet."""
        return self.state is IntentState.EXPIRED and self.sent_at is not None and not self.order_id

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
        rises = self.tombstone and state in _RISING
        # An order that ended otherwise is filled after all only when nothing of it is left.
        whole = not self.state.terminal or self.filled == self.intent.quantity
        if not (rises or (whole and state in _MOVES.get(self.state, frozenset()))):
            raise IllegalTransition(self.intent.id, self.state, state)
        sending = state is IntentState.SENDING
        return replace(
            self,
            state=state,
            order_id=order_id or self.order_id,
            sends=self.sends + sending,
            sent_at=at if sending else self.sent_at,
            late=self.late or rises,
            note=note or self.note,
        )

    def told(self, state: IntentState, at: datetime, note: str, order_id: str) -> OrderLife:
        """Return the life after the broker's word; the same word again may still name the order anew.

        Raises:
            IllegalTransition: that state cannot follow this one.
        """
        if state is self.state:
            return replace(self, order_id=order_id or self.order_id, note=note or self.note)
        return self.move(state, at, note, order_id)

    def heard(self, order: Order) -> OrderLife:
        """Return the life with what the broker tells of its order merged in; the same when it is no news.

        The furthest state and the largest number win: words that come late, twice or in any order
        lead to the same life. A state that we do not know still says that the order is there.
        """
        filled = max(self.filled, min(order.filled, self.intent.quantity))
        whole = filled == self.intent.quantity
        begun = filled > 0 or IntentState.PARTIAL in (self.state, order.state)
        if self.state.terminal and not self.tombstone:
            state = IntentState.FILLED if whole and self.state is not IntentState.REJECTED else self.state
            return replace(self, state=state, filled=filled, order_id=self.order_id or order.id)
        state = order.state if order.state.terminal else IntentState.ACKED
        if whole:
            state = IntentState.FILLED
        elif state is IntentState.REJECTED and (begun or self.tombstone):
            state = IntentState.CANCELLED  # what was executed stays ours; only the rest has ended
        elif begun and not state.terminal:
            state = IntentState.PARTIAL
        return replace(self, state=state, filled=filled, order_id=order.id)

    def contradicted(self, order: Order) -> bool:
        """Tell whether the broker holds what it cannot: more than was ordered, or what it rejected."""
        risen = self.state is IntentState.REJECTED and order.state is not IntentState.REJECTED
        return risen or order.filled > self.intent.quantity

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

    def unsent(self) -> OrderLife:
        """Return the life without its last request, which certainly did not reach the broker."""
        return replace(self, sends=self.sends - 1)

    def cancelling(self, at: datetime) -> OrderLife:
        """Return the life with a cancel on its way."""
        return replace(self, cancel_at=self.cancel_at or at)
