"""The books under every order of executions, adoptions, splits, busts, money and drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION, Baseline, Ledger
from pipeline.domain.money import notional, to_money, to_price, to_qty
from pipeline.domain.orders import Fill, Side
from pipeline.domain.pnl import Explained, explain, residual, source_of, unrealized
from pipeline.domain.portfolio import CashActivity, Position, apply_fill, merged, split, undo_fill

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
SYMBOLS = ("SPY", "QQQ")


@dataclass
class Account:
    """What a broker's account would hold, kept by plain addition, and the ledger of the same events.

    Attributes:
        start: equity at the session's baseline; owner: deposits since; unexplained: what was balanced away.
    """

    ledger: Ledger = field(default_factory=Ledger)
    cash: int = to_money(100_000)
    shares: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 0))
    marks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, to_price(100)))
    start: int = to_money(100_000)
    unexplained: int = 0
    fills: list[Fill] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = Baseline(date(2026, 11, 20), self.start, self.start, self.start)
        self.write(Kind.BASELINE, encode(base))
        self.write(Kind.OPENING, {"cash": self.cash, "positions": {}})

    def write(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Fold one record."""
        seq = self.ledger.seq + 1
        at = NOON + timedelta(seconds=seq)
        self.ledger.apply(Record(seq, at, kind, 0, data, "", ""))

    def trade(self, symbol: str, side: Side, quantity: int, price: int, ours: bool) -> None:
        """Execute, by an order of ours or of somebody else."""
        fill = Fill(f"f-{len(self.fills)}", "o", "", symbol, side, quantity, price, NOON)
        self.fills.append(fill)
        self.cash -= notional(price, fill.signed_quantity)
        self.shares[symbol] += fill.signed_quantity
        self.marks[symbol] = price
        self.write(Kind.FILL if ours else Kind.EXTERNAL, encode(fill))

    def bust(self, which: int) -> None:
        """Take one execution back, unless it was already, or shares were counted anew since."""
        alive = [fill for fill in self.fills if fill.id not in self.ledger.busts]
        split_since = {one.symbol for one in self.ledger.splits}
        alive = [fill for fill in alive if fill.symbol not in split_since]
        if alive:
            fill = alive[which % len(alive)]
            self.cash += notional(fill.price, fill.signed_quantity)
            self.shares[fill.symbol] -= fill.signed_quantity
            self.write(Kind.BUST, {"fill_id": fill.id, "reason": "bust"})

    def split(self, symbol: str) -> None:
        """Two shares for one, at half the price."""
        self.shares[symbol] *= 2
        self.marks[symbol] //= 2
        data = {"activity_id": f"s-{self.ledger.seq}", "symbol": symbol, "numerator": 2, "denominator": 1}
        self.write(Kind.SPLIT, data | {"at": NOON.isoformat()})
        self.write(Kind.SPLIT, data | {"at": NOON.isoformat()})

    def move(self, kind: str, amount: int) -> None:
        """Move money other than by an execution."""
        self.cash += amount
        self.write(Kind.CASH, encode(CashActivity(f"c-{self.ledger.seq}", kind, amount, NOON)))

    def drift(self, symbol: str, amount: int) -> None:
        """Let cash vanish or appear without a word, and a person balance the books."""
        self.cash += amount
        before = self.ledger.positions.get(symbol), self.ledger.external.get(symbol)
        known = sum(one.cost for one in before if one is not None)
        cost = notional(self.marks[symbol], self.shares[symbol])
        self.unexplained += amount + cost - known
        data = {"symbol": symbol, "quantity": self.shares[symbol], "cost": cost, "cash": self.cash}
        self.write(Kind.BALANCED, data | {"by": "ann", "reason": "drift", "residual": 0})

    def adopt(self, symbol: str) -> None:
        """Make what others did in a symbol ours."""
        self.write(Kind.ADOPTED, {"symbol": symbol, "by": "ann", "reason": "mine"})

    @property
    def equity(self) -> int:
        """What the broker would show."""
        return self.cash + sum(notional(self.marks[symbol], self.shares[symbol]) for symbol in SYMBOLS)


quantities = st.integers(1, 500).map(lambda shares: shares * to_qty(1) // 4)
prices = st.integers(80 * 100, 120 * 100).map(lambda cents: cents * 100)
amounts = st.integers(-500_00, 500_00).map(lambda cents: cents * 10_000)
symbols = st.sampled_from(SYMBOLS)
events = st.one_of(
    st.tuples(st.just("trade"), symbols, st.sampled_from(Side), quantities, prices, st.booleans()),
    st.tuples(st.just("bust"), st.integers(0, 99)),
    st.tuples(st.just("split"), symbols),
    st.tuples(st.just("move"), st.sampled_from(("CSD", "CSW", "DIV", "FEE", "INT", "MISC")), amounts),
    st.tuples(st.just("adopt"), symbols),
    st.tuples(st.just("drift"), symbols, amounts),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=25))
