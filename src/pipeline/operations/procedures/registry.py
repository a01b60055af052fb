"""Every named step, by the name a configuration gives it, and how a procedure's steps are run."""

from __future__ import annotations

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.errors import ConfigurationError, Terminal
from pipeline.operations.desk import Desk
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures import after_close, pre_market, session
from pipeline.operations.procedures.finding import FAIL, Finding, Step, fail
from pipeline.operations.procedures.recovery import RECOVERY_STEPS

ALWAYS_BEFORE_OPEN = ("verify_account", "check_clock_skew", "startup_reconciliation")
"""Asked before the configured steps, whatever a configuration leaves out."""
ALWAYS_AFTER_CLOSE = ("check_data_quality",)
_ALWAYS = {"pre-market": ALWAYS_BEFORE_OPEN, "post-market": ALWAYS_AFTER_CLOSE}

STEPS: dict[str, Step] = {
    **{name: getattr(pre_market, name) for name in ALWAYS_BEFORE_OPEN},
    "check_system_health": pre_market.check_system_health,
    "validate_data_feeds": pre_market.validate_data_feeds,
    "review_overnight_news": pre_market.review_overnight_news,
    "check_position_limits": pre_market.check_position_limits,
    "validate_risk_controls": pre_market.validate_risk_controls,
    "enable_trading": session.enable_trading,
    "confirm_data_flowing": session.confirm_data_flowing,
    "validate_first_signals": session.validate_first_signals,
    "check_position_status": session.check_position_status,
    "monitor_pnl": session.monitor_pnl,
    "validate_risk_metrics": session.validate_risk_metrics,
    "check_system_performance": session.check_system_performance,
    "disable_new_positions": session.disable_new_positions,
    "review_daily_performance": session.review_daily_performance,
    "generate_daily_report": after_close.generate_daily_report,
    "backup_trading_logs": after_close.backup_trading_logs,
    "check_data_quality": after_close.check_data_quality,
    "reconcile_positions": after_close.reconcile_positions,
    "update_performance_tracking": after_close.update_performance_tracking,
    "prepare_next_day_config": after_close.prepare_next_day_config,
}
"""Steps that check, or set what is already set: any of them may be done again."""


def steps_of(desk: Desk, procedure: str) -> tuple[str, ...]:
    """Return the steps of a procedure, in order."""
    return (*_ALWAYS.get(procedure, ()), *desk.plan.steps(procedure))


def run_step(desk: Desk, run: Pass, name: str) -> Finding:
    """Run one step and journal what it found.

    Raises:
        ConfigurationError: no step has that name.
        BrokerUnavailable, DataUnavailable: it could not find out.
    """
    step = STEPS.get(name)
    if step is None:
        raise ConfigurationError("procedures", name, f"known steps: {', '.join(sorted(STEPS))}")
    return _run(desk, run, name, step)


def run_recovery_step(desk: Desk, run: Pass, name: str) -> Finding:
    """Run one step of a recovery and journal what it found: one of them sends an order, so nobody retries it.

    Raises:
        KeyError: no recovery step has that name.
        BrokerUnavailable, DataUnavailable: it could not find out.
    """
    return _run(desk, run, name, RECOVERY_STEPS[name])


def _run(desk: Desk, run: Pass, name: str, step: Step) -> Finding:
    try:
        finding = step(desk, run)
    except Terminal as error:
        finding = fail(str(error))  # the other steps still have to be done
    data = {
        "procedure": run.procedure,
        "session": run.session.day.isoformat(),
        "instant": run.instant.isoformat(),
        "name": name,
        "outcome": finding.outcome,
        "evidence": finding.evidence,
        "details": encode(finding.details),
    }
    desk.journal.append(Kind.STEP, data, moment(desk, run))
    return finding


def conclude_pre_market(desk: Desk, run: Pass, findings: dict[str, Finding]) -> bool:
    """Journal GO or NO-GO with its reason and return it: one failed step is enough for NO-GO."""
    failed = [name for name, finding in findings.items() if finding.outcome == FAIL]
    reason = f"pre-market: {len(findings)} checks passed"
    if failed:
        reason = f"pre-market: {failed[0]}: {findings[failed[0]].evidence}"
    data = {"day": run.session.day.isoformat(), "go": not failed, "entries": False, "reason": reason}
    desk.journal.append(Kind.ENABLED, data, moment(desk, run))
    return not failed
