"""Telling people: which records of a pass are worth an alert. Pure but for journalling the alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.domain.alert_catalogue import CATALOGUE, alert
from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.codec import decode
from pipeline.domain.formatting import price, quantity
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Intent, IntentState, Purpose
from pipeline.domain.risk import Limit
from pipeline.domain.trading_state import TradingState
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.telling_books import BOOK_TELLERS


def tell(desk: Desk) -> int:
    """Journal an alert for each record not looked at yet that people want to hear of; return how many.

    Whoever wrote it: what a command or a failed pass journalled is told by the next pass of anybody. A
    process that begins looks back to the beginning of the session; nothing is told twice.
    """
    ledger = desk.journal.read()
    records = tuple(desk.journal.records(max(desk.memory.told, ledger.session_seq - 1, 0)))
    desk.memory.told = ledger.seq
    told = 0
    for found in alerts_of(records, ledger, desk.badge):
        silent = found.event in desk.plan.muted and CATALOGUE[found.event].severity is not Severity.CRITICAL
        told += 0 if silent else raise_alert(desk.journal, found)
    return told


def tell_lasting(desk: Desk, event: str, subject: str, sentence: str, at: datetime) -> bool:
    """Journal an alert of what may last for many passes, once an hour; return whether it is new."""
    return raise_alert(desk.journal, hourly(alert(event, subject, sentence, at, desk.badge)))


def hourly(found: Alert) -> Alert:
    """Return the alert under the id of its hour: told again while it lasts, but not at every pass."""
    begin, _, _ = found.id.rpartition("|")
    return replace(found, id=f"{begin}|{found.at:%Y-%m-%dT%H}")


def alerts_of(records: Sequence[Record], ledger: Ledger, badge: str) -> Iterator[Alert]:
    """Yield the alerts that ``records`` ask for, in their order."""
    for record in records:
        if record.kind is Kind.ORDER:
            yield from _done(ledger.lives[record.data["intent_id"]], record, badge)
        elif record.kind in (Kind.REJECTED, Kind.UNKNOWN, Kind.CANCEL):
            yield from _trouble(ledger.lives[record.data["intent_id"]], record, badge)
        elif record.kind in _TELLERS:
            yield from _TELLERS[record.kind](record, badge)


def _held(record: Record, badge: str) -> Iterator[Alert]:
    intent = decode(Intent, record.data)
    if intent.release_at is not None:
        release = (intent.release_at - intent.decided_at).total_seconds()
        sentence = f"{_order_text(intent)}: goes out in {release:.0f} s unless vetoed. {intent.reason}."
        yield alert("intent_held", intent.symbol, sentence, intent.decided_at, badge, ("Intent", intent.id))


def _refused(record: Record, badge: str) -> Iterator[Alert]:
    """A refused entry is a limit at work; a refused exit is a position that nobody protects."""
    data = record.data
    latched = any(breach["limit"] == Limit.TRADING_STATE for breach in data["breaches"])
    if not Purpose(data["purpose"]).reduces or data["quantity"] or latched:
        return  # a halt refuses exits by its nature, and was told itself
    named = ", ".join(breach["limit"] for breach in data["breaches"])
    text = f"{data['purpose']} ({data['reason']}) is refused by {named}; it is tried again at every pass."
    yield hourly(alert("exit_refused", data["symbol"], text, record.at, badge))


def _done(life: OrderLife, record: Record, badge: str) -> Iterator[Alert]:
    if record.data["state"] != IntentState.FILLED:
        return
    intent = life.intent
    event = "position_opened" if intent.purpose is Purpose.ENTRY else "position_closed"
    if intent.purpose is Purpose.STOP:
        event = "stop_loss_triggered"
    yield alert(event, intent.symbol, f"{_order_text(intent)} is filled. {intent.reason}.", record.at, badge)


def _trouble(life: OrderLife, record: Record, badge: str) -> Iterator[Alert]:
    intent, reason = life.intent, str(record.data["reason"])
    if record.kind is Kind.CANCEL:
        if reason.startswith("not done after"):
            text = f"{_order_text(intent)}: {reason}; the rest is being cancelled."
            yield alert("order_timeout", intent.symbol, text, record.at, badge)
        return
    event = "order_rejected" if record.kind is Kind.REJECTED else "order_unknown"
    yield alert(event, intent.symbol, f"{_order_text(intent)}: {reason}.", record.at, badge)


def _order_text(intent: Intent) -> str:
    side, symbol = intent.side.value.capitalize(), intent.symbol
    return f"{side} {quantity(intent.quantity)} {symbol} decided at {price(intent.decision_price)}"


def _state(record: Record, badge: str) -> Iterator[Alert]:
    state, reason = TradingState(record.data["state"]), record.data["reason"]
    by = f"{reason} (by {record.data['by']})"
    if record.data["resume"]:
        yield alert("trading_resumed", "", f"{by}. Size grows over the next sessions.", record.at, badge)
    elif state is TradingState.LIQUIDATING:
        yield alert("liquidation", "", f"{by}. Everything is being cancelled and sold.", record.at, badge)
    elif state is TradingState.HALTED:
        text = f"{by}. Nothing new is sent, open orders are cancelled.{_also(record)}"
        yield alert("trading_halted", "", text, record.at, badge)
        yield from _system_error(reason, record, badge)
    elif state is TradingState.REDUCING and "silent" in reason:
        yield alert("broker_silent", "broker", f"{by}. Exits only, until it answers.", record.at, badge)
    elif state is TradingState.REDUCING and "daily loss" in reason:
        yield alert("daily_loss_limit_reached", "", f"{by}. Exits only.", record.at, badge)
    elif state is TradingState.REDUCING and "drawdown" in reason:
        yield alert("drawdown_critical", "", f"{by}. Exits only.", record.at, badge)
    elif state is TradingState.CAUTIOUS:
        yield alert("drawdown_warning", "", f"{by}. Entries are made in reduced size.", record.at, badge)


def _system_error(reason: str, record: Record, badge: str) -> Iterator[Alert]:
    """An error that nobody foresaw is a defect, besides being a stop."""
    _, found, rest = reason.partition("system error in ")
    if found:
        where, _, what = rest.partition(": ")
        yield alert("system_error", where, f"{what}. Trading is stopped.", record.at, badge)


def _also(record: Record) -> str:
    if record.data.get("keep"):
        return " The selling is stopped: what is held stays held."
    if record.data.get("targets"):
        return " Positions are made smaller once ledger and broker agree."
    return ""


def _silence(record: Record, badge: str) -> Iterator[Alert]:
    """That it is silent is told when the ladder says so: a single lost answer wakes nobody."""
    if record.data["since"] is None:
        text = "It answers again; ledger and broker were compared."
        yield alert("broker_back", "broker", text, record.at, badge)


def _verdict(record: Record, badge: str) -> Iterator[Alert]:
    day = record.data["day"]
    if record.data["reason"].startswith("pre-market"):
        event = "go" if record.data["go"] else "no_go"
        yield alert(event, day, record.data["reason"], record.at, badge)


_TELLERS: dict[Kind, Callable[[Record, str], Iterator[Alert]]] = BOOK_TELLERS | {
    Kind.INTENT: _held,
    Kind.VERDICT: _refused,
    Kind.STATE: _state,
    Kind.SILENCE: _silence,
    Kind.ENABLED: _verdict,
}
