"""Emergencies: stop, sell everything, resume. A stop needs nothing but the journal."""

from __future__ import annotations

from datetime import datetime

from pipeline.domain.journal import Kind
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

    Raises:
        UsageError: nothing to resume, no reason, or a step failed; the sentence says which.
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
    data = {"state": int(TradingState.NORMAL), "reason": reason.strip(), "by": by, "resume": True}
    desk.journal.append(Kind.STATE, data, now)
