"""What may be appended to the journal: asked under the journal's lock, after every earlier record is known.

The one place that keeps the promises: at most one order per intent, nothing new after a
HALT, nothing from a trader that lost its lease. Checking before the append leaks (measured:
one order in a race with HALT); checking inside does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from pipeline.domain.codec import decode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.money import QTY_SCALE
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Intent, IntentState, Purpose, Side
from pipeline.domain.stops import beyond_target
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused, IllegalTransition

_FENCED = frozenset(
    {
        *(Kind.CLAIM, Kind.INTENT, Kind.SENDING, Kind.TICK, Kind.OPENING, Kind.BASELINE, Kind.ENABLED),
        Kind.RECONCILED,
    }
)
"""Kinds that only the holder of the lease may write. HALT, cancels and the broker's word are open to all."""


_IN_DOUBT = frozenset({IntentState.SENDING, IntentState.UNKNOWN})

_OURS_ALONE = frozenset({IntentState.PLANNED, IntentState.HELD, IntentState.SENDING})
"""States that only we bring about: an answer of the broker must not pass for a send."""


def check_append(ledger: Ledger, kind: Kind, data: Mapping[str, Any], epoch: int) -> None:
    """Return when the record may follow; raise otherwise.

    Raises:
        AppendRefused: with a code: fenced, other_version, halted, reducing, not_reducing, crossing,
            duplicate, claimed, illegal, overfilled, latched, unreconciled, stale_session or stale_epoch.
    """
    if _is_fenced(ledger, kind, data) and (epoch == 0 or epoch != ledger.lease.epoch):
        raise AppendRefused(kind, "fenced", f"epoch {epoch} gave way to {ledger.lease.epoch}")
    check = _CHECKS.get(kind)
    if check is not None:
        check(ledger, data)


def _is_fenced(ledger: Ledger, kind: Kind, data: Mapping[str, Any]) -> bool:
    if kind is Kind.VETOED:
        return _may_be_live(ledger, data)
    if kind is Kind.STATE:  # who lost the lease may stop trading, never let it go on
        return TradingState(data["state"]) < ledger.state.state and not data.get("keep")
    return kind in _FENCED or (kind is Kind.VERSION and not data["reason"])


def _check_version(ledger: Ledger, data: Mapping[str, Any]) -> None:
    """The first run of a session says what may trade it; after that only a person, with a reason."""
    named = ledger.version_of.get(date.fromisoformat(data["session"]))
    if named is not None and not data["reason"]:
        raise AppendRefused(Kind.VERSION, "other_version", "the session's version is named already")


def _check_same_version(ledger: Ledger, named: tuple[str, str] | None, kind: Kind) -> None:
    lease = ledger.lease
    if named not in (None, (lease.code, lease.config)):
        raise AppendRefused(kind, "other_version", "the session is traded with other code or configuration")


def _check_lease(ledger: Ledger, data: Mapping[str, Any]) -> None:
    if data["epoch"] != ledger.lease.epoch + 1:
        raise AppendRefused(
            Kind.LEASE, "stale_epoch", f"epoch {data['epoch']} cannot follow {ledger.lease.epoch}"
        )


def _check_claim(ledger: Ledger, data: Mapping[str, Any]) -> None:
    key = (data["procedure"], datetime.fromisoformat(data["instant"]))
    if ledger.runs.get(key) in ("completed", "skipped"):
        raise AppendRefused(Kind.CLAIM, "claimed", f"{key[0]} {key[1]:%Y-%m-%d %H:%M:%S}Z is already done")
    named = ledger.version_of.get(date.fromisoformat(data["session"]))
    _check_same_version(ledger, named, Kind.CLAIM)


def _check_intent(ledger: Ledger, data: Mapping[str, Any]) -> None:
    intent = decode(Intent, data)
    if intent.id in ledger.lives:
        raise AppendRefused(
            Kind.INTENT, "duplicate", f"{intent.id} is already {ledger.lives[intent.id].state}"
        )
    _check_state(ledger, intent, Kind.INTENT)
    for life in ledger.open_lives:
        same = life.intent.symbol == intent.symbol and life.intent.side == intent.side
        if same and life.intent.purpose is Purpose.ENTRY and intent.purpose is Purpose.ENTRY:
            raise AppendRefused(Kind.INTENT, "duplicate", f"{life.intent.id} already enters {intent.symbol}")
    held = _held(ledger, intent.symbol)
    if not intent.purpose.reduces and intent.side.sign * held < 0:
        raise AppendRefused(Kind.INTENT, "crossing", f"{intent.side} {intent.quantity} to enter, of {held}")
    excess = _excess(ledger, intent, intent.quantity)
    if excess:
        raise AppendRefused(Kind.INTENT, "not_reducing", excess)


