"""Money and shares that move without an order of ours: booked under their own names, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.domain.codec import encode
from pipeline.domain.corporate import CorporateAction, CorporateKind
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE
from pipeline.domain.money import to_money
from pipeline.domain.orders import IntentState, Purpose
from pipeline.domain.portfolio import Account
from pipeline.domain.reconcile import CASH_TOLERANCE
from pipeline.domain.rules.limits import stop_price
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerUnavailable
from pipeline.operations import books, emergency
from pipeline.operations.climbing import climb
from pipeline.operations.passes import trading_pass
from pipeline.operations.projecting import project
from pipeline.operations.reconciliation import reconcile, watch_books
from pipeline.operations.report_incidents import load_incidents
from tests.operations.altered import Altered
from tests.operations.desks import DAY, Rehearsal, at, overlay, rehearsal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """A session in which SPY was bought at 14:35 and is held; nothing is flattened before 20:30."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as running:
        running.morning()
        running.tick("14:35")
        running.monitor("14:36:30")
        yield running


def assert_equal_to_the_cent(desk: Rehearsal) -> None:
    """Check that ledger and broker hold the same shares and cash, and that every cent is explained."""
    broker, ledger = desk.desk.broker, desk.ledger
    account = broker.fetch_account()
    held = {one.symbol: one.quantity for one in broker.fetch_positions()}
    told = ledger.explained

    assert {symbol: ledger.held_there(symbol) for symbol in {*ledger.positions, *ledger.external}} == held
    assert abs((ledger.cash or 0) + ledger.external_cash - account.cash) <= CASH_TOLERANCE
    assert ledger.clean
    assert told is not None
    assert abs(told.residual) <= CASH_TOLERANCE


def test_deposit_withdrawal_dividend_fee_and_interest_have_their_names(desk: Rehearsal) -> None:
    """+1,000 and −200 are the owner's: baselines move by +800. The rest is profit and loss by name."""
    control, before = desk.exchange.control(), desk.ledger.baseline
    shares = desk.ledger.positions["SPY"].quantity
    desk.to(at("15:00"))
    control.deposit(1_000)
    control.withdraw(200)
    control.dividend("SPY", 2)
    control.fee("1.50")
    control.interest("0.75")
    desk.monitor("15:00:30")
    reconcile(desk.desk, "test", desk.now())
    after, tally = desk.ledger.baseline, desk.ledger.tally

    assert before is not None
    assert after is not None
    moved = to_money(800)
    assert after.day_equity - before.day_equity == moved
    assert after.month_equity - before.month_equity == moved
    assert after.peak_equity - before.peak_equity == moved
    assert tally is not None
    assert (tally.deposit, tally.fee, tally.interest) == (moved, to_money("-1.50"), to_money("0.75"))
    assert tally.dividend == pytest.approx(2 * shares / 1_000, abs=10_000)
    assert desk.ledger.state.state is TradingState.NORMAL
    assert_equal_to_the_cent(desk)


