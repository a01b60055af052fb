"""The risk ladder's states, and which of them is in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class TradingState(IntEnum):
    """What may be done, from everything to nothing. A larger number is stricter."""

    NORMAL = 0
    CAUTIOUS = 1
    REDUCING = 2
    HALTED = 3
    LIQUIDATING = 4

    @property
    def latched(self) -> bool:
        """Whether only a person's resume leaves this state."""
        return self >= TradingState.HALTED

    @property
    def allows_entries(self) -> bool:
        """Whether new risk may be taken."""
        return self <= TradingState.CAUTIOUS

    @property
    def allows_exits(self) -> bool:
        """Whether positions may be reduced. A halt stops everything but cancels; liquidation sells."""
        return self != TradingState.HALTED


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state, who or what entered it, why and when."""

    state: TradingState
    reason: str
    by: str
    at: datetime
