"""What an automatic stop still owes: agreement of the books, and the recovery steps, tried by themselves.

It never resumes: when every step passes it tells people that they may.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.ledger import Ledger
from pipeline.domain.stops import beyond_target
from pipeline.domain.trading_state import TradingState
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.emergency import is_drawdown, still_in_force
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import FAIL
from pipeline.operations.procedures.recovery import RECOVERY_STEPS
from pipeline.operations.procedures.registry import run_recovery_step
from pipeline.operations.reconciliation import reconcile
from pipeline.operations.stopping import STOP, Action, record_action
from pipeline.operations.telling import tell_lasting

EVERY = timedelta(minutes=5)
"""How often the steps are tried while one of them fails."""


def settle_stop(desk: Desk, run: Pass) -> None:
    """Do what an automatic stop asked for besides stopping, as far as it can be done now.

    Raises:
        BrokerUnavailable: not answered; the next pass goes on.
    """
    now = moment(desk, run)
    ledger = desk.journal.read()
    change = ledger.state
    if not change.automatic or change.state is not TradingState.HALTED:
        return
    if change.targets and (ledger.reconciled_at is None or ledger.reconciled_at <= change.at):
        reconcile(desk, "before positions are reduced", now)
    if desk.plan.emergency.stop_recovers:
        attempt_recovery(desk, run, now)


def attempt_recovery(desk: Desk, run: Pass, now: datetime) -> bool:
    """Try the recovery steps once the cause has passed; return whether trading may be resumed by a person."""
    ledger = desk.journal.read()
    text = "Every recovery step passes. Nothing resumes by itself: `marketday resume --reason …`."
    ready = alert("ready_to_resume", "", text, ledger.state.at, desk.badge)
    if ready.id in ledger.told:
        return True
    tried = desk.memory.recovery_tried
    if not _cause_passed(desk, ledger) or (tried is not None and now - tried < EVERY):
        return False
    desk.memory.recovery_tried = now
    steps = replace(run, procedure=STOP)
    for name in RECOVERY_STEPS:
        finding = run_recovery_step(desk, steps, name)
        if finding.outcome == FAIL:  # the steps after it wait: one of them places a test order
            why = f"{name}: {finding.evidence}"
            record_action(desk.journal, STOP, Action("attempt_system_recovery", why, "warn"), now)
            tell_lasting(desk, "recovery_failed", name, f"{why}. Tried again every 5 minutes.", now)
            return False
    done = Action("attempt_system_recovery", "every step passes; a person may resume")
    record_action(desk.journal, STOP, done, now)
    return raise_alert(desk.journal, ready)


def _cause_passed(desk: Desk, ledger: Ledger) -> bool:
    """Tell whether a resume would hold: the broker answers, no day's loss halts, nothing is being sold."""
    standing = still_in_force(desk, ledger)
    if ledger.silent_since is not None or (standing.state.latched and not is_drawdown(standing)):
        return False
    selling = any(beyond_target(ledger.state, key, held.quantity) for key, held in ledger.closable.items())
    return not selling and not ledger.open_lives
