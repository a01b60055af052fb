"""A person's emergencies: stop, sell everything, resume. A stop needs nothing but the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.domain.codec import encode
from pipeline.domain.formatting import count
from pipeline.domain.guard import check_append
from pipeline.domain.journal import Kind
from pipeline.domain.ladder import FINE, Condition, Health, assess
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import Order
from pipeline.domain.stops import outlives
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerRefused, BrokerUnavailable, UsageError
from pipeline.failpoints import reach
from pipeline.operations.alerting import raise_alert
from pipeline.operations.cancelling import Cancels, cancel_every, finish_stop
from pipeline.operations.desk import Desk
from pipeline.operations.procedures.finding import FAIL, Finding
from pipeline.operations.stopping import KILL, Action, record_action
from pipeline.operations.telling import alerts_of
from pipeline.ports import JournalPort

_EXTERNAL = "cancel_external_orders"
_NEEDS_REASON = "a reason is needed: give --reason 'why', it stands in the journal for good"


def halt(journal: JournalPort, reason: str, by: str, now: datetime) -> bool:
    """Stop everything but cancels until a person resumes; return whether that is new.

    The journal alone is needed: neither broker, store, Prefect nor network. What is held stays held,
    whatever the ladder asks for: it also stops the selling of a liquidation or of a stop that reduces.
    It is journalled even when trading is stopped already, and so ends a resume that is under way.

    Raises:
        UsageError: no reason given.
    """
    _require(reason)
    before = journal.read().state
    data = {"state": int(TradingState.HALTED), "reason": reason.strip(), "by": by}
    journal.append(Kind.STATE, data | {"resume": False, "keep": True}, now)
    reach("after_halt")
    return before.state is not TradingState.HALTED or bool(before.targets)


def flatten(journal: JournalPort, reason: str, by: str, now: datetime) -> bool:
    """Ask for everything to be cancelled and sold, then halted; return whether it is new.

    The orders are sent by the next pass, or by the ``emergency-stop`` flow.
    """
    _require(reason)
    fresh = journal.read().state.state is not TradingState.LIQUIDATING
    data = {"state": int(TradingState.LIQUIDATING), "reason": reason.strip(), "by": by, "resume": False}
    journal.append(Kind.STATE, data, now)
    reach("after_halt")
    return fresh


def _require(reason: str) -> None:
    if not reason.strip():
        raise UsageError(_NEEDS_REASON)


def cancel_open(desk: Desk, reason: str, now: datetime) -> tuple[int, int]:
    """Cancel every open order and intent; return how many were asked for and how many could not be."""
    done = cancel_every(desk, desk.journal.read().open_lives, reason, now)
    return done.asked, done.failed


def cancel_pending(desk: Desk, now: datetime) -> tuple[Cancels, Action]:
    """Carry out ``cancel_pending_orders`` of a stop and return what came of it, in numbers and in words."""
    done = finish_stop(desk, now)
    said = f"{count(done.asked + done.failed, 'cancel')} asked for"
    if done.failed:
        text = f"{said}, {done.failed} UNCONFIRMED: the broker did not answer; every pass asks again"
        return done, Action("cancel_pending_orders", text, "warn")
    return done, Action("cancel_pending_orders", said)


def cancel_external(desk: Desk) -> tuple[Action, ...]:
    """Cancel what others have open in the account, where ``kill_switch.cancel_external`` asks for it.

    One request, unless an order of ours is meant to stay: that would cancel everything. Whatever the
    broker answers, what it then still lists is what counts.
    """
    if not desk.plan.emergency.cancels_external:
        return ()
    ledger = desk.journal.read()
    stays = any(
        life.state.at_broker and outlives(life.intent.purpose, ledger.state) for life in ledger.open_lives
    )
    try:
        before = _others_open(desk)
        refused = _cancel_each(desk, before) if stays or not before else desk.broker.cancel_all()
        left = _others_open(desk)
    except (BrokerUnavailable, BrokerRefused) as error:
        return (Action(_EXTERNAL, f"UNCONFIRMED: {error}; look at the broker's page", "warn"),)
    asked = f"{count(len(before), 'order')} of others asked to go"
    if not left:
        return (Action(_EXTERNAL, f"{asked}, none is left"),)
    first = next(iter(refused.values()), "not confirmed yet")
    text = f"{asked}, {len(left)} UNCONFIRMED: {first}; look at the broker's page"
    return (Action(_EXTERNAL, text, "warn"),)


def _others_open(desk: Desk) -> tuple[Order, ...]:
    ledger = desk.journal.read()
    ours = (ledger.lives.keys(), ledger.by_order.keys())
    listed = desk.broker.fetch_open_orders()
    return tuple(order for order in listed if order.client_id not in ours[0] and order.id not in ours[1])


def _cancel_each(desk: Desk, orders: Sequence[Order]) -> dict[str, str]:
    refused = {}
    for order in orders:
        try:
            desk.broker.cancel(order.id)
        except (BrokerUnavailable, BrokerRefused) as error:
            refused[order.id] = str(error)
    return refused


def log_kill(journal: JournalPort, badge: str, since: int, done: Sequence[Action], now: datetime) -> int:
    """Tell people what was journalled after record ``since``, and journal each action; return the alerts.

    The last two actions of every kill: ``send_emergency_alerts`` and ``log_emergency_action``.
    """
    ledger = journal.read()
    told = sum(raise_alert(journal, found) for found in alerts_of(journal.records(since), ledger, badge))
    said = count(told, "alert")
    change = ledger.state
    last = (
        Action("send_emergency_alerts", f"{said} journalled for every channel"),
        Action("log_emergency_action", f"{change.state.name} by {change.by}: {change.reason}"),
    )
    for action in (*done, *last):
        record_action(journal, KILL, action, now)
    return told


def phrase(verb: str, account: str) -> str:
    """Return what a person types before a verb moves real money, as in "resume alpaca-live"."""
    return f"{verb} {account}"


def check_word(desk: Desk, verb: str, typed: str, asked_at: datetime) -> None:
    """Return when a person's word may be acted on; a run of a flow is one, whoever started it.

    Args:
        typed: the phrase; asked for with real money only.
        asked_at: when it was asked for: a run that was late, or repeated, is about an earlier stop.

    Raises:
        UsageError: another phrase, or trading stopped after this was asked for.
    """
    wanted = phrase(verb, desk.account)
    if desk.mode == "live" and typed.strip() != wanted:
        raise UsageError(
            f"not done, nothing was changed: with real money, {verb} wants the phrase “{wanted}”"
        )
    stopped = desk.journal.read().state.at
    if verb == "resume" and asked_at < stopped:
        raise UsageError(
            f"not resumed: asked for at {asked_at:%Y-%m-%d %H:%M:%S}Z, but trading stopped at "
            f"{stopped:%H:%M:%S}Z, after that; look at why, then ask again"
        )


def resume(desk: Desk, findings: dict[str, Finding], reason: str, by: str, now: datetime) -> None:
    """Leave a latched state, after every recovery step was found in order.

    Who resumes after a drawdown accepts it: the high-water mark begins anew at today's equity, or the
    next pass would halt again. A day's loss is not accepted: it halts until the next session.

    Raises:
        UsageError: nothing to resume, no reason, a step failed, or the day's loss still halts.
        AppendRefused: ledger and broker disagree, or nobody knows whether an order is live.
    """
    ledger = desk.journal.read()
    _require(reason)
    if not ledger.state.state.latched:
        raise UsageError(f"trading is {ledger.state.state.name}: there is nothing to resume")
    failed = [name for name, finding in findings.items() if finding.outcome == FAIL]
    if failed:
        raise UsageError(f"not resumed: {failed[0]}: {findings[failed[0]].evidence}")
    standing = still_in_force(desk, ledger)
    if standing.state.latched and not is_drawdown(standing):
        raise UsageError(f"not resumed: {standing.reason}; the next session measures from its own start")
    data = {"state": int(TradingState.NORMAL), "reason": reason.strip(), "by": by, "resume": True}
    check_append(ledger, Kind.STATE, data, ledger.lease.epoch)
    if standing.state.latched and ledger.baseline is not None and ledger.snapshot is not None:
        # Before the resume: a process that died between the two would trade on into the old drawdown.
        accepted = replace(ledger.baseline, peak_equity=ledger.snapshot.equity)
        desk.journal.append(Kind.BASELINE, encode(accepted), now)
    desk.journal.append(Kind.STATE, data, now)


def still_in_force(desk: Desk, ledger: Ledger) -> Condition:
    """Return what of the ladder would stop trading again at once: a day's loss before a drawdown."""
    if ledger.baseline is None or ledger.snapshot is None:
        return FINE
    day = Health(ledger.snapshot.equity, replace(ledger.baseline, peak_equity=ledger.snapshot.equity))
    without_drawdown = assess(day, desk.limits.ladder)
    if without_drawdown.state.latched:
        return without_drawdown
    return assess(Health(ledger.snapshot.equity, ledger.baseline), desk.limits.ladder)


def is_drawdown(condition: Condition) -> bool:
    """Tell whether a condition is one that a resume accepts."""
    return condition.breach is not None and condition.breach.limit == "drawdown"
