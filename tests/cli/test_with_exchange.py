"""Stopping, reconciling and resuming against a running rehearsal exchange."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.money import QTY_SCALE, to_price
from pipeline.domain.orders import Decision, Intent, IntentState, Purpose, Side, intent_id
from pipeline.domain.trading_state import TradingState
from pipeline.exchange.process import RunningExchange, start
from pipeline.operations.desk import Desk
from pipeline.operations.passes import urgent_pass
from pipeline.operations.reconciliation import reconcile
from pipeline.operations.recovery import recover
from pipeline.operations.sending import send
from pipeline.wiring.desks import open_desk
from pipeline.wiring.spec import DESK_FILE
from tests.cli.homes import FILES, marketday
from tests.exchange.running import write_config

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Running:
    """A home with an exchange in it, an hour into the session of 20 November 2026."""

    path: Path
    exchange: RunningExchange
    desk: Desk

    def buy(self, symbol: str, shares: int, leg: int, journalled: bool = True) -> str:
        """Send a buy; without ``journalled`` it is somebody else's."""
        now = self.desk.clock.now()
        key = intent_id(Decision("t", "rehearsal", "t", symbol, Side.BUY, Purpose.ENTRY, now, leg))
        what = (key, self.desk.account, "t", symbol, Side.BUY, Purpose.ENTRY, shares * QTY_SCALE, now)
        intent = Intent(*what, to_price("671.20"), None, "a test")
        if not journalled:
            self.desk.broker.submit(intent)
            return key
        with urgent_pass(self.desk, "intraday-tick", "test"):
            self.desk.journal.append(Kind.INTENT, encode(intent), now)
            send(self.desk, key, intent.quantity, now)
        return key

    def pass_minutes(self, minutes: int) -> None:
        """Let the exchange's time pass."""
        control = self.exchange.control()
        control.advance(control.now() + timedelta(minutes=minutes))

    def state(self) -> TradingState:
        return self.desk.journal.read().state.state


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    config = write_config(tmp_path / "exchange")
    (tmp_path / "calendar").mkdir()
    shutil.copy(config.with_name("sessions.json"), tmp_path / "calendar" / "XNYS.json")
    spec = {"files": FILES, "overrides": [], "home": str(tmp_path)}
    (tmp_path / DESK_FILE).write_text(json.dumps(spec))
    exchange = start(tmp_path / "exchange", config)
    try:
        exchange.control().advance(NOW)
        desk = open_desk(tmp_path / DESK_FILE)
        with urgent_pass(desk, "startup", "test"):
            reconcile(desk, "test", NOW)
        yield Running(tmp_path, exchange, desk)
        desk.broker.close()
    finally:
        exchange.stop()


def test_a_halt_cancels_at_the_broker_and_a_resume_follows_a_clean_recovery(running: Running) -> None:
    """The order rests until the next bar. Halted, it is cancelled there; the resume's five steps book it."""
    key = running.buy("SPY", 1, 1)

    halted = marketday("halt", "--reason", "x", "--home", running.path)

    order = running.desk.broker.fetch_order(key)
    assert halted.exit_code == 0, halted.output
    assert "1 cancel asked for, 1 confirmed by the broker" in halted.stdout
    assert order is not None
    assert order.state is IntentState.CANCELLED

    resumed = marketday("resume", "--reason", "understood", "--home", running.path)

    assert resumed.exit_code == 0, resumed.output
    assert [line.split()[1] for line in resumed.stdout.splitlines()[:5]] == [
        "validate_system_health:",
        "check_position_integrity:",
        "verify_data_feeds:",
        "test_order_placement:",
        "gradual_trading_resumption:",
    ]
    assert running.state() is TradingState.NORMAL
    assert running.desk.journal.read().lives[key].state is IntentState.CANCELLED


def test_a_difference_halts_and_keeps_trading_halted_until_it_is_gone(running: Running) -> None:
    """Somebody bought 2 QQQ by hand: reconcile exits 1 and halts, resume is a NO-GO, both name the symbol."""
    running.buy("QQQ", 2, 2, journalled=False)
    running.pass_minutes(2)

    found = marketday("reconcile", "--home", running.path)
    resumed = marketday("resume", "--reason", "surely fine", "--home", running.path)

    assert found.exit_code == 1
    assert "QQQ" in found.stdout
    assert resumed.exit_code == 1
    assert "NO-GO: trading stays HALTED" in " ".join(resumed.stdout.split())
    assert running.state() is TradingState.HALTED


