"""What people hear of the books: others' trades, splits, busts, breaks, and money nobody explains. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.alerts import Alert
from pipeline.domain.codec import decode
from pipeline.domain.formatting import money, price, quantity, signed_money
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION
from pipeline.domain.orders import Fill
from pipeline.domain.pnl import DEPOSIT, source_of
from pipeline.domain.reconcile import CORPORATE_ACTION


def _external(record: Record, badge: str) -> Iterator[Alert]:
    fill = decode(Fill, record.data)
    text = (
        f"{_traded(fill)} by order {fill.order_id}, which is not ours. It is kept apart, trading goes on, "
        f"{fill.symbol} is locked until it is adopted or gone."
    )
    yield alert("external_trade", fill.symbol, text, record.at, badge)


def _traded(fill: Fill) -> str:
    verb = {"buy": "Bought", "sell": "Sold"}[fill.side.value]
    return f"{verb} {quantity(fill.quantity)} {fill.symbol} at {price(fill.price)}"


def _bust(record: Record, badge: str) -> Iterator[Alert]:
    fill = decode(Fill, record.data["fill"])
    text = f"{_traded(fill)} ({fill.id}): {record.data['reason']}. Position, cash and profit were restated."
    yield alert("trade_busted", fill.symbol, text, record.at, badge)


def _split(record: Record, badge: str) -> Iterator[Alert]:
    data = record.data
    text = f"{data['numerator']} new shares for {data['denominator']} old ones ({data['activity_id']})."
    yield alert("split_booked", data["symbol"], text, record.at, badge)


def _adopted(record: Record, badge: str) -> Iterator[Alert]:
    data = record.data
    text = f"{quantity(data['quantity'])} shares became ours: {data['reason']} (by {data['by']})."
    yield alert("books_adopted", data["symbol"], text, record.at, badge)


def _balanced(record: Record, badge: str) -> Iterator[Alert]:
    data = record.data
    held = f"now {quantity(data['quantity'])} shares, " if data["symbol"] else ""
    text = (
        f"{held}cash {money(data['cash'])}, {signed_money(data['residual'])} of it unexplained: "
        f"{data['reason']} (by {data['by']})."
    )
    yield alert("books_balanced", data["symbol"] or "cash", text, record.at, badge)


def _cash(record: Record, badge: str) -> Iterator[Alert]:
    data = record.data
    if source_of(data["kind"]) == DEPOSIT:
        what = "A deposit" if data["amount"] > 0 else "A withdrawal"
        text = f"{signed_money(data['amount'])} ({data['id']}); limits are measured without it."
        yield alert("owner_money", what, text, record.at, badge)


def _locked(record: Record, badge: str) -> Iterator[Alert]:
    """A quarantine is told here, a lock by reconciliation by what it found, a person's own not at all."""
    symbol, reason = record.data["symbol"], record.data["reason"]
    by = record.data.get("by", QUARANTINE)
    if reason is None:
        return
    if by == RECONCILIATION and reason.startswith("external: order"):
        yield alert("external_order", symbol, f"{reason}. No entries in {symbol}.", record.at, badge)
    elif by == QUARANTINE and not reason.startswith(f"{RECONCILIATION}:"):
        named = any(reason.startswith(word) for word in ("symbol_change", "spin_off", "split", "other"))
        text = f"{reason}. No entries in {symbol} from here on."
        event = "corporate_action" if named else "reconciliation_break"
        yield alert(event, symbol, text, record.at, badge)


def _reconciled(record: Record, badge: str) -> Iterator[Alert]:
    data = record.data
    grave = [one for one in data["discrepancies"] if _is_grave(one)]
    if grave:
        first = grave[0]
        named = f"{first['kind']} {first['symbol']}".strip()
        sides = f"ledger {first['ledger']}, broker {first['broker']}"
        text = f"{len(grave)} found; {named}: {sides}. Trading is halted."
        yield alert("reconciliation_break", first["symbol"], text, record.at, badge)
    if data.get("alarming"):
        told = f"{signed_money(data['residual'])} of {signed_money(data['change'])} since the session began"
        yield alert("pnl_residual", "", f"{told} is explained by nothing that was booked.", record.at, badge)


def _is_grave(discrepancy: Mapping[str, Any]) -> bool:
    return discrepancy["kind"] != CORPORATE_ACTION and not discrepancy.get("settling", False)


BOOK_TELLERS: dict[Kind, Callable[[Record, str], Iterator[Alert]]] = {
    Kind.EXTERNAL: _external,
    Kind.BUST: _bust,
    Kind.SPLIT: _split,
    Kind.ADOPTED: _adopted,
    Kind.BALANCED: _balanced,
    Kind.CASH: _cash,
    Kind.LOCK: _locked,
    Kind.RECONCILED: _reconciled,
}