def test_a_withdrawal_of_a_tenth_is_no_drawdown(desk: Rehearsal) -> None:
    """10 % of equity taken out would halt as a drawdown; the peak goes with the owner's money."""
    equity = desk.desk.broker.fetch_account().equity
    desk.to(at("15:00"))
    desk.exchange.control().withdraw(equity // 10_000_000)
    desk.monitor("15:00:30")

    assert desk.ledger.state.state is TradingState.NORMAL
    assert_equal_to_the_cent(desk)


def test_a_deposit_that_comes_in_the_middle_of_a_pass_is_no_loss(
    desk: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equity is read, then a deposit of its own size arrives and is booked: −50 %, if believed."""
    fetch = desk.broker.fetch_account
    arrived = []

    def read_then_deposit() -> Account:
        account: Account = fetch()
        if not arrived:
            arrived.append(desk.exchange.control().deposit(account.equity // 1_000_000))
        return account

    desk.to(at("15:00"))
    monkeypatch.setattr(desk.broker, "fetch_account", read_then_deposit, raising=False)
    desk.monitor("15:00:30")

    assert arrived
    assert desk.ledger.tally is not None
    assert desk.ledger.tally.deposit > 0
    assert desk.ledger.state.state is TradingState.NORMAL


def test_nothing_is_sold_for_a_loss_that_nobody_can_explain(tmp_path: Path) -> None:
    """A fifth of the cash is gone without an activity. 15 % of drawdown would sell everything: it halts."""
    plan = {"emergency_controls": {"auto_liquidation_drawdown": 0.15}}
    with rehearsal(tmp_path, overlay("+SPY 14:35", risk_management=plan)) as desk:
        desk.morning()
        desk.tick("14:35")
        desk.monitor("14:36:30")
        desk.to(at("15:00"))
        poorer = replace(desk.desk, broker=Altered(desk.desk.broker, cash=to_money(-2_000)))
        with trading_pass(poorer, "risk-monitor", at("15:00"), "test") as run:
            account = poorer.broker.fetch_account()
            watch_books(poorer, account, run.began)
            wanted = climb(poorer, account.equity, run.began)
        desk.monitor("15:00:30")

        assert wanted.state is TradingState.HALTED
        assert wanted.reason.endswith("nothing is sold while ledger and broker disagree")
        assert desk.ledger.state.state is TradingState.HALTED
        assert "SPY" in desk.ledger.positions


@pytest.mark.parametrize(("new", "old"), [(2, 1), (1, 2), (3, 2)])
def test_a_split_counts_shares_entry_and_stop_anew_once(desk: Rehearsal, new: int, old: int) -> None:
    """Minutes of ticks and stops after a split: no sale, no drawdown, cost as before, shares by ratio."""
    before, cost = desk.ledger.positions["SPY"], desk.ledger.positions["SPY"].cost
    desk.to(at("15:00"))
    desk.exchange.control().split("SPY", new, old)
    reconcile(desk.desk, "pre-market", desk.now())
    reconcile(desk.desk, "pre-market", desk.now())
    desk.tick("15:02")
    desk.monitor("15:02:30")
    after, stop = desk.ledger.positions["SPY"], desk.desk.limits.stop_loss

    assert len(desk.records(Kind.SPLIT)) == 1
    assert after.cost == cost
    assert abs(after.quantity - before.quantity * new // old) <= 1
    assert after.average_price == pytest.approx(before.average_price * old / new, abs=1)
    assert stop is not None
    old_stop = stop_price(before.average_price, True, stop)
    assert stop_price(after.average_price, True, stop) == pytest.approx(old_stop * old / new, abs=1)
    assert [(one.symbol, one.numerator, one.denominator) for one in desk.ledger.splits] == [("SPY", new, old)]
    assert all(life.intent.purpose is Purpose.ENTRY for life in desk.ledger.lives.values())
    assert desk.ledger.state.state is TradingState.NORMAL
    assert_equal_to_the_cent(desk)


def test_a_split_in_mid_session_is_no_crash_that_stops_out(desk: Rehearsal) -> None:
    """Two for one at 15:00: the next quote is half the entry. It is booked before the stop is asked."""
    shares = desk.ledger.positions["SPY"].quantity
    desk.tick("14:59")
    desk.to(at("15:00"))
    desk.exchange.control().split("SPY", 2, 1)
    desk.monitor("15:00:30")
    for clock in ("15:01", "15:02", "15:03"):
        desk.tick(clock)

    assert desk.ledger.positions["SPY"].quantity == 2 * shares
    assert [life.intent.purpose for life in desk.ledger.lives.values()] == [Purpose.ENTRY]
    assert desk.ledger.state.state is TradingState.NORMAL
    assert_equal_to_the_cent(desk)


def test_a_split_of_a_symbol_that_nobody_holds_is_noted_for_its_bars(desk: Rehearsal) -> None:
    """QQQ 2:1: no position moves; the split stands in the ledger, because bars from before it do not fit."""
    held = dict(desk.ledger.positions)
    desk.to(at("15:00"))
    desk.exchange.control().split("QQQ", 2, 1)
    action = CorporateAction("a-1", CorporateKind.SPLIT, "QQQ", 2, 1, at("15:00"))
    told = Altered(desk.desk.broker)
    told.actions = (action,)
    reconcile(replace(desk.desk, broker=told), "pre-market", desk.now())

    assert {one.symbol for one in desk.ledger.splits} == {"QQQ"}
    assert desk.ledger.positions == held


def test_a_symbol_change_puts_its_symbols_in_quarantine_and_names_the_activity(desk: Rehearsal) -> None:
    """SPY became SPYX over night: nothing halts; SPY stays locked, even when the books agree again."""
    desk.to(at("15:00"))
    held = desk.ledger.positions["SPY"].quantity
    changed = Altered(desk.desk.broker, without="SPY")
    renamed = CorporateAction(
        "nc-7", CorporateKind.SYMBOL_CHANGE, "SPY", 0, 0, at("15:00"), "SPY became SPYX"
    )
    changed.actions = (renamed,)
    found = reconcile(replace(desk.desk, broker=changed), "pre-market", at("15:00"))
    again = reconcile(desk.desk, "test", at("15:01"))

    assert [(one.kind, one.symbol) for one in found] == [("corporate_action", "SPY")]
    assert desk.ledger.locks == {"SPY": "symbol_change nc-7: SPY became SPYX"}
    assert desk.ledger.locked_by == {"SPY": QUARANTINE}
    assert desk.ledger.state.state is TradingState.NORMAL
    assert (again, desk.ledger.positions["SPY"].quantity) == ((), held)


def test_an_execution_taken_back_restates_position_cash_and_profit(desk: Rehearsal) -> None:
    """The purchase of 14:35 is bust: flat, all cash back, nothing earned; the order stays executed.

    The first pass that misses it locks the symbol alone: a replica may lag. The second takes it for gone.
    """
    filled = desk.life("SPY").filled
    desk.to(at("15:00"))
    desk.exchange.control().bust()
    desk.monitor("15:00:30")
    doubted = desk.records(Kind.BUST), list(desk.ledger.locks), desk.ledger.state.state
    desk.monitor("15:01:30")
    ledger = desk.ledger
    (record,) = desk.records(Kind.BUST)

    assert doubted == ([], ["SPY"], TradingState.NORMAL)
    assert record.data["fill"]["symbol"] == "SPY"
    assert (ledger.positions, ledger.locks, ledger.state.state) == ({}, {}, TradingState.NORMAL)
    assert desk.life("SPY").booked == desk.life("SPY").filled == filled
    assert ledger.tally is not None
    assert ledger.tally.realized == 0
    told = [one.data["event"] for one in desk.records(Kind.ALERT)]
    assert told.count("trade_busted") == 1
    assert_equal_to_the_cent(desk)


def test_a_correction_is_a_bust_and_a_new_execution(desk: Rehearsal) -> None:
    """The same shares a dollar cheaper, under another id: the position's cost is the corrected price's."""
    before = desk.ledger.positions["SPY"]
    price = before.average_price / 10_000 - 1
    desk.to(at("15:00"))
    desk.exchange.control().correct(price=f"{price:.2f}")
    desk.monitor("15:00:30")
    desk.monitor("15:01:30")
    after = desk.ledger.positions["SPY"]

    assert len(desk.records(Kind.BUST)) == 1
    assert len(desk.records(Kind.FILL)) == 2
    assert after.quantity == before.quantity
    assert after.average_price == pytest.approx(price * 10_000, abs=51)
    assert desk.ledger.state.state is TradingState.NORMAL
    assert_equal_to_the_cent(desk)


def test_a_list_that_merely_lags_takes_nothing_back(desk: Rehearsal) -> None:
    """The execution is missing from the list, but shares and cash are there: nothing is undone."""
    held, hiding = dict(desk.ledger.positions), Altered(desk.desk.broker)
    hiding.hidden = set(desk.ledger.fills)
    found = reconcile(replace(desk.desk, broker=hiding), "test", at("15:00"))

    assert found == ()
    assert (desk.records(Kind.BUST), desk.ledger.positions) == ([], held)


def test_money_that_nothing_explains_is_told(desk: Rehearsal) -> None:
    """$20 more equity than cash and shares make up: 0.2 % of $10,000, and the limit is 0.05 %."""
    desk.to(at("15:00"))
    richer = Altered(desk.desk.broker)
    richer.equity = to_money(20)
    reconcile(replace(desk.desk, broker=richer), "test", desk.now())
    desk.monitor("15:00:30")
    told = [record.data for record in desk.records(Kind.ALERT) if record.data["event"] == "pnl_residual"]

    assert desk.records(Kind.RECONCILED)[-1].data["clean"]
    assert len(told) == 1
    assert told[0]["text"].startswith("+$20.00 of ")


def test_the_books_are_compared_every_ten_minutes_and_after_an_unknown(desk: Rehearsal) -> None:
    """From 14:45 the last look lies ten minutes back; `frequency` is what says so."""
    seconds = [f"14:{minute:02d}:30" for minute in range(37, 58)]
    triggers = {clock: desk.monitor(clock).get("reconciled") for clock in seconds}
    looked = [at(clock) for clock, trigger in triggers.items() if trigger == "every so often"]

    assert looked
    assert all(two - one == timedelta(minutes=10) for one, two in pairwise(looked))
    assert desk.desk.plan.reconcile_every == timedelta(minutes=10)
    assert desk.ledger.session == DAY


def test_the_report_tells_a_bad_day_as_incidents_that_ended(desk: Rehearsal) -> None:
    """Outage of 90 s, a trade by hand that is adopted, a deposit, a 2:1 split, a halt and its resume."""
    control = desk.exchange.control()
    desk.monitor("15:00:30")
    desk.broker.silent = True
    for clock in ("15:01:30", "15:02:30"):
        with pytest.raises(BrokerUnavailable):
            desk.monitor(clock)
    desk.broker.silent = False
    desk.monitor("15:03:30")
    desk.to(at("15:10"))
    control.trade("QQQ", "buy", 2)
    control.deposit(500)
    desk.monitor("15:10:30")
    books.adopt(desk.desk, "QQQ", "mine", "ann", desk.now())
    control.split("SPY", 2, 1)
    reconcile(desk.desk, "pre-market", desk.now())
    emergency.halt(desk.desk.journal, "a look around", "ann", desk.now())
    desk.to(at("15:20"))
    desk.resume("nothing there")
    project(desk.desk)
    told = load_incidents(desk.desk.store, DAY)
    rows = {event.what: (event.why, event.ended) for event in told}

    assert [event.at for event in told] == sorted(event.at for event in told)
    assert rows["the broker was silent"][0].endswith("calls in a row without an answer, 2 runs failed for it")
    assert rows["the broker was silent"][1].startswith("answered again 10:03:30 ET")
    assert not any(what.startswith("failed run") for what in rows)
    why, ended = rows["somebody else traded"]
    assert why.startswith("buy 2 QQQ at ")
    assert ended == "adopted 10:10:30 ET: mine (ann)"
    assert rows["deposit"] == ("$500.00 (CSD)", "booked; baselines moved with it")
    assert rows["split"][0].startswith("SPY 2:1 (")
    assert rows["trading HALTED"][0] == "a look around (ann)"
    assert rows["trading HALTED"][1].startswith("resumed 10:20:00 ET: nothing there (")
    assert_equal_to_the_cent(desk)


def test_a_store_rebuilt_from_a_day_of_books_has_the_same_rows(desk: Rehearsal) -> None:
    """A trade by hand, a bust, a split: what was projected pass by pass is what a rebuild gives."""
    control = desk.exchange.control()
    desk.to(at("15:00"))
    control.trade("QQQ", "buy", 2)
    desk.monitor("15:00:30")
    control.bust()
    desk.monitor("15:02:30")
    desk.monitor("15:03:30")
    control.split("SPY", 2, 1)
    reconcile(desk.desk, "pre-market", desk.now())
    project(desk.desk)
    store = desk.desk.store
    assert isinstance(store, DuckStore)
    checked = store.verify(desk.desk.journal.records())

    assert checked.differences == ()
    assert {record.kind for record in desk.records()} >= {Kind.EXTERNAL, Kind.BUST, Kind.SPLIT}


def test_baseline_and_peak_outlive_a_restart(desk: Rehearsal) -> None:
    """−4 % since yesterday's close, measured by a new process: REDUCING, as the old one would have said."""
    before = desk.ledger.baseline
    desk.restart()
    after = desk.ledger.baseline
    poor = Altered(desk.desk.broker)
    assert after is not None
    poor.equity = -after.day_equity // 25
    condition = climb(desk.desk, poor.fetch_account().equity, at("15:00"))

    assert after == before
    assert condition.state is TradingState.REDUCING
    assert "daily loss" in desk.ledger.state.reason


def test_a_peak_that_is_no_number_never_reaches_the_journal(desk: Rehearsal) -> None:
    """NaN is no integer: the record is refused whole, and the peak stays what the journal says."""
    before = desk.ledger.baseline
    assert before is not None
    with pytest.raises(TypeError, match="float cannot stand in a record"):
        encode({"peak_equity": float("nan")})

    desk.restart()
    assert desk.ledger.baseline == before


def test_buying_power_that_shrinks_on_the_way_is_a_rejection_and_no_retry(tmp_path: Path) -> None:
    """The gates saw enough, the broker no longer does: 403, one request, a life that has ended."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as running:
        running.morning()

        def shrink(moment: str) -> None:
            if moment == "before":
                running.exchange.control().account(buying_power="1")

        running.broker.fault = shrink
        running.tick("14:35")
        running.monitor("14:35:30")
        running.monitor("14:36:30")

        assert running.life("SPY").state is IntentState.REJECTED
        assert running.life("SPY").sends == 1
        assert len(running.ledger.lives) == 1
        assert running.ledger.positions == {}


def test_the_books_are_compared_after_an_order_whose_outcome_was_unknown(tmp_path: Path) -> None:
    """The answer to the order of 14:35 is lost: once it is found, the next pass compares everything."""

    def lose(moment: str) -> None:
        if moment == "after":
            raise BrokerUnavailable("rehearsal exchange", "the answer was lost")

    with rehearsal(tmp_path, overlay("+SPY 14:35")) as running:
        running.morning()
        running.broker.fault = lose
        running.tick("14:35")
        in_doubt = running.life("SPY").state
        watched = running.monitor("14:35:30")

        assert in_doubt is IntentState.UNKNOWN
        assert watched["reconciled"] == "after an unknown"
        assert running.ledger.clean


def test_an_execution_taken_back_before_it_was_booked_settles_its_order(tmp_path: Path) -> None:
    """Bought at 14:36 and bust before anybody looked: flat, nothing open, the symbol can be traded again."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as running:
        running.morning()
        running.tick("14:35")
        running.to(at("14:36:05"))
        running.exchange.control().bust()
        running.monitor("14:36:30")
        running.run("intraday-check", at("15:30"))
        life = running.life("SPY")
        (record,) = running.records(Kind.BUST)

        assert record.data["unbooked"]
        assert (life.state, life.booked, life.unsettled) == (IntentState.FILLED, life.filled, 0)
        assert (running.ledger.positions, running.ledger.open_lives) == ({}, ())
        assert running.ledger.state.state is TradingState.NORMAL
        assert_equal_to_the_cent(running)
