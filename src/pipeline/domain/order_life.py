"""The life of an order: from the decision to its last execution, as far as it is known.

It moves only forward. A word of the broker's that comes late, twice or out of order leads to the same life.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.domain.orders import TERMINAL, Intent, IntentState, Order
from pipeline.errors import IllegalTransition

_MOVES: dict[IntentState, frozenset[IntentState]] = {
    IntentState.PLANNED: frozenset({IntentState.HELD, IntentState.SENDING, IntentState.EXPIRED}),
    IntentState.HELD: frozenset({IntentState.SENDING, IntentState.EXPIRED}),
    # SENDING may learn anything; back to HELD or PLANNED never: the request may have left.
    IntentState.SENDING: frozenset({IntentState.UNKNOWN, IntentState.ACKED, IntentState.PARTIAL}) | TERMINAL,
    # A definite "no such order" allows one more send of the same id: UNKNOWN → SENDING.
    IntentState.UNKNOWN: frozenset({IntentState.SENDING, IntentState.ACKED, IntentState.PARTIAL}) | TERMINAL,
    IntentState.ACKED: frozenset({IntentState.PARTIAL}) | TERMINAL,
    IntentState.PARTIAL: frozenset({IntentState.PARTIAL}) | TERMINAL - {IntentState.REJECTED},
    # Executed in full after its cancel was confirmed: the executions win (see :meth:`OrderLife.move`).
    IntentState.CANCELLED: frozenset({IntentState.FILLED}),
    IntentState.EXPIRED: frozenset({IntentState.FILLED}),
}
_RISING = frozenset({IntentState.ACKED, IntentState.PARTIAL, IntentState.FILLED, IntentState.CANCELLED})
"""What a tombstone may become, by the broker's word alone."""


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
