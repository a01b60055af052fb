"""The risk ladder's states, which of them is in force, and what a stop leaves to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


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


class Trigger(StrEnum):
    """What stopped trading by itself, in the words of ``automatic_stops.triggers``."""

    DRAWDOWN = "drawdown_limit"
    DAILY_LOSS = "daily_loss_limit"
    SYSTEM_ERROR = "system_error"
    SILENCE = "broker_disconnection"
    FAILURES = "connectivity_failures"


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state, who or what entered it, why and when.

    Attributes:
        trigger: the :class:`Trigger` of an automatic stop, "" for a person's or any other.
        keep: a person stopped the selling: what is held stays held, whatever the ladder asks for.
        targets: by symbol, the quantity (positive, quantity units) to which an automatic stop reduces
            what is held; empty when nothing is to be sold.
    """

    state: TradingState
    reason: str
    by: str
    at: datetime
    trigger: str = ""
    keep: bool = False
    targets: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any], at: datetime) -> StateChange:
        """Return what a STATE record says; older records name neither trigger nor targets."""
        return cls(
            state=TradingState(data["state"]),
            reason=data["reason"],
            by=data["by"],
            at=at,
            trigger=data.get("trigger", ""),
            keep=data.get("keep", False),
            targets=data.get("targets", {}),
        )

    @property
    def automatic(self) -> bool:
        """Whether one of the configured triggers stopped trading, not a person."""
        return self.state.latched and bool(self.trigger)