def test_flatten_sells_what_is_held_without_a_session_process(running: Running) -> None:
    """1 SPY is held. The exit goes out at once, fills with the next bar; the next pass finds it flat."""
    running.buy("SPY", 1, 3)
    running.pass_minutes(2)
    with urgent_pass(running.desk, "risk-monitor", "test"):
        recover(running.desk, running.desk.clock.now())
    assert set(running.desk.journal.read().positions) == {"SPY"}

    sold = marketday("flatten", "--reason", "going home", "--home", running.path)
    running.pass_minutes(2)
    again = marketday("flatten", "--reason", "going home", "--home", running.path)

    assert sold.exit_code == 0, sold.output
    assert "1 of 1 exit sent" in sold.stdout
    assert again.exit_code == 0, again.output
    assert running.desk.broker.fetch_positions() == ()
    assert running.state() is TradingState.HALTED


def test_what_somebody_else_bought_is_adopted_with_numbers_before_and_after(running: Running) -> None:
    """2 QQQ by hand: reconcile names it, adopt tells shares and cash, a second adopt is refused."""
    running.pass_minutes(1)
    running.exchange.control().trade("QQQ", "buy", 2, price=100)
    looked = marketday("reconcile", "--home", running.path)
    adopted = marketday("adopt", "qqq", "--reason", "bought it myself", "--home", running.path)
    again = marketday("adopt", "QQQ", "--reason", "once more", "--home", running.path)

    assert looked.exit_code == 0, looked.output
    assert "QQQ: 2 not ours, −$200.00 in cash: marketday adopt QQQ" in looked.stdout
    assert adopted.exit_code == 0, adopted.output
    assert "adopted QQQ: 0 → 2 shares, cost $0.00 → $200.00, cash " in adopted.stdout
    assert "ledger equals broker; trading goes on" in adopted.stdout
    assert again.exit_code == 2
    assert "adopt QQQ: nobody else traded it" in " ".join(again.stderr.split())


def test_shares_out_of_nowhere_are_balanced_and_trading_resumes(running: Running) -> None:
    """3 QQQ for $300 appear: halted; balance says what nobody explains, and what to do next."""
    running.exchange.control().position("QQQ", 3, 300)
    found = marketday("reconcile", "--home", running.path)
    balanced = marketday("balance", "--reason", "a transfer", "--home", running.path)
    resumed = marketday("resume", "--reason", "understood", "--home", running.path)

    assert found.exit_code == 1
    assert "marketday balance [SYMBOL] --reason" in found.stdout
    assert balanced.exit_code == 0, balanced.output
    assert "balanced QQQ: 0 → 3 shares" in balanced.stdout
    assert "residual: +$300.00 that nobody explains" in balanced.stdout
    assert "trading is HALTED: marketday resume" in balanced.stdout
    assert resumed.exit_code == 0, resumed.output
    assert running.state() is TradingState.NORMAL


def test_a_symbol_is_locked_and_unlocked_by_hand(running: Running) -> None:
    """A lock with a typing error would protect nothing: the known symbols are named."""
    unknown = marketday("lock", "QQQQ", "--reason", "why", "--home", running.path)
    bare = marketday("lock", "QQQ", "--home", running.path)
    locked = marketday("lock", "QQQ", "--reason", "earnings", "--home", running.path)
    unlocked = marketday("unlock", "QQQ", "--reason", "they are out", "--home", running.path)

    assert unknown.exit_code == 2
    assert "lock QQQQ: neither traded nor held here; known: " in " ".join(unknown.stderr.split())
    assert bare.exit_code == 2
    assert "a reason is needed" in bare.stderr
    assert locked.exit_code == 0, locked.output
    assert "QQQ is unlocked; it was locked for: earnings (by " in unlocked.stdout
    assert running.desk.journal.read().locks == {}
