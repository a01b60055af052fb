"""What a stop asks for and which orders it leaves alone: pure rules. Quantities in quantity units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.domain.money import QTY_SCALE
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Purpose
from pipeline.domain.portfolio import Position
from pipeline.domain.rules.sizing import share
from pipeline.domain.trading_state import StateChange, TradingState, Trigger

TRIGGERS = {
    "drawdown": Trigger.DRAWDOWN,
    "daily_loss": Trigger.DAILY_LOSS,
    "broker_silence": Trigger.SILENCE,
    "connectivity_failures": Trigger.FAILURES,
}
"""The trigger that a limit of the ladder stands for."""


@dataclass(frozen=True, slots=True)
class EmergencyPlan:
    """What a configuration asks of stops.

    Attributes:
        kill_actions, stop_actions: as named in ``emergency_procedures``.
        reduce_to: fraction of each position that ``reduce_position_sizes`` leaves, ppm.
        tests_orders: whether the recovery places an order that cannot fill.
        cancels_external: whether the kill switch cancels orders that are not ours, too.
        quiet_minutes: minutes without a tick, while the session is open, after which the watchdog speaks.
    """

    kill_actions: tuple[str, ...] = (
        "halt_all_new_orders",
        "cancel_pending_orders",
        "send_emergency_alerts",
        "log_emergency_action",
    )
    stop_actions: tuple[str, ...] = ("halt_new_orders", "send_critical_alerts")
    reduce_to: int = 500_000
    tests_orders: bool = False
    cancels_external: bool = False
    quiet_minutes: int = 5

    @property
    def kill_closes(self) -> bool:
        """Whether the kill switch sells what is held."""
        return "close_all_positions" in self.kill_actions

    @property
    def stop_closes(self) -> bool:
        """Whether an automatic stop sells what is held."""
        return "close_all_positions" in self.stop_actions

    @property
    def stop_reduces(self) -> bool:
        """Whether an automatic stop makes positions smaller; selling everything goes further."""
        return "reduce_position_sizes" in self.stop_actions and not self.stop_closes

    @property
    def stop_recovers(self) -> bool:
        """Whether the recovery steps are tried by themselves once the cause has passed."""
        return "attempt_system_recovery" in self.stop_actions


def targets_of(positions: Mapping[str, Position], fraction: int) -> dict[str, int]:
    """Return what is left of each position at ``fraction`` (ppm): whole shares where whole shares are held.

    Rounded down, so that no more is left than was asked for: of one share at one half, none.
    """
    left = {}
    for symbol, held in sorted(positions.items()):
        quantity = abs(held.quantity)
        lot = QTY_SCALE if quantity % QTY_SCALE == 0 else 1
        left[symbol] = share(quantity, fraction) // lot * lot
    return left


def beyond_target(change: StateChange, symbol: str, held: int) -> int:
    """Return how much of a position a stop still wants sold, 0 when nothing."""
    if change.state is not TradingState.HALTED or symbol not in change.targets:
        return 0
    return max(0, abs(held) - change.targets[symbol])


def outlives(purpose: Purpose, change: StateChange) -> bool:
    """Tell whether an order may go out, and stay at the broker, while trading is stopped."""
    if change.state is TradingState.LIQUIDATING:
        return purpose is Purpose.LIQUIDATION
    return purpose is Purpose.REDUCTION and bool(change.targets)


def to_cancel(lives: Iterable[OrderLife], change: StateChange) -> tuple[OrderLife, ...]:
    """Return what a stop still has to cancel or give up, oldest first; nothing unless trading is stopped."""
    if not change.state.latched:
        return ()
    return tuple(
        life for life in lives if not life.state.terminal and not outlives(life.intent.purpose, change)
    )


def unconfirmed(lives: Iterable[OrderLife], change: StateChange) -> tuple[OrderLife, ...]:
    """Return the orders of :func:`to_cancel` that may still be executed at the broker."""
    return tuple(life for life in to_cancel(lives, change) if life.state.at_broker)
