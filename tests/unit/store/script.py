"""Journals written by hand, record by record, for the store's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.domain.codec import encode
from pipeline.domain.journal import GENESIS, Kind, Record, seal
from pipeline.domain.money import to_money, to_price, to_qty
from pipeline.domain.orders import Fill, Intent, Purpose, Side
from pipeline.domain.portfolio import CashActivity

MONDAY, TUESDAY = "2013-10-07", "2013-10-08"


def at(day: str, clock: str) -> datetime:
    """Return an instant, UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)


@dataclass(slots=True)
class Script:
    """A journal under construction."""

    records: list[Record] = field(default_factory=list)
    now: datetime = datetime(2013, 10, 7, 11, tzinfo=UTC)

    def add(self, kind: Kind, data: Mapping[str, Any], now: datetime | None = None) -> None:
        """Append a sealed record."""
        self.now = now or self.now
        prev = self.records[-1].hash if self.records else GENESIS
        self.records.append(seal(Record(len(self.records) + 1, self.now, kind, 1, data, prev, "")))

    def session(self, day: str, runs: tuple[tuple[str, str], ...] = ()) -> None:
        """Plan a session of a normal New York day in October; runs are (procedure, clock)."""
        planned = [[procedure, at(day, clock).isoformat()] for procedure, clock in runs]
        hours = {"open": at(day, "13:30:00").isoformat(), "close": at(day, "20:00:00").isoformat()}
        self.add(
            Kind.SESSION, {"day": day, **hours, "early_close": False, "runs": planned}, at(day, "11:00:00")
        )

    def intent(self, key: str, side: str, symbol: str, quantity: str, price: str, held: bool = False) -> None:
        """Decide at the current instant; exits are sells of long positions, whatever the side says."""
        purpose = Purpose.ENTRY if "entry" in key else Purpose.EXIT
        release = self.now if held else None
        decided = (self.now, to_price(price), release, f"because {key}")
        what = ("ACCOUNT", "momentum", symbol, Side(side), purpose, to_qty(quantity))
        self.add(Kind.INTENT, encode(Intent(key, *what, *decided)))

    def order(self, key: str, state: str, filled: str, raw: str) -> None:
        """Hear of the order of an intent."""
        told = {"intent_id": key, "order_id": f"o-{key}", "state": state, "filled": to_qty(filled)}
        self.add(Kind.ORDER, {**told, "raw_status": raw})

    def fill(self, number: str, key: str, side: str, symbol: str, quantity: str, price: str) -> None:
        """Book an execution at the current instant."""
        amounts = (to_qty(quantity), to_price(price), self.now)
        self.add(Kind.FILL, encode(Fill(number, f"o-{key}", key, symbol, Side(side), *amounts)))

    def cash(self, number: str, kind: str, amount: str, day: str) -> None:
        """Book money that moved on a day; brokers give no hour."""
        moved = CashActivity(number, kind, to_money(amount), at(day, "00:00:00"), f"{kind} {number}")
        self.add(Kind.CASH, encode(moved))

    def snapshot(self, day: str, clock: str, equity: str, positions: Mapping[str, Any] | None = None) -> None:
        """Take stock."""
        when = at(day, clock)
        totals = {"equity": to_money(equity), "cash": to_money(equity), "prices": {"SPY": to_price("101.25")}}
        stamp = {"at": when.isoformat(), "session": day}
        self.add(Kind.SNAPSHOT, {**stamp, **totals, "positions": positions or {}}, when)


def run(day: str, procedure: str, clock: str, **more: Any) -> dict[str, Any]:
    """Return what names a run, and more."""
    return {"procedure": procedure, "session": day, "instant": at(day, clock).isoformat(), **more}


def two_days() -> list[Record]:
    """Return two sessions of trading: three round trips, fees, a deposit, and every kind of record.

    Monday: 2 SPY bought in two fills, sold in two fills. Tuesday: a losing SPY trip, a winning QQQ short.
    """
    script = Script()
    lease = {
        "epoch": 1,
        "owner": "desk",
        "code": "c0de",
        "config": "c0ff",
        "mode": "paper",
        "account": "ACCOUNT",
    }
    script.add(Kind.LEASE, lease)
    script.add(Kind.OPENING, {"cash": to_money("10000"), "positions": {}})
    _monday(script)
    _tuesday(script)
    return script.records


