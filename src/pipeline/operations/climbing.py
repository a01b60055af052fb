"""Climbing the risk ladder: which trading state is in force, and how long the broker has been silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.domain.journal import Kind
from pipeline.domain.ladder import FINE, Condition, Health, assess
from pipeline.domain.ledger import Ledger
from pipeline.domain.trading_state import TradingState
from pipeline.operations.desk import Desk
from pipeline.operations.stopping import stop_by_condition

_ASKING = frozenset({"intraday-tick", "risk-monitor"})
"""Procedures that complete only when the broker answered."""


def climb(desk: Desk, equity: int | None, now: datetime) -> Condition:
    """Enter the trading state that the account's condition asks for; a latched one stays.

    ``equity`` is None while the broker is silent: then only the silence speaks.
    """
    ledger = desk.journal.read()
    if ledger.baseline is None:
        return FINE
    silent = 0 if ledger.silent_since is None else int((now - ledger.silent_since).total_seconds())
    last = ledger.snapshot.equity if ledger.snapshot is not None else ledger.baseline.day_equity
    health = Health(last if equity is None else equity, ledger.baseline, silent, ledger.failures)
    condition = _believed(ledger, assess(health, desk.limits.ladder))
    current = ledger.state.state
    sold = not ledger.closable and not ledger.open_lives and current is TradingState.HALTED
    if condition.state.latched and condition.state > current and not ledger.state.keep and not sold:
        stop_by_condition(desk, condition, "risk ladder", now)
    elif not current.latched and condition.state != current and not condition.state.latched:
        enter(desk, condition.state, condition.reason, "risk ladder", now)
    return condition


def enter(desk: Desk, state: TradingState, reason: str, by: str, now: datetime) -> None:
    """Journal a trading state. Raises AppendRefused when a latched state forbids it."""
    data = {"state": int(state), "reason": reason, "by": by, "resume": False}
    if state.latched:
        data["trigger"] = desk.journal.read().state.trigger  # what a liquidation ends in has its cause
    desk.journal.append(Kind.STATE, data, now)


def note_silence(desk: Desk, silent: bool, now: datetime) -> None:
    """Journal that the broker does not answer, or answers again; quiet while nothing changes."""
    ledger = desk.journal.read()
    if not silent and ledger.silent_since is None:
        return
    since = (ledger.silent_since or _last_heard(desk, now)).isoformat() if silent else None
    failures = ledger.failures + 1 if silent else 0
    desk.journal.append(Kind.SILENCE, {"since": since, "failures": failures}, now)


def _believed(ledger: Ledger, condition: Condition) -> Condition:
    """Return the condition, or HALTED where selling everything would rest on numbers that nobody can explain.

    A withdrawal that is not listed yet looks like a drawdown until it is.
    """
    explained = ledger.clean and not ledger.settling
    if explained or condition.state is not TradingState.LIQUIDATING:
        return condition
    reason = f"{condition.reason}; nothing is sold while ledger and broker disagree"
    return replace(condition, state=TradingState.HALTED, reason=reason)


def _last_heard(desk: Desk, now: datetime) -> datetime:
    """Return when the broker last answered: at the pass before this one, if that was lately, else never.

    A desk that was not running itself cannot tell how long the broker has been silent.
    """
    lately = now - 2 * desk.plan.rhythm.monitor
    runs = desk.journal.read().runs.items()
    heard = [at for (name, at), outcome in runs if name in _ASKING and outcome == "completed"]
    return max((at for at in heard if lately <= at <= now), default=now)
