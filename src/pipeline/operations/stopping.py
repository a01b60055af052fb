"""Automatic stops: entering one, and the actions that the configuration asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.formatting import count
from pipeline.domain.journal import Kind
from pipeline.domain.ladder import Condition
from pipeline.domain.ledger import Ledger
from pipeline.domain.stops import TRIGGERS, EmergencyPlan, targets_of
from pipeline.domain.trading_state import TradingState, Trigger
from pipeline.errors import AppendRefused
from pipeline.operations.desk import Desk
from pipeline.ports import JournalPort

STOP, KILL = "automatic-stop", "emergency-stop"


@dataclass(frozen=True, slots=True)
class Action:
    """One configured action and what came of it; ``outcome`` is "ok", "warn" or "fail"."""

    name: str
    evidence: str
    outcome: str = "ok"


def stop_by_condition(desk: Desk, condition: Condition, by: str, now: datetime) -> None:
    """Enter the latched state that the ladder asks for, with what the configuration adds to it."""
    limit = condition.breach.limit if condition.breach is not None else ""
    trigger = TRIGGERS.get(limit)
    if condition.state is TradingState.LIQUIDATING or trigger is None:
        _enter(desk, condition.state, condition.reason, {"by": by, "trigger": trigger or ""}, now)
        return
    stop(desk, trigger, condition.reason, by, now)


def stop(desk: Desk, trigger: Trigger, reason: str, by: str, now: datetime) -> bool:
    """Stop trading because of a trigger; return whether that is new. What is stopped already stays so.

    With ``close_all_positions`` among the configured actions everything is sold; with
    ``reduce_position_sizes`` each position is brought to its configured fraction, once the books agree.
    """
    ledger = desk.journal.read()
    plan = desk.plan.emergency
    state = TradingState.LIQUIDATING if plan.stop_closes and not ledger.state.keep else TradingState.HALTED
    if ledger.state.state >= state:
        return False
    data: dict[str, object] = {"by": by, "trigger": trigger.value}
    if plan.stop_reduces:
        data["targets"] = targets_of(ledger.closable, plan.reduce_to)
    _enter(desk, state, reason, data, now)
    for name in plan.stop_actions:
        record_action(desk.journal, STOP, Action(name, _told(name, plan, ledger)), now)
    return True


def _enter(desk: Desk, state: TradingState, reason: str, more: dict[str, object], now: datetime) -> None:
    data = {"state": int(state), "reason": reason, "resume": False} | more
    desk.journal.append(Kind.STATE, data, now)


def record_action(journal: JournalPort, procedure: str, action: Action, now: datetime) -> None:
    """Journal what an action did, as a step. On a full disk the action counts, not its record."""
    day = journal.read().session or now.date()
    data = {
        "procedure": procedure,
        "session": day.isoformat(),
        "instant": now.isoformat(),
        "name": action.name,
        "outcome": action.outcome,
        "evidence": action.evidence,
        "details": {},
    }
    try:
        journal.append(Kind.STEP, data, now)
    except AppendRefused as error:
        if error.code != "disk":
            raise


def _told(name: str, plan: EmergencyPlan, ledger: Ledger) -> str:
    held = count(len(ledger.closable), "position")
    reduced = f"{held} brought to {plan.reduce_to // 10_000} % once ledger and broker agree"
    return {
        "halt_new_orders": "nothing new is sent from this record on",
        "reduce_position_sizes": reduced if plan.stop_reduces else "selling everything goes further",
        "close_all_positions": f"{held} sold as soon as the broker answers",
        "send_critical_alerts": "announced as critical: it cannot be muted",
        "attempt_system_recovery": "the recovery steps are tried once the cause has passed",
    }[name]