def _monday(script: Script) -> None:
    script.session(
        MONDAY, (("market-open", "13:30:00"), ("intraday-tick", "13:31:00"), ("daily-report", "21:30:00"))
    )
    base = {"day": MONDAY, "day_equity": to_money("10000"), "month_equity": to_money("10000")}
    script.add(Kind.BASELINE, {**base, "peak_equity": to_money("10000")})
    step = run(
        MONDAY, "pre-market", "12:30:00", name="disk", outcome="fail", evidence="1 GB", details={"gb": 1}
    )
    script.add(Kind.STEP, step)
    script.add(Kind.ENABLED, {"day": MONDAY, "go": True, "entries": True, "reason": "GO"})
    script.add(Kind.CLAIM, run(MONDAY, "market-open", "13:30:00", driver="desk"), at(MONDAY, "13:30:01"))
    done = {"outcome": "completed", "reason": "", "driver": "desk", "summary": {"steps": 3}}
    script.add(Kind.RUN, run(MONDAY, "market-open", "13:30:00", **done), at(MONDAY, "13:30:02"))
    script.add(Kind.CLAIM, run(MONDAY, "intraday-tick", "13:31:00", driver="desk"), at(MONDAY, "13:32:10"))
    _decision(script)
    script.snapshot(MONDAY, "13:31:30", "10000")
    script.now = at(MONDAY, "13:32:20")
    script.add(Kind.RUN, run(MONDAY, "intraday-tick", "13:31:00", **done))
    late = {"outcome": "skipped", "reason": "stale", "driver": "other", "summary": {}}
    script.add(Kind.RUN, run(MONDAY, "intraday-tick", "13:31:00", **late))
    script.snapshot(
        MONDAY, "13:45:00", "9990", {"SPY": {"quantity": to_qty("2"), "cost": to_money("200.05")}}
    )
    _exit(script)
    script.snapshot(MONDAY, "20:00:00", "10001.83")
    clean = {"session": MONDAY, "clean": True, "trigger": "close", "discrepancies": []}
    script.add(Kind.RECONCILED, clean, at(MONDAY, "21:00:00"))
    script.add(Kind.REPORT, {"session": MONDAY, "path": "reports/x.html", "digest": "ab"})


def _decision(script: Script) -> None:
    signal = {
        "symbol": "SPY",
        "strategy": "momentum",
        "direction": 1,
        "confidence": 700_000,
        "price": 1_000_000,
    }
    tick = {
        "session": MONDAY,
        "instant": at(MONDAY, "13:31:00").isoformat(),
        "driver": "desk",
        "inputs": "f00d",
    }
    script.add(Kind.TICK, {**tick, "symbols": 2, "signals": [signal], "intents": 1, "state": "NORMAL"})
    breach = {"limit": "max_exposure", "allowed": to_money("200"), "actual": to_money("300"), "unit": "money"}
    asked = {"asked": to_qty("3"), "quantity": to_qty("2"), "breaches": [breach], "intent_id": "entry-1"}
    who = {"symbol": "SPY", "side": "buy", "purpose": "entry", "strategy": "momentum"}
    script.add(Kind.VERDICT, {"instant": tick["instant"], **who, **asked})
    script.intent("entry-1", "buy", "SPY", "2", "100", held=True)
    script.add(Kind.SENDING, {"intent_id": "entry-1"}, at(MONDAY, "13:31:05"))
    script.add(Kind.UNKNOWN, {"intent_id": "entry-1", "reason": "timeout"})
    script.add(Kind.ACKED, {"intent_id": "entry-1", "order_id": "o-entry-1"})
    script.order("entry-1", "partial", "1.5", "partially_filled")
    script.fill("f-1", "entry-1", "buy", "SPY", "1.5", "100.02")
    script.fill("f-1", "entry-1", "buy", "SPY", "1.5", "100.02")
    script.order("entry-1", "filled", "2", "filled")
    script.fill("f-2", "entry-1", "buy", "SPY", "0.5", "100.04")


def _exit(script: Script) -> None:
    script.now = at(MONDAY, "15:00:00")
    script.intent("exit-1", "sell", "SPY", "2", "101")
    script.add(Kind.SENDING, {"intent_id": "exit-1"})
    script.order("exit-1", "filled", "2", "filled")
    script.fill("f-3", "exit-1", "sell", "SPY", "1", "100.98")
    script.fill("f-4", "exit-1", "sell", "SPY", "1", "100.94")


def _tuesday(script: Script) -> None:
    script.session(TUESDAY)
    script.cash("c-1", "FEE", "-0.04", MONDAY)
    script.snapshot(TUESDAY, "13:31:00", "10000")
    script.now = at(TUESDAY, "14:00:00")
    script.cash("c-2", "CSD", "500", TUESDAY)
    script.cash("c-2", "CSD", "500", TUESDAY)
    script.snapshot(TUESDAY, "14:01:00", "10501")
    legs = (("buy", "SPY", "1", "102", "102"), ("sell", "SPY", "1", "101.60", "101.50"))
    shorts = (("sell", "QQQ", "2", "50", "50"), ("buy", "QQQ", "2", "48.25", "48.25"))
    for number, (side, symbol, quantity, seen, price) in enumerate(legs + shorts):
        key = f"{'exit' if number % 2 else 'entry'}-2{number}"
        script.intent(key, side, symbol, quantity, seen)
        script.add(Kind.SENDING, {"intent_id": key})
        script.order(key, "filled", quantity, "filled")
        script.fill(f"f-2{number}", key, side, symbol, quantity, price)
    _trouble(script)
    script.snapshot(TUESDAY, "20:00:00", "10504.79")
    script.cash("c-3", "FEE", "-0.04", TUESDAY)


