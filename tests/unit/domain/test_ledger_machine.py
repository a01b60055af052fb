"""Anything may be appended in any order: what the guard and the ledger promise holds after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import ClassVar

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import Fill, Intent, IntentState, Purpose, Side
from pipeline.domain.portfolio import CashActivity
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused
from tests.unit.domain.making import DAY, SPY_PRICE, T0, Paper, an_intent

symbols = st.sampled_from(["SPY", "QQQ"])
quantities = st.integers(1, 100)
some = st.integers(0, 10**6)
ENDED = ("filled", "cancelled", "expired")


class Market:
    """The broker's side of one order: what arrived and was executed, whatever we were told of it."""

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self.quantity = intent.quantity
        self.live = False
        self.ended = False
        self.executed = 0
        self.booked = 0


class Desk(RuleBasedStateMachine):
    """A desk that does everything in a wrong order, too; the broker is honest but slow."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.paper = Paper().lease()
        self.paper.append(Kind.OPENING, {"cash": 10**9, "positions": {}})
        self.orders: list[Market] = []
        self.position: Counter[str] = Counter()
        self.cash = 10**9
        self.minute = 0
        self.day = DAY

    @property
    def ledger(self) -> Ledger:
        return self.paper.ledger

    def attempt(self, name: str, act: Callable[[], None]) -> bool:
        before = self.ledger.seq
        try:
            act()
        except AppendRefused as error:
            assert self.ledger.seq == before
            self.seen[f"{name} refused: {error.code}"] += 1
            return False
        self.seen[name] += 1
        return True

    def pick(self, number: int) -> Market:
        return self.orders[number % len(self.orders)]

    @rule(symbol=symbols, quantity=quantities, purpose=st.sampled_from(Purpose), held=st.booleans(), old=some)
    def plan(self, symbol: str, quantity: int, purpose: Purpose, held: bool, old: int) -> None:
        self.minute += 1
        side = Side.SELL if purpose.reduces else Side.BUY
        minute = old % self.minute if old % 5 == 0 else self.minute
        release = T0 + timedelta(minutes=minute) if held else None
        intent = an_intent(side, quantity, purpose, minute, symbol, release)
        known = intent.id in self.ledger.lives
        if self.attempt("plan", lambda: self.paper.plan(intent)):
            assert not known
            self.orders.append(Market(intent))

    @rule(symbol=symbols, quantity=quantities, told_first=st.booleans())
    def hold(self, symbol: str, quantity: int, told_first: bool) -> None:
        """The happy path, or exits would be rare: an entry filled at once, in either order of telling."""
        self.minute += 1
        order = Market(an_intent(Side.BUY, quantity, Purpose.ENTRY, self.minute, symbol))
        if not self.attempt("plan", lambda: self.paper.plan(order.intent)):
            return
        self.orders.append(order)
        number = len(self.orders) - 1
        self.send(number, arrives=True, less=0)
        self.execute(number, quantity)
        if told_first:
            self.tell(number, state="filled")
        self.book(number, quantity)

    @rule(symbol=symbols, quantity=quantities, purpose=st.sampled_from(list(Purpose)[1:]))
    def leave(self, symbol: str, quantity: int, purpose: Purpose) -> None:
        """An exit of some of what is held, lost on its way once and then executed."""
        self.minute += 1
        quantity = 1 + quantity % max(1, self.position[symbol])
        order = Market(an_intent(Side.SELL, quantity, purpose, self.minute, symbol))
        if not self.attempt("plan", lambda: self.paper.plan(order.intent)):
            return
        self.orders.append(order)
        number = len(self.orders) - 1
        self.send(number, arrives=False, less=0)
        self.note(number, Kind.UNKNOWN)
        self.send(number, arrives=True, less=0)
        self.execute(number, quantity)
        self.tell(number, state="filled")
        self.book(number, quantity // 2)

    @precondition(lambda self: self.orders)
    @rule(number=some, arrives=st.booleans(), less=st.integers(0, 3))
    def send(self, number: int, arrives: bool, less: int) -> None:
        order = self.pick(number)
        life = self.paper.life(order.intent)
        quantity = max(1, life.intent.quantity - less)
        before, state = life, self.ledger.state.state
        if not self.attempt("send", lambda: self.paper.send(order.intent, quantity)):
            return
        assert before.state in (IntentState.PLANNED, IntentState.HELD, IntentState.UNKNOWN)
        assert not before.cancel_requested
        assert self.paper.epoch == self.ledger.lease.epoch
        if order.intent.purpose is Purpose.ENTRY:
            assert state.allows_entries
        else:
            held = self.position[order.intent.symbol]
            assert 0 < quantity <= held
            liquidation = order.intent.purpose is Purpose.LIQUIDATION and state is TradingState.LIQUIDATING
            assert liquidation or not state.latched
        self.seen["resend"] += before.sends
        order.quantity = quantity
        order.live = order.live or arrives  # the same id is the same order, however often it is sent

    @rule(symbol=symbols, quantity=quantities)
    def lose(self, symbol: str, quantity: int) -> None:
        """An entry that was lost on its way and given up, or tombstones would be rare."""
        self.minute += 1
        order = Market(an_intent(Side.BUY, quantity, Purpose.ENTRY, self.minute, symbol))
        if not self.attempt("plan", lambda: self.paper.plan(order.intent)):
            return
        self.orders.append(order)
        number = len(self.orders) - 1
        self.send(number, arrives=False, less=0)
        self.note(number, Kind.UNKNOWN)
        self.note(number, Kind.VETOED)

    @precondition(lambda self: self.ledger.tombstones)
    @rule(number=some, quantity=quantities)
    def arrive_late(self, number: int, quantity: int) -> None:
        """An entry that was given up turns out to be at the broker. (A late exit could sell what is gone.)"""
        key = list(self.ledger.tombstones)[number % len(self.ledger.tombstones)]
        order = next(one for one in self.orders if one.intent.id == key)
        if order.intent.purpose is not Purpose.ENTRY or order.live:
            return
        order.live = True
        self.execute(self.orders.index(order), quantity)
        if self.attempt("rises", lambda: self.paper.order(order.intent, "partial", order.executed)):
            life = self.paper.life(order.intent)
            assert (life.late, life.unsettled) == (True, life.intent.quantity - life.booked)

    @precondition(lambda self: self.orders)
    @rule(number=some, quantity=quantities)
    def execute(self, number: int, quantity: int) -> None:
        order = self.pick(number)
        if order.live and not order.ended:
            order.executed = min(order.quantity, order.executed + quantity)

    @precondition(lambda self: self.orders)
    @rule(number=some, state=st.sampled_from([state.value for state in IntentState]))
    def tell(self, number: int, state: str) -> None:
        """The broker tells an order's state; of an end it tells the final number, and means it."""
        order = self.pick(number)
        if state in ENDED and not order.live:
            return
        if (state == "filled" and order.executed < order.quantity) or (state == "rejected" and order.live):
            return
        if state in ENDED:
            order.ended = True
        self.attempt(f"told {state}", lambda: self.paper.order(order.intent, state, order.executed))

    @precondition(lambda self: self.orders)
    @rule(
        number=some, kind=st.sampled_from([Kind.ACKED, Kind.UNKNOWN, Kind.REJECTED, Kind.CANCEL, Kind.VETOED])
    )
    def note(self, number: int, kind: Kind) -> None:
        """What our own side writes. It gives up an unknown order only when the broker has none."""
        order = self.pick(number)
        if order.live and kind is Kind.REJECTED:
            return
        if order.live and kind is Kind.VETOED and self.paper.life(order.intent).state is IntentState.UNKNOWN:
            return
        data = {"intent_id": order.intent.id, "reason": "r", "code": "c"}
        data |= {"order_id": f"o-{order.intent.id}"} if kind is Kind.ACKED else {}
        self.attempt(kind.value, lambda: self.paper.append(kind, data))

    @precondition(lambda self: self.orders)
    @rule(number=some, quantity=quantities, again=st.booleans())
    def book(self, number: int, quantity: int, again: bool = False) -> None:
        """A fill arrives, before or after its order's state was told, once or twice."""
        order = self.pick(number)
        quantity = min(quantity, order.executed - order.booked)
        if quantity <= 0:
            return
        intent, before = order.intent, self.position[order.intent.symbol]
        for _ in range(1 + again):
            self.paper.fill(intent, quantity, order.booked)
        order.booked += quantity
        self.position[intent.symbol] += intent.side.sign * quantity
        self.cash -= intent.side.sign * ((SPY_PRICE * quantity + 5_000_000) // 10_000_000)
        after = self.position[intent.symbol]
        self.seen["booked " + intent.side] += 1
        assert not intent.purpose.reduces or 0 <= after < before

    @rule(state=st.sampled_from(TradingState), resume=st.booleans())
    def climb(self, state: TradingState, resume: bool) -> None:
        before = self.ledger.state.state
        if self.attempt(f"state {state.name}", lambda: self.paper.enter(state, resume)):
            flat = before is TradingState.LIQUIDATING and not +self.position
            assert not before.latched or resume or state >= before or flat
            assert not (before.latched and resume) or self.ledger.clean

    @rule(clean=st.booleans())
    def reconcile(self, clean: bool) -> None:
        self.attempt("reconciled", lambda: self.paper.reconciled(clean))

    @rule()
    def recover(self) -> None:
        """A person resumes and the desk trades on, or the machine would stay halted most of the time."""
        if self.paper.epoch != self.ledger.lease.epoch:
            self.paper.lease()
        self.paper.reconciled()
        self.climb(TradingState.NORMAL, resume=True)

    @rule(zombie=st.booleans())
    def change_hands(self, zombie: bool) -> None:
        epoch = self.paper.epoch
        self.paper.lease()
        if zombie:
            self.paper.epoch = epoch

    @rule(days=st.integers(-2, 1), go=st.booleans())
    def open_day(self, days: int, go: bool) -> None:
        day = self.day + timedelta(days=days)
        self.paper.plan_session(day)
        self.day = max(day, self.ledger.session or day)
        data = {"day": day.isoformat(), "go": go, "entries": go, "reason": ""}
        if self.attempt("enabled", lambda: self.paper.append(Kind.ENABLED, data)):
            assert day == self.ledger.session

    @rule(number=st.integers(0, 5), amount=st.integers(-500, 500), kind=st.sampled_from(["CSD", "FEE"]))
    def move_cash(self, number: int, amount: int, kind: str) -> None:
        name = f"{kind}{number}"
        if name not in self.ledger.activities:
            self.cash += amount
        self.paper.append(Kind.CASH, encode(CashActivity(name, kind, amount, T0)))

    @rule(equity=st.integers(0, 10**9), baseline=st.booleans())
    def measure(self, equity: int, baseline: bool) -> None:
        if baseline:
            self.attempt("baseline", lambda: self.paper.baseline(equity, equity, equity))
        else:
            self.paper.snapshot(equity, self.cash)
        peak = self.ledger.baseline.peak_equity if self.ledger.baseline else None
        assert baseline or peak is None or peak >= equity

    @rule(quantity=quantities, side=st.sampled_from(Side), number=some)
    def trade_by_hand(self, quantity: int, side: Side, number: int) -> None:
        fill = Fill(f"hand-{number}", "o-x", "", "AIG", side, quantity, SPY_PRICE, T0)
        if fill.id not in self.ledger.fills:
            self.position["AIG"] += fill.signed_quantity
            self.cash -= side.sign * ((SPY_PRICE * quantity + 5_000_000) // 10_000_000)
        self.paper.append(Kind.FILL, encode(fill))

    @invariant()
    def positions_are_the_sum_of_fills(self) -> None:
        held = {symbol: one.quantity for symbol, one in self.ledger.positions.items()}
        assert held == {symbol: quantity for symbol, quantity in self.position.items() if quantity}
        assert self.ledger.cash == self.cash

    @invariant()
    def what_can_still_move_a_position_is_open(self) -> None:
        ledger = self.ledger
        opened = {key for key, life in ledger.lives.items() if not life.state.terminal or life.unsettled}
        assert {life.intent.id for life in ledger.open_lives} == opened
        for order in self.orders:
            life = self.paper.life(order.intent)
            if order.live and (not order.ended or order.executed > order.booked):
                assert life.unsettled >= order.executed - order.booked or life.state.terminal
                assert life.intent.id in opened or life.filled < order.executed

    @invariant()
    def exits_under_way_never_exceed_what_is_held(self) -> None:
        for symbol in ("SPY", "QQQ"):
            leaving = sum(
                life.unsettled
                for life in self.ledger.open_lives
                if life.intent.symbol == symbol and life.intent.purpose.reduces
            )
            assert leaving <= max(0, self.position[symbol])

    @invariant()
    def the_day_never_goes_back(self) -> None:
        assert self.ledger.session is None or self.ledger.session == self.day or self.day == DAY
        assert isinstance(self.day, date)

    def teardown(self) -> None:
        again = Ledger()
        for record in self.paper.records:
            again.apply(record)
        assert asdict(again) == asdict(self.ledger)
        sends = Counter(one.data["intent_id"] for one in self.paper.records if one.kind is Kind.SENDING)
        for name, life in self.ledger.lives.items():
            assert life.sends == sends[name]
        planned = [one.data["id"] for one in self.paper.records if one.kind is Kind.INTENT]
        assert len(planned) == len(set(planned))


SOME = settings(max_examples=150, stateful_step_count=40, deadline=None, print_blob=False, database=None)
ROUNDS = 6
"""Measured: one round in ten misses something of what must be seen, whichever seed."""
WANTED = (
    *("plan", "send", "resend", "booked buy", "booked sell", "vetoed", "rises", "state HALTED"),
    *(f"plan refused: {code}" for code in ("duplicate", "halted", "not_reducing", "fenced")),
    *("send refused: illegal", "state NORMAL refused: latched"),
)


def test_no_order_of_events_breaks_a_promise() -> None:
    """And the machine does get around: without these counts it could pass by doing nothing.

    What one seed leads to depends on every module that is imported, so no single round need see it all.
    """
    Desk.seen.clear()
    for number in range(ROUNDS):
        run_state_machine_as_test(seed(number)(Desk), settings=SOME)
        if all(Desk.seen[name] for name in WANTED):
            break

    assert [name for name in WANTED if not Desk.seen[name]] == [], Desk.seen
