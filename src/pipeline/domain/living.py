"""How the ledger folds the life of orders: decided, sent, answered, executed, ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.domain.codec import decode
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Intent, IntentState

if TYPE_CHECKING:
    from pipeline.domain.journal import Record
    from pipeline.domain.ledger import Ledger


def plan(ledger: Ledger, record: Record) -> None:
    intent = decode(Intent, record.data)
    life = OrderLife(intent)
    held = intent.release_at is not None
    ledger.advance(life.move(IntentState.HELD, record.at) if held else life)


def moved(state: IntentState, note: str) -> Callable[[Ledger, Record], None]:
    def fold(ledger: Ledger, record: Record) -> None:
        life = ledger.lives[record.data["intent_id"]]
        order_id = record.data.get("order_id", "")
        ledger.advance(life.move(state, record.at, record.data.get(note, ""), order_id))

    return fold


def unknown(ledger: Ledger, record: Record) -> None:
    moved(IntentState.UNKNOWN, "reason")(ledger, record)
    if not record.data.get("sent", True):
        ledger.advance(ledger.lives[record.data["intent_id"]].unsent())
    ledger.doubted_at = record.at


def sending(ledger: Ledger, record: Record) -> None:
    life = ledger.lives[record.data["intent_id"]]
    moved = life.shrunk(record.data["quantity"]).move(IntentState.SENDING, record.at)
    ledger.advance(moved)
    ledger.sent_today += moved.sends == 1


def told(ledger: Ledger, record: Record) -> None:
    data = record.data
    life = ledger.lives[data["intent_id"]].executed(data["filled"])
    ledger.advance(life.told(IntentState(data["state"]), record.at, data["raw_status"], data["order_id"]))


def cancel(ledger: Ledger, record: Record) -> None:
    ledger.advance(ledger.lives[record.data["intent_id"]].cancelling(record.at))