def _trouble(script: Script) -> None:
    """Orders that come to nothing, a silent broker, a halt and what people hear of it."""
    script.intent("entry-3", "buy", "SPY", "1", "102")
    script.add(Kind.SENDING, {"intent_id": "entry-3"})
    script.add(Kind.REJECTED, {"intent_id": "entry-3", "code": "403", "reason": "insufficient buying power"})
    script.intent("entry-4", "buy", "QQQ", "1", "49", held=True)
    script.add(Kind.VETOED, {"intent_id": "entry-4", "reason": "price moved"})
    script.intent("entry-5", "buy", "SPY", "1", "102")
    script.add(Kind.SENDING, {"intent_id": "entry-5"})
    script.add(Kind.CANCEL, {"intent_id": "entry-5", "reason": "timeout"})
    script.order("entry-5", "cancelled", "0", "canceled")
    script.add(Kind.SILENCE, {"since": at(TUESDAY, "15:00:00").isoformat(), "failures": 3})
    script.add(Kind.SILENCE, {"since": None, "failures": 0})
    found = {"kind": "position", "symbol": "SPY", "ledger": 0, "broker": 1, "detail": "1 share not ours"}
    unclean = {"session": TUESDAY, "clean": False, "trigger": "periodic", "discrepancies": [found]}
    script.add(Kind.RECONCILED, unclean)
    script.add(Kind.LOCK, {"symbol": "SPY", "reason": "external position"})
    script.add(Kind.STATE, {"state": 3, "reason": "kill switch", "by": "ann", "resume": False})
    alert = {
        "id": "a-1",
        "event": "halted",
        "severity": "critical",
        "title": "Halted",
        "text": "Ann halted trading.",
    }
    said = {**alert, "at": script.now.isoformat(), "mode": "SIM", "fields": [["state", "HALTED"]]}
    script.add(Kind.ALERT, said)
    script.add(Kind.ALERT, said)
    script.add(Kind.DELIVERED, {"alert_id": "a-1", "channel": "console", "outcome": "ok"})


def restamped(records: list[Record]) -> list[Record]:
    """Return another journal with the same payloads: every hash differs."""
    script = Script()
    for record in records:
        script.add(record.kind, record.data, replace(record, epoch=2).at.replace(microsecond=1))
    return script.records


WEDNESDAY = "2013-10-09"


def three_days() -> list[Record]:
    """Return two days and a Wednesday of books: others' trades, a split, a bust, an adoption, a balance.

    SPY: 1 bought at 100 and bust; 2 bought at 100, split 2:1, 4 sold at 51 (+4.00). QQQ: 3 bought by hand at
    50, adopted, 3 sold at 49 (−3.00). DIA: 1 appears out of nowhere, balanced at 150.
    """
    script = Script(two_days())
    script.session(WEDNESDAY)
    version = {"session": WEDNESDAY, "code": "c0de", "config": "c0ff", "by": "desk", "reason": "first lease"}
    script.add(Kind.VERSION, version)
    script.now = at(WEDNESDAY, "14:00:00")
    taken_back = Fill("f-b", "o-b", "", "SPY", Side.BUY, to_qty("1"), to_price("100"), script.now)
    script.add(Kind.FILL, encode(taken_back))
    bust = {"fill_id": "f-b", "reason": "no longer listed", "realized": 0, "external": False}
    script.add(Kind.BUST, bust | {"fill": encode(taken_back)})
    script.fill("f-30", "entry-30", "buy", "SPY", "2", "100")
    split = {"activity_id": "s-1", "symbol": "SPY", "numerator": 2, "denominator": 1}
    script.add(Kind.SPLIT, split | {"at": at(WEDNESDAY, "14:05:00").isoformat(), "rescale": True})
    script.fill("f-31", "exit-30", "sell", "SPY", "4", "51")
    by_hand = Fill("x-1", "o-x", "", "QQQ", Side.BUY, to_qty("3"), to_price("50"), script.now)
    script.add(Kind.EXTERNAL, encode(by_hand))
    said = {"by": "ann", "reason": "mine"}
    moved = {"symbol": "QQQ", "quantity": to_qty("3"), "cost": to_money("150"), "cash": to_money("-150")}
    script.add(Kind.ADOPTED, moved | said)
    script.fill("f-32", "exit-31", "sell", "QQQ", "3", "49")
    held = {"symbol": "DIA", "quantity": to_qty("1"), "cost": to_money("150"), "cash": to_money("10502")}
    script.add(Kind.BALANCED, held | said | {"residual": to_money("150")})
    script.add(Kind.LOCK, {"symbol": "DIA", "reason": "looking at it", "by": "ann"})
    explained = dict.fromkeys(("unrealized", "external", "dividends", "fees", "interest", "other"), 0)
    told = {
        "equity": to_money("10652"),
        "change": to_money("151"),
        "deposits": 0,
        "residual": to_money("150"),
    }
    clean = {"session": WEDNESDAY, "clean": True, "trigger": "balance", "discrepancies": []}
    script.add(Kind.RECONCILED, clean | told | {"explained": explained | {"realized": to_money("1")}})
    return script.records