def _held(ledger: Ledger, symbol: str) -> int:
    position = ledger.closable.get(symbol)
    return 0 if position is None else position.quantity


def _excess(ledger: Ledger, intent: Intent, quantity: int) -> str:
    """Say why an exit would open or enlarge, "" when it cannot: what is under way on its side counts."""
    if not intent.purpose.reduces:
        return ""
    held = _held(ledger, intent.symbol)
    under_way = sum(
        life.unsettled
        for life in ledger.open_lives
        if life.intent.symbol == intent.symbol
        and life.intent.side is intent.side
        and life.intent.id != intent.id
    )
    if intent.side.sign * held < 0 and quantity + under_way <= abs(held):
        return ""
    return f"{intent.side} {quantity} (+{under_way} under way) of {held}"


def _check_state(ledger: Ledger, intent: Intent, kind: Kind) -> None:
    state = ledger.state.state
    if intent.purpose is Purpose.LIQUIDATION and state is TradingState.LIQUIDATING:
        return  # whatever the version: a person who sells everything must not be asked for a signature
    _check_same_version(ledger, ledger.version, kind)
    if intent.purpose is Purpose.REDUCTION and _within_target(ledger, intent):
        return
    if intent.purpose is Purpose.PROBE:
        _check_probe(ledger, intent, kind)
        return
    if state.latched:
        raise AppendRefused(kind, "halted", f"trading is {state.name}: {ledger.state.reason}")
    if not intent.purpose.reduces and not state.allows_entries:
        raise AppendRefused(kind, "reducing", f"trading is {state.name}: {ledger.state.reason}")


def _check_probe(ledger: Ledger, intent: Intent, kind: Kind) -> None:
    """A recovery's test order goes out while trading is stopped: only because it cannot fill."""
    limit = intent.limit_price
    cannot_fill = limit is not None and intent.side is Side.BUY and 2 * limit <= intent.decision_price
    if not cannot_fill or intent.quantity > QTY_SCALE:
        raise AppendRefused(kind, "illegal", "a test order is one share at half its price, or less")
    if ledger.state.state is not TradingState.HALTED:
        raise AppendRefused(kind, "illegal", f"trading is {ledger.state.state.name}: nothing is to be tested")


def _within_target(ledger: Ledger, intent: Intent) -> bool:
    """Tell whether a stop that reduces positions asked for this one, what is under way included."""
    position = ledger.closable.get(intent.symbol)
    if position is None or not ledger.clean:
        return False
    left = beyond_target(ledger.state, intent.symbol, position.quantity)
    under_way = sum(
        life.unsettled
        for life in ledger.open_lives
        if life.intent.symbol == intent.symbol and life.intent.purpose.reduces and life.intent.id != intent.id
    )
    return intent.quantity + under_way <= left


def _life(ledger: Ledger, data: Mapping[str, Any], kind: Kind) -> OrderLife:
    life = ledger.lives.get(data["intent_id"])
    if life is None:
        raise AppendRefused(kind, "illegal", f"no intent {data['intent_id']} was journalled")
    return life


def _check_sending(ledger: Ledger, data: Mapping[str, Any]) -> None:
    life = _life(ledger, data, Kind.SENDING)
    if life.cancel_requested:
        raise AppendRefused(Kind.SENDING, "illegal", f"{life.intent.id} is being cancelled")
    try:
        life.shrunk(data["quantity"])
    except IllegalTransition as error:
        raise AppendRefused(Kind.SENDING, "illegal", str(error)) from error
    _check_move(life, IntentState.SENDING, Kind.SENDING)
    _check_state(ledger, life.intent, Kind.SENDING)
    # Asked again: while it was held for review the position may have gone another way.
    excess = _excess(ledger, life.intent, data["quantity"])
    if excess:
        raise AppendRefused(Kind.SENDING, "illegal", f"it no longer reduces: {excess}")


def _check_move(life: OrderLife, state: IntentState, kind: Kind) -> None:
    # A record changes nothing here: `move` is asked only whether it could.
    try:
        life.move(state, life.intent.decided_at)
    except IllegalTransition as error:
        raise AppendRefused(kind, "illegal", str(error)) from error


