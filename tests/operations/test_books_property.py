"""I4: whatever happens in the account, after reconciliation the books agree or the symbol is locked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.reconcile import CASH_TOLERANCE
from pipeline.domain.trading_state import TradingState
from pipeline.errors import UsageError
from pipeline.exchange.control import ExchangeControl
from pipeline.operations import books
from pipeline.operations.reconciliation import reconcile
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

SCRIPT = ", ".join(
    f"{sign}{symbol} 14:{minute}"
    for symbol, begin in (("SPY", 35), ("QQQ", 37))
    for sign, minute in (("+", begin), ("-", begin + 4), ("+", begin + 8))
)

Act = Callable[[ExchangeControl, random.Random], object]
ACTS: dict[str, Act] = {
    "trade": lambda control, chance: control.trade(
        chance.choice(("SPY", "QQQ")), chance.choice(("buy", "buy", "sell")), chance.randint(1, 3)
    ),
    "deposit": lambda control, chance: control.deposit(chance.randint(1, 500)),
    "withdraw": lambda control, chance: control.withdraw(chance.randint(1, 100)),
    "fee": lambda control, chance: control.fee("0.37"),
    "interest": lambda control, chance: control.interest("-0.11"),
    "dividend": lambda control, chance: control.dividend(chance.choice(("SPY", "QQQ")), "0.5"),
    "split": lambda control, chance: control.split(chance.choice(("SPY", "QQQ")), 2, 1),
    "bust": lambda control, chance: control.bust(),
    "correct": lambda control, chance: control.correct(price=f"{chance.randint(100, 300)}.00"),
    "appear": lambda control, chance: control.position("QQQ", chance.randint(4, 9), 1_000),
}


@pytest.mark.parametrize("seed", [0, 5, 8, 21, 23])
def test_after_reconciliation_books_agree_or_the_symbol_is_locked(tmp_path: Path, seed: int) -> None:
    """Eleven things happen at random between ticks. One more look at the end writes its outcome alone.

    The seeds found: an execution taken back before it was booked, and a split on top of something else.
    """
    chance, seen = random.Random(seed), Counter[str]()
    with rehearsal(tmp_path, overlay(SCRIPT)) as desk:
        desk.morning()
        for minute in range(35, 46):
            desk.tick(f"14:{minute}")
            name = chance.choice(tuple(ACTS))
            desk.to(at(f"14:{minute}") + timedelta(seconds=12))
            seen[name] += happened(desk, name, chance)
            desk.monitor(f"14:{minute}:30")
        desk.to(at("14:50"))
        found = reconcile(desk.desk, "test", desk.now())
        assert_agrees_or_is_locked(desk, bool(found))
        before = desk.ledger.seq
        again = reconcile(desk.desk, "test", desk.now())

        assert again == found
        assert [record.kind for record in desk.desk.journal.records(before)] == [Kind.RECONCILED]
        assert sum(seen.values()) >= 4
        put_right(desk)


def happened(desk: Rehearsal, name: str, chance: random.Random) -> bool:
    """Let it happen; tell whether the exchange took it (it refuses short sales, and busts of nothing)."""
    try:
        ACTS[name](desk.exchange.control(), chance)
    except UsageError:
        return False
    return True


def assert_agrees_or_is_locked(desk: Rehearsal, halts: bool) -> None:
    """Check I4: shares equal, or the symbol locked; unexplained, and nobody trades."""
    broker, ledger = desk.desk.broker, desk.ledger
    there = {held.symbol: held.quantity for held in broker.fetch_positions()}
    for symbol in {*there, *ledger.positions, *ledger.external}:
        assert ledger.held_there(symbol) == there.get(symbol, 0) or symbol in ledger.locks
    cash = (ledger.cash or 0) + ledger.external_cash
    assert abs(cash - broker.fetch_account().cash) <= CASH_TOLERANCE or halts
    assert not halts or ledger.state.state is TradingState.HALTED


def put_right(desk: Rehearsal) -> None:
    """A person adopts what others did and balances the rest: the books agree, and a resume works."""
    for symbol in tuple(desk.ledger.external_moves):
        books.adopt(desk.desk, symbol, "mine", "ann", desk.now())
    if not desk.ledger.clean:
        books.balance(desk.desk, "", "as it is", "ann", desk.now())
    ledger = desk.ledger
    there = {held.symbol: held.quantity for held in desk.desk.broker.fetch_positions()}

    assert ledger.clean
    assert {symbol: held.quantity for symbol, held in ledger.positions.items()} == there
    assert abs((ledger.cash or 0) - desk.desk.broker.fetch_account().cash) <= CASH_TOLERANCE
    assert "reconciliation" not in ledger.locked_by.values()
