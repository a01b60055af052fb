"""What the domain tests are made of: a few values, and a journal in memory under the real guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.domain.codec import encode
from pipeline.domain.guard import check_append
from pipeline.domain.journal import Kind, Record, seal
from pipeline.domain.ledger import Ledger
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Decision, Fill, Intent, Purpose, Side, intent_id
from pipeline.domain.trading_state import TradingState

T0 = datetime(2026, 11, 20, 14, 31, tzinfo=UTC)
DAY = date(2026, 11, 20)
SPY_PRICE = 6_712_000
"""671.20, the price in the seed's arithmetic."""
SHARE = 1_000_000_000


def an_intent(
    side: Side = Side.BUY,
    quantity: int = 100 * SHARE,
    purpose: Purpose = Purpose.ENTRY,
    minute: int = 0,
    symbol: str = "SPY",
    release_at: datetime | None = None,
) -> Intent:
    at = T0 + timedelta(minutes=minute)
    decision = Decision("demo", "paper", "momentum", symbol, side, purpose, at)
    return Intent(
        intent_id(decision), "demo", "momentum", symbol, side, purpose, quantity, at, SPY_PRICE, release_at
    )


def a_fill(intent: Intent, quantity: int, number: int = 1, price: int = SPY_PRICE) -> Fill:
    name = f"{intent.id}/{number}"
    return Fill(name, f"o-{intent.id}", intent.id, intent.symbol, intent.side, quantity, price, T0)


@dataclass
class Paper:
    """A journal without a disk: the guard decides, the ledger folds, the records are kept."""

    ledger: Ledger = field(default_factory=Ledger)
    records: list[Record] = field(default_factory=list)
    epoch: int = 0
    now: datetime = T0

    def append(self, kind: Kind, data: Mapping[str, Any]) -> None:
        plain = encode(data)
        check_append(self.ledger, kind, plain, self.epoch)
        head = self.ledger.head
        record = seal(Record(self.ledger.seq + 1, self.now, kind, self.epoch, plain, head, ""))
        self.ledger.apply(record)
        self.records.append(record)

    def lease(self) -> Paper:
        epoch = self.ledger.lease.epoch + 1
        self.append(Kind.LEASE, {"epoch": epoch, "owner": f"owner-{epoch}", "code": "c", "config": "f"})
        self.epoch = epoch
        return self

    def plan(self, intent: Intent) -> None:
        self.append(Kind.INTENT, encode(intent))

    def send(self, intent: Intent, quantity: int | None = None) -> None:
        self.append(Kind.SENDING, {"intent_id": intent.id, "quantity": quantity or intent.quantity})

    def order(self, intent: Intent, state: str, filled: int = 0) -> None:
        self.append(
            Kind.ORDER,
            {
                "intent_id": intent.id,
                "order_id": f"o-{intent.id}",
                "state": state,
                "filled": filled,
                "raw_status": state,
            },
        )

    def fill(self, intent: Intent, quantity: int, number: int = 1, price: int = SPY_PRICE) -> None:
        self.append(Kind.FILL, encode(a_fill(intent, quantity, number, price)))

    def trade(self, intent: Intent) -> None:
        """Plan, send and fill an intent in full."""
        self.plan(intent)
        self.send(intent)
        self.order(intent, "filled", intent.quantity)
        self.fill(intent, intent.quantity)

    def enter(self, state: TradingState, resume: bool = False, reason: str = "test") -> None:
        self.append(Kind.STATE, {"state": int(state), "reason": reason, "by": "tester", "resume": resume})

    def reconciled(self, clean: bool = True) -> None:
        self.append(Kind.RECONCILED, {"session": DAY.isoformat(), "clean": clean, "discrepancies": []})

    def plan_session(self, day: date = DAY) -> None:
        self.append(Kind.SESSION, {"day": day.isoformat(), "open": "", "close": "", "runs": []})

    def baseline(self, day: int, month: int, peak: int) -> None:
        data = {"day": DAY.isoformat(), "day_equity": day, "month_equity": month, "peak_equity": peak}
        self.append(Kind.BASELINE, data)

    def snapshot(self, equity: int, cash: int) -> None:
        data = {"at": T0.isoformat(), "session": DAY.isoformat(), "equity": equity, "cash": cash}
        self.append(Kind.SNAPSHOT, data | {"prices": {}})

    def life(self, intent: Intent) -> OrderLife:
        return self.ledger.lives[intent.id]
