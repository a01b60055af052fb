"""Emergencies: stop, sell everything, resume. A stop needs nothing but the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ladder import FINE, Condition, Health, assess
from pipeline.domain.ledger import Ledger
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerRefused, BrokerUnavailable, UsageError
from pipeline.operations.desk import Desk
from pipeline.operations.procedures.finding import FAIL, Finding
from pipeline.operations.sending import cancel
from pipeline.ports import JournalPort


def halt(journal: JournalPort, reason: str, by: str, now: datetime) -> bool:
    """Stop everything but cancels until a person resumes; return whether that is new.

    The journal alone is needed: neither broker, store, Prefect nor network.

    Raises:
        UsageError: no reason given.
    """
    return _stop(journal, TradingState.HALTED, reason, by, now)


def flatten(journal: JournalPort, reason: str, by: str, now: datetime) -> bool:
    """Ask for everything to be cancelled and sold, then halted; return whether that is new.

    The orders are sent by the next pass, or by the ``emergency-stop`` flow.
    """
    return _stop(journal, TradingState.LIQUIDATING, reason, by, now)


def _stop(journal: JournalPort, state: TradingState, reason: str, by: str, now: datetime) -> bool:
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why', it stands in the journal for good")
    if journal.read().state.state >= state:
        return False
    data = {"state": int(state), "reason": reason.strip(), "by": by, "resume": False}
    journal.append(Kind.STATE, data, now)
    return True


def cancel_open(desk: Desk, reason: str, now: datetime) -> tuple[int, int]:
    """Cancel every open order and intent; return how many were asked for and how many could not be."""
    asked = failed = 0
    for life in desk.journal.read().open_lives:
        try:
            asked += cancel(desk, life.intent.id, reason, now)
        except (BrokerUnavailable, BrokerRefused):
            failed += 1  # journalled as wanted: every later pass asks again
    return asked, failed


def resume(desk: Desk, findings: dict[str, Finding], reason: str, by: str, now: datetime) -> None:
    """Leave a latched state, after every recovery step was found in order.

    Who resumes after a drawdown accepts it: the high-water mark begins anew at today's equity, or the
    next pass would halt again. A day's loss is not accepted: it halts until the next session.

    Raises:
        UsageError: nothing to resume, no reason, a step failed, or the day's loss still halts.
        AppendRefused: ledger and broker disagree.
    """
    ledger = desk.journal.read()
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why', it stands in the journal for good")
    if not ledger.state.state.latched:
        raise UsageError(f"trading is {ledger.state.state.name}: there is nothing to resume")
    failed = [name for name, finding in findings.items() if finding.outcome == FAIL]
    if failed:
        raise UsageError(f"not resumed: {failed[0]}: {findings[failed[0]].evidence}")
    standing = _still_in_force(desk, ledger)
    if standing.state.latched and not _is_drawdown(standing):
        raise UsageError(f"not resumed: {standing.reason}; the next session measures from its own start")
    data = {"state": int(TradingState.NORMAL), "reason": reason.strip(), "by": by, "resume": True}
    desk.journal.append(Kind.STATE, data, now)
    if standing.state.latched and ledger.baseline is not None and ledger.snapshot is not None:
        accepted = replace(ledger.baseline, peak_equity=ledger.snapshot.equity)
        desk.journal.append(Kind.BASELINE, encode(accepted), now)


def _still_in_force(desk: Desk, ledger: Ledger) -> Condition:
    if ledger.baseline is None or ledger.snapshot is None:
        return FINE
    day = Health(ledger.snapshot.equity, replace(ledger.baseline, peak_equity=ledger.snapshot.equity))
    without_drawdown = assess(day, desk.limits.ladder)
    if without_drawdown.state.latched:
        return without_drawdown
    return assess(Health(ledger.snapshot.equity, ledger.baseline), desk.limits.ladder)


def _is_drawdown(condition: Condition) -> bool:
    return condition.breach is not None and condition.breach.limit == "drawdown"
