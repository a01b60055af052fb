"""The five steps before trading resumes, as the seed names them (DESIGN §5)."""

from __future__ import annotations

from datetime import datetime

from pipeline.domain.codec import encode
from pipeline.domain.formatting import price
from pipeline.domain.journal import Kind
from pipeline.domain.money import QTY_SCALE
from pipeline.domain.orders import Decision, Intent, IntentState, Purpose, Side, intent_id
from pipeline.domain.portfolio import Account
from pipeline.domain.rules.sizing import cost_of
from pipeline.domain.trading_state import TradingState
from pipeline.operations.desk import Desk
from pipeline.operations.observing import instruments
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding, Step, fail, ok, warn
from pipeline.operations.procedures.pre_market import (
    check_system_health,
    startup_reconciliation,
    validate_data_feeds,
)
from pipeline.operations.recovery import recover
from pipeline.operations.sending import cancel, send

_CENT = 100


def check_position_integrity(desk: Desk, run: Pass) -> Finding:
    """Ledger and broker agree."""
    return startup_reconciliation(desk, run)


def probe_order_path(desk: Desk, run: Pass) -> Finding:
    """The order path works: an order that cannot fill is placed under an id of ours and cancelled at once.

    On a real account only where ``recovery_procedures.test_order`` asks for it. Otherwise, and while
    everything is being sold, only questions are asked.
    """
    account = desk.broker.fetch_account()
    if account.blocked:
        return fail(f"account {account.number} is blocked: no order would be accepted")
    if desk.broker.fetch_order("md1-probe-that-never-existed") is not None:
        return fail("the broker knows an order that never existed")
    ledger = desk.journal.read()
    ready = ledger.clean and ledger.state.state is TradingState.HALTED
    if not desk.plan.emergency.tests_orders or not ready:
        return ok("the account may trade and orders can be looked up; no order was placed")
    return _place_probe(desk, account, moment(desk, run))


def _place_probe(desk: Desk, account: Account, now: datetime) -> Finding:
    intent = _probe(desk, account, now)
    if intent is None:
        return warn("no order was placed: no symbol is tradable, quoted and within the buying power")
    desk.journal.append(Kind.INTENT, encode(intent), now)
    state = send(desk, intent.id, intent.quantity, now)
    if state in (IntentState.REJECTED, IntentState.UNKNOWN):
        return fail(f"the test order {intent.id} is {state}: {desk.journal.read().lives[intent.id].note}")
    cancel(desk, intent.id, "a test order", now)
    recover(desk, now)
    life = desk.journal.read().lives[intent.id]
    if life.filled:
        return fail(
            f"the test order {intent.id} was filled at its limit of half the price: look at the broker"
        )
    limit = price(intent.limit_price or 0)
    text = f"1 {intent.symbol} at {limit} was accepted as {intent.id}"
    if life.state is IntentState.CANCELLED:
        return ok(f"{text} and cancelled")
    return warn(f"{text}; its cancel is not confirmed yet")


def _probe(desk: Desk, account: Account, now: datetime) -> Intent | None:
    """Return a buy of one share at half its price, of the cheapest symbol there is."""
    quotes = desk.data.fetch_quotes(desk.symbols)
    known = instruments(desk)
    prices = {
        quote.bid: symbol for symbol, quote in quotes.items() if symbol in known and known[symbol].tradable
    }
    if not prices or cost_of(min(prices), QTY_SCALE) > account.buying_power:
        return None
    bid = min(prices)
    probes = sum(life.intent.purpose is Purpose.PROBE for life in desk.journal.read().lives.values())
    who = (desk.identity.account, desk.identity.mode, "recovery", prices[bid], Side.BUY, Purpose.PROBE)
    return Intent(
        id=intent_id(Decision(*who, now, probes)),
        account=desk.identity.account,
        strategy="recovery",
        symbol=prices[bid],
        side=Side.BUY,
        purpose=Purpose.PROBE,
        quantity=QTY_SCALE,
        decided_at=now,
        decision_price=bid,
        reason="a test order that cannot fill",
        limit_price=bid // 2 // _CENT * _CENT,
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