def _check_order(ledger: Ledger, data: Mapping[str, Any]) -> None:
    life = _life(ledger, data, Kind.ORDER)
    state = IntentState(data["state"])
    if data["filled"] > life.intent.quantity:
        raise AppendRefused(Kind.ORDER, "overfilled", f"{data['filled']} executed of {life.intent.quantity}")
    if state in _OURS_ALONE:
        raise AppendRefused(Kind.ORDER, "illegal", f"no broker can say that {life.intent.id} is {state}")
    if ledger.by_order.get(data["order_id"], life.intent.id) != life.intent.id:
        raise AppendRefused(Kind.ORDER, "illegal", f"order {data['order_id']} is of another intent")
    if state is not life.state:
        _check_move(life.executed(data["filled"]), state, Kind.ORDER)


def _moves_to(kind: Kind, state: IntentState) -> Callable[[Ledger, Mapping[str, Any]], None]:
    def check(ledger: Ledger, data: Mapping[str, Any]) -> None:
        _check_move(_life(ledger, data, kind), state, kind)

    return check


def _may_be_live(ledger: Ledger, data: Mapping[str, Any]) -> bool:
    life = ledger.lives.get(data["intent_id"])
    return life is not None and life.state.at_broker


def _check_vetoed(ledger: Ledger, data: Mapping[str, Any]) -> None:
    """An intent is given up before it was sent, or when the broker was asked and has no such order."""
    life = _life(ledger, data, Kind.VETOED)
    if life.state.at_broker and life.state is not IntentState.UNKNOWN:
        raise AppendRefused(Kind.VETOED, "illegal", f"{life.intent.id} is {life.state}: cancel it")
    _check_move(life, IntentState.EXPIRED, Kind.VETOED)


def _check_enabled(ledger: Ledger, data: Mapping[str, Any]) -> None:
    if ledger.session is not None and date.fromisoformat(data["day"]) != ledger.session:
        raise AppendRefused(Kind.ENABLED, "stale_session", f"{data['day']} is not {ledger.session}")


def _check_cancel(ledger: Ledger, data: Mapping[str, Any]) -> None:
    _life(ledger, data, Kind.CANCEL)


def _check_state_change(ledger: Ledger, data: Mapping[str, Any]) -> None:
    current, wanted = ledger.state.state, TradingState(data["state"])
    if not current.latched or data["resume"]:
        return
    liquidated = current is TradingState.LIQUIDATING and wanted is TradingState.HALTED
    if liquidated and data.get("keep"):
        _check_person(data)
        return
    moving = any(life.state.at_broker or life.filled > life.booked for life in ledger.open_lives)
    if wanted < current and not (liquidated and not ledger.closable and not moving):
        raise AppendRefused(Kind.STATE, "latched", f"{current.name} is left only by a person's resume")


def _check_person(data: Mapping[str, Any]) -> None:
    """Selling is stopped halfway by a person's word only, with a name and a reason."""
    if not str(data["by"]).strip() or not str(data["reason"]).strip() or data.get("trigger"):
        raise AppendRefused(
            Kind.STATE, "latched", "only a person stops the selling, with a name and a reason"
        )


def _check_resume(ledger: Ledger, data: Mapping[str, Any]) -> None:
    _check_state_change(ledger, data)
    if not data["resume"] or not ledger.state.state.latched:
        return
    if not ledger.clean:
        raise AppendRefused(Kind.STATE, "unreconciled", "the ledger and the broker disagree: reconcile first")
    doubtful = [life.intent.id for life in ledger.open_lives if life.state in _IN_DOUBT]
    if doubtful:
        raise AppendRefused(Kind.STATE, "unresolved", f"nobody knows yet whether {doubtful[0]} is live")
    if not ledger.agreed_since_stop:  # a halt in the middle of somebody's resume is never lost
        raise AppendRefused(
            Kind.STATE, "unreconciled", "not reconciled since trading stopped: reconcile first"
        )


_CHECKS: dict[Kind, Callable[[Ledger, Mapping[str, Any]], None]] = {
    Kind.LEASE: _check_lease,
    Kind.VERSION: _check_version,
    Kind.CLAIM: _check_claim,
    Kind.INTENT: _check_intent,
    Kind.SENDING: _check_sending,
    Kind.ACKED: _moves_to(Kind.ACKED, IntentState.ACKED),
    Kind.UNKNOWN: _moves_to(Kind.UNKNOWN, IntentState.UNKNOWN),
    Kind.REJECTED: _moves_to(Kind.REJECTED, IntentState.REJECTED),
    Kind.VETOED: _check_vetoed,
    Kind.ENABLED: _check_enabled,
    Kind.ORDER: _check_order,
    Kind.CANCEL: _check_cancel,
    Kind.STATE: _check_resume,
}