def test_shares_cash_and_profit_are_accounted_for_whatever_happens(happened: list[tuple[Any, ...]]) -> None:
    """I11: the ledger holds what plain addition holds, and all but the balanced drift is explained."""
    account = Account()
    for name, *arguments in happened:
        getattr(account, name)(*arguments)
        ledger = account.ledger

        assert (ledger.cash or 0) + ledger.external_cash == account.cash
        assert {symbol: ledger.held_there(symbol) for symbol in SYMBOLS} == account.shares
        assert ledger.tally is not None
        assert ledger.baseline is not None
        explained = explain(
            ledger.tally,
            unrealized(ledger.positions, account.marks),
            unrealized(ledger.external, account.marks),
        )
        left = residual(account.equity, ledger.baseline.day_equity, explained)
        assert abs(left - account.unexplained) <= 4  # micro-units: two holdings are rounded apart


@given(st.lists(st.tuples(st.sampled_from(Side), quantities, prices), min_size=1, max_size=12))
def test_undoing_the_newest_execution_is_as_if_it_had_never_been(traded: list[tuple[Any, ...]]) -> None:
    """Position and profit before and after a bust of the last of any trades are equal, exactly."""
    position = before = None
    fill, realized = None, 0
    for number, (side, quantity, price) in enumerate(traded):
        fill = Fill(f"f-{number}", "o", "", "SPY", side, quantity, price, NOON)
        before = position
        done = apply_fill(position, fill)
        position, realized = done.position, done.realized
    assert fill is not None
    undone = undo_fill(position, fill, realized)

    after, was = undone.position, before

    assert undone.realized == -realized
    assert (after is None) == (was is None)
    assert after is None or was is None or (after.quantity, after.cost) == (was.quantity, was.cost)


def held(shares: int, cost: int) -> Position:
    """Return so many SPY for so many dollars."""
    return Position("SPY", to_qty(shares), to_money(cost), NOON)


@pytest.mark.parametrize(
    ("ours", "theirs", "left", "realized"),
    [
        (held(100, 1_000), held(-40, -480), held(60, 600), 80),  # 40 bought at 10, sold by hand at 12
        (held(-100, -1_000), held(40, 480), held(-60, -600), -80),
        (held(100, 1_000), held(-100, -900), None, -100),
        (held(100, 1_000), held(-150, -1_800), held(-50, -600), 200),
        (held(100, 1_000), held(50, 600), held(150, 1_600), 0),
        (None, held(50, 600), held(50, 600), 0),
    ],
)
def test_two_holdings_of_one_symbol_become_one(
    ours: Position | None, theirs: Position, left: Position | None, realized: int
) -> None:
    """Average cost, by hand: what is long in one and short in the other is closed at the other's price."""
    done = merged(ours, theirs)

    assert (done.position, done.realized) == (left, to_money(realized))


def test_a_reverse_split_cuts_off_what_is_less_than_the_smallest_part() -> None:
    """1:8 of 12.5 shares is 1.5625; 1:3 of 0.000000001 share is nothing."""
    assert split(held(25, 100), 1, 16) == Position("SPY", to_qty("1.5625"), to_money(100), NOON)
    assert split(Position("SPY", 1, 5, NOON), 1, 3) is None


def test_the_residual_is_what_no_name_explains() -> None:
    """Equity 100,000 → 100,250; 300 taken, −80 not taken, −5 not ours, 20 dividends, −10 fees: 25 left."""
    money = to_money
    explained = Explained(money(300), money(-80), money(-5), money(20), money(-10), 0, 0)

    assert residual(money(100_250), money(100_000), explained) == money(25)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *((kind, "deposit") for kind in ("CSD", "CSW", "JNLC")),
        *((kind, "dividend") for kind in ("DIV", "DIVNRA")),
        *((kind, "fee") for kind in ("FEE", "CFEE", "PTC")),
        ("INT", "interest"),
        ("MISC", "other"),
    ],
)
def test_an_activity_has_one_source(kind: str, source: str) -> None:
    """Alpaca's activity types, by name."""
    assert source_of(kind) == source


def test_locks_of_journals_from_before_they_had_names_are_told_apart_by_their_reason() -> None:
    """Reconciliation began its own with its name; everything else was a quarantine."""
    account = Account()
    account.write(Kind.LOCK, {"symbol": "SPY", "reason": "reconciliation: it differs"})
    account.write(Kind.LOCK, {"symbol": "QQQ", "reason": "order x: overfilled"})

    assert account.ledger.locked_by == {"SPY": RECONCILIATION, "QQQ": QUARANTINE}


def test_what_we_may_close_is_what_the_broker_still_holds() -> None:
    """100 of ours; a person sells 60, then 60 more: 40 are left to close, then none."""
    account = Account()
    account.trade("SPY", Side.BUY, to_qty(100), to_price(10), ours=True)
    account.trade("SPY", Side.SELL, to_qty(60), to_price(10), ours=False)
    left = account.ledger.closable["SPY"]
    account.trade("SPY", Side.SELL, to_qty(60), to_price(10), ours=False)

    assert (left.quantity, left.cost) == (to_qty(40), to_money(400))
    assert account.ledger.closable == {}
