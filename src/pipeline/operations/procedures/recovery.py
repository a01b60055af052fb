"""The five steps before trading resumes, as the seed names them (DESIGN §5)."""

from __future__ import annotations

from pipeline.operations.desk import Desk
from pipeline.operations.passes import Pass
from pipeline.operations.procedures.finding import Finding, Step, fail, ok
from pipeline.operations.procedures.pre_market import (
    check_system_health,
    startup_reconciliation,
    validate_data_feeds,
)


def check_position_integrity(desk: Desk, run: Pass) -> Finding:
    """Ledger and broker agree."""
    return startup_reconciliation(desk, run)


def probe_order_path(desk: Desk, run: Pass) -> Finding:
    """The order path answers: the account may trade, and a question about an order is answered definitely.

    No order is placed: a test order on a real account would be one more thing to go wrong.
    """
    account = desk.broker.fetch_account()
    if account.blocked:
        return fail(f"account {account.number} is blocked: no order would be accepted")
    probe = desk.broker.fetch_order("md1-probe-that-never-existed")
    return (
        ok("the account may trade and orders can be looked up")
        if probe is None
        else fail("a probe was found")
    )


def gradual_trading_resumption(desk: Desk, run: Pass) -> Finding:
    """Say how size grows from here."""
    ramp = " → ".join(f"{size // 10_000} %" for size in desk.limits.ladder.resume_ramp)
    return ok(f"size {ramp}, one step a session")


RECOVERY_STEPS: dict[str, Step] = {
    "validate_system_health": check_system_health,
    "check_position_integrity": check_position_integrity,
    "verify_data_feeds": validate_data_feeds,
    "test_order_placement": probe_order_path,
    "gradual_trading_resumption": gradual_trading_resumption,
}
