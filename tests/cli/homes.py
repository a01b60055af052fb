"""Homes for the command's tests: journals written record by record, under the real guard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.money import to_money, to_price, to_qty
from pipeline.domain.orders import Fill, Intent, Purpose, Side
from pipeline.wiring.desks import open_journal
from pipeline.wiring.spec import DeskSpec

CONFIG = Path(__file__).parents[2] / "deployments" / "config"
FILES = (str(CONFIG / "live_momentum_strategy.yaml"), str(CONFIG / "rehearsal.yaml"))
DAY = "2026-11-20"
OPEN, CLOSE = (datetime(2026, 11, 20, hour, minute, tzinfo=UTC) for hour, minute in ((14, 30), (21, 0)))


def marketday(*arguments: str | Path, typed: str | None = None, columns: int = 80) -> Result:
    """Run the command in this process, in a terminal 80 columns wide."""
    runner = CliRunner(env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    return runner.invoke(app, [str(word) for word in arguments], input=typed)


def printed_json(*arguments: str | Path) -> Any:
    """Return what a read verb prints with --json."""
    result = marketday(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@dataclass
class Home:
    """A home under construction. ``now`` is the instant of the next record."""

    path: Path
    account: str = "rehearsal"
    now: datetime = OPEN - timedelta(hours=1)
    configured: bool = True

    def __post_init__(self) -> None:
        self.journal = open_journal(self.path, self.account)
        if self.configured:
            spec = DeskSpec(FILES, (), str(self.path))
            (self.path / "desk.json").write_text(json.dumps(encode(spec)))
        self.journal.take_lease("tests", "code", "config", self.now)

    def add(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Append a record."""
        self.journal.append(kind, data, self.now)

    def begin(self, equity: str = "10000", month: str = "10000", peak: str = "10000") -> Home:
        """Plan the session of 20 November 2026, open the books, say GO and open the exchange."""
        self.add(Kind.OPENING, {"cash": to_money(equity), "positions": {}})
        hours = {"open": OPEN.isoformat(), "close": CLOSE.isoformat(), "early_close": False}
        self.add(Kind.SESSION, {"day": DAY, **hours, "runs": []})
        base = {
            "day_equity": to_money(equity),
            "month_equity": to_money(month),
            "peak_equity": to_money(peak),
        }
        self.add(Kind.BASELINE, {"day": DAY, **base})
        self.add(Kind.ENABLED, {"day": DAY, "go": True, "entries": True, "reason": "GO"})
        self.now = OPEN + timedelta(minutes=2)
        return self

    def decide(
        self, key: str, side: str, symbol: str, quantity: str, price: str, hold_seconds: int | None = None
    ) -> None:
        """Journal an intent; sells are exits."""
        purpose = Purpose.ENTRY if side == "buy" else Purpose.EXIT
        release = None if hold_seconds is None else self.now + timedelta(seconds=hold_seconds)
        what = ("rehearsal", "momentum", symbol, Side(side), purpose, to_qty(quantity), self.now)
        self.add(Kind.INTENT, encode(Intent(key, *what, to_price(price), release, f"because of {key}")))

    def send(self, key: str, quantity: str) -> None:
        """Journal that a request left."""
        self.add(Kind.SENDING, {"intent_id": key, "quantity": to_qty(quantity)})

    def fill(self, key: str, quantity: str, price: str) -> None:
        """Send an intent and hear that it was filled in one execution."""
        self.send(key, quantity)
        told = {"intent_id": key, "order_id": f"o-{key}", "state": "filled", "raw_status": "filled"}
        self.add(Kind.ORDER, told | {"filled": to_qty(quantity)})
        intent = self.journal.ledger.lives[key].intent
        amounts = (to_qty(quantity), to_price(price), self.now)
        self.add(Kind.FILL, encode(Fill(f"f-{key}", f"o-{key}", key, intent.symbol, intent.side, *amounts)))

    def fail(self, procedure: str, reason: str) -> None:
        """Journal a pass that failed now."""
        done = {"outcome": "failed", "reason": reason, "driver": "session", "summary": {}}
        when = {"procedure": procedure, "session": DAY, "instant": self.now.isoformat()}
        self.add(Kind.RUN, when | done)

    def split(self, symbol: str, new: int, old: int) -> None:
        """Count shares anew from now on."""
        ratio = {"numerator": new, "denominator": old, "rescale": True}
        self.add(Kind.SPLIT, {"activity_id": "s-1", "symbol": symbol, "at": self.now.isoformat()} | ratio)

    def trade_by_hand(self, key: str, symbol: str, side: str, quantity: str, price: str) -> None:
        """Hear of an execution of an order that is not ours."""
        amounts = (to_qty(quantity), to_price(price), self.now)
        self.add(Kind.EXTERNAL, encode(Fill(key, f"o-{key}", "", symbol, Side(side), *amounts)))

    def snapshot(self, equity: str, cash: str, **prices: str) -> None:
        """Take stock."""
        totals = {"equity": to_money(equity), "cash": to_money(cash)}
        shown = {symbol: to_price(price) for symbol, price in prices.items()}
        held = {symbol: encode(position) for symbol, position in self.journal.ledger.positions.items()}
        stamp = {"at": self.now.isoformat(), "session": DAY}
        self.add(Kind.SNAPSHOT, {**stamp, **totals, "prices": shown, "positions": held})


def a_losing_day(path: Path) -> Home:
    """Return a home an hour and 24 minutes into a session.

    4 SPY bought at 671.20 (decided at 671.00), 1 sold at 670.20 (decided at 670.00), SPY now 668.05:
    cash 10,000 − 2,684.80 + 670.20 = 7,985.40; equity 7,985.40 + 3 × 668.05 = 9,989.55.
    The month began at 10,100 and the highest equity was 10,200.
    """
    home = Home(path).begin(month="10100", peak="10200")
    home.decide("md1-first", "buy", "SPY", "4", "671.00")
    home.fill("md1-first", "4", "671.20")
    home.now += timedelta(minutes=30)
    home.decide("md1-second", "sell", "SPY", "1", "670.00")
    home.fill("md1-second", "1", "670.20")
    home.now = OPEN + timedelta(hours=1, minutes=24)
    home.snapshot("9989.55", "7985.40", SPY="668.05")
    return home
