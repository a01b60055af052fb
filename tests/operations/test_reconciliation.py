"""Ledger against broker: what a person does by hand is kept apart; what nobody explains halts trading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.gates import capacity_of
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION
from pipeline.domain.money import qty_decimal, to_money, to_qty
from pipeline.domain.orders import Purpose
from pipeline.domain.reconcile import CASH_TOLERANCE
from pipeline.domain.trading_state import TradingState
from pipeline.errors import UsageError
from pipeline.operations import books
from pipeline.operations.desk import Desk
from pipeline.operations.observing import observe_bars
from pipeline.operations.passes import trading_pass
from pipeline.operations.procedures.finding import Finding
from pipeline.operations.procedures.registry import conclude_pre_market, run_step
from pipeline.operations.reconciliation import reconcile, watch_books
from pipeline.operations.trading import view_of
from tests.operations.altered import Altered
from tests.operations.desks import DAY, Rehearsal, at, overlay, rehearsal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """A session under way in which the strategy buys SPY at 14:35 and would buy QQQ at 15:31."""
    with rehearsal(tmp_path, overlay("+SPY 14:35, +QQQ 15:31")) as running:
        running.morning()
        running.tick("14:35")
        yield running


def found(desk: Rehearsal) -> list[dict[str, Any]]:
    """Return the discrepancies of the newest reconciliation."""
    discrepancies: list[dict[str, Any]] = desk.records(Kind.RECONCILED)[-1].data["discrepancies"]
    return discrepancies


def told(desk: Rehearsal) -> Counter[str]:
    """Return how often people were told of each event."""
    return Counter(record.data["event"] for record in desk.records(Kind.ALERT))


def breaches(desk: Rehearsal) -> list[str]:
    """Return the limits that the newest verdict names."""
    return [breach["limit"] for breach in desk.records(Kind.VERDICT)[-1].data["breaches"]]


def test_our_own_fills_are_booked_before_anything_is_compared(desk: Rehearsal) -> None:
    """The order of 14:35 was filled since the last pass: no discrepancy, the position is in the ledger."""
    summary = desk.run("intraday-check", at("15:30"))
    held = desk.desk.broker.fetch_positions()

    assert summary["check_position_status"] == "ok"
    assert [(one.symbol, one.quantity) for one in held] == [
        (symbol, position.quantity) for symbol, position in desk.ledger.positions.items()
    ]
    assert desk.ledger.cash == desk.desk.broker.fetch_account().cash


def test_a_trade_by_hand_is_kept_apart_and_never_put_right_by_trading(desk: Rehearsal) -> None:
    """A person buys 2 QQQ at 15:00:10: the next monitor pass, 20 s later, knows it, and nobody sells it."""
    desk.to(at("15:00:10"))
    bought = desk.exchange.control().trade("QQQ", "buy", 2)
    watched = desk.monitor("15:00:30")
    tick = desk.tick("15:31")
    external, ledger = desk.records(Kind.EXTERNAL), desk.ledger

    assert watched["reconciled"] == "cash moved"
    assert [record.data["order_id"] for record in external] == [bought["order_id"]]
    assert ledger.external["QQQ"].quantity == to_qty(2)
    assert ledger.external_cash == -ledger.external["QQQ"].cost
    assert "QQQ" not in ledger.positions
    assert ledger.locks["QQQ"].startswith("external: buy of 2 at ")
    assert ledger.locked_by == {"QQQ": RECONCILIATION}
    assert (ledger.state.state, ledger.clean) == (TradingState.NORMAL, True)
    assert told(desk)["external_trade"] == 1
    assert "sent" not in tick
    assert breaches(desk) == ["symbol_lock"]
    assert desk.desk.broker.fetch_account().cash == (ledger.cash or 0) + ledger.external_cash
    assert [life.intent.symbol for life in ledger.lives.values()] == ["SPY"]


def test_what_others_hold_counts_in_the_exposure(desk: Rehearsal) -> None:
    """The exposure limit is 6 %, SPY took 2 %: 5 % in QQQ by hand leaves nothing for another symbol."""
    equity = desk.desk.broker.fetch_account().equity
    price = next(iter(desk.desk.data.fetch_quotes(("QQQ",)).values())).ask
    desk.exchange.control().trade("QQQ", "buy", str(qty_decimal(equity // 20 * 10_000_000 // price)))
    desk.monitor("15:00:30")
    market = observe_bars(desk.desk, desk.desk.sessions.at_or_after(DAY), at("15:01"))
    used = capacity_of(view_of(desk.desk, desk.desk.sessions.at_or_after(DAY), market))

    assert used.exposure * 1_000_000 // equity == pytest.approx(70_000, rel=0.02)
    assert used.symbols == {"SPY"}


def test_an_adopted_trade_is_ours_and_its_exits_are_watched(desk: Rehearsal) -> None:
    """After `adopt` shares, cost and cash are ours, the lock is gone, and the next exit sells all of it."""
    desk.exchange.control().trade("QQQ", "buy", 2, at=at("15:00:10"))
    desk.monitor("15:00:30")
    theirs, cash = desk.ledger.external["QQQ"], desk.ledger.cash
    change = books.adopt(desk.desk, "QQQ", "bought it myself", "ann", desk.now())
    ledger = desk.ledger

    assert (change.before.quantity, change.before.external) == (0, to_qty(2))
    assert (change.after.quantity, change.after.external) == (to_qty(2), 0)
    assert change.after.cash == change.before.cash == (cash or 0) - theirs.cost
    assert (ledger.positions["QQQ"].cost, ledger.external, ledger.locks) == (theirs.cost, {}, {})
    assert ledger.clean
    desk.exchange.control().shock("QQQ", "0.9", at=at("15:05"))
    desk.tick("15:08")
    desk.tick("15:09")
    assert desk.life("QQQ").intent.purpose is Purpose.STOP
    assert desk.life("QQQ").intent.quantity == to_qty(2)


def test_bought_and_sold_again_by_hand_leaves_its_cost_and_no_lock(desk: Rehearsal) -> None:
    """10 QQQ at 500 and out at 499 by hand: −$10.00 that is nobody's drift, shown as not ours."""
    desk.exchange.control().trade("QQQ", "buy", 10, price=500, at=at("15:00:10"))
    desk.monitor("15:00:30")
    locked = dict(desk.ledger.locks)
    desk.exchange.control().trade("QQQ", "sell", 10, price=499, at=at("15:01:10"))
    desk.monitor("15:01:30")
    ledger = desk.ledger

    assert list(locked) == ["QQQ"]
    assert (ledger.external, ledger.locks) == ({}, {})
    assert ledger.external_cash == to_money(-10)
    assert ledger.explained is not None
    assert ledger.explained.explained.external == to_money(-10)
    assert abs(ledger.explained.residual) <= CASH_TOLERANCE
    assert ledger.state.state is TradingState.NORMAL


def test_shares_of_ours_sold_by_hand_are_not_sold_again(desk: Rehearsal) -> None:
    """A person sells everything the strategy bought: an exit would be a short sale, and is not sent."""
    desk.monitor("14:36")
    held = desk.ledger.positions["SPY"].quantity
    desk.exchange.control().trade("SPY", "sell", str(qty_decimal(held)), at=at("15:00:10"))
    desk.monitor("15:00:30")
    sent = len(desk.ledger.lives)
    desk.exchange.control().shock("SPY", "0.9", at=at("15:05"))
    desk.tick("15:08")
    desk.tick("15:09")

    assert desk.ledger.external["SPY"].quantity == -held
    assert desk.ledger.held_there("SPY") == 0
    assert len(desk.ledger.lives) == sent
    assert desk.desk.broker.fetch_positions() == ()
    change = books.adopt(desk.desk, "SPY", "sold it myself", "ann", desk.now())
    assert (change.after.quantity, desk.ledger.positions) == (0, {})


def test_an_order_by_hand_is_tagged_and_locks_its_symbol_until_it_is_gone(desk: Rehearsal) -> None:
    """A resting order that is not ours is not cancelled, and counts; once it is gone, so is the lock."""
    desk.to(at("15:00"))
    order = desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")
    desk.run("intraday-check", at("15:30"))
    tagged, state, lock = desk.ledger.external_orders, desk.ledger.state.state, dict(desk.ledger.locks)
    there = [one.id for one in desk.desk.broker.fetch_open_orders()]
    desk.cancel_by_hand(order["id"])
    desk.monitor("15:45:30")

    assert [one.id for one in tagged] == [order["id"]] == there
    assert state is TradingState.NORMAL
    assert lock == {"QQQ": f"external: order {order['id']} is open, and not ours"}
    assert (desk.ledger.external_orders, desk.ledger.locks) == ((), {})
    assert told(desk)["external_order"] == 1


def test_what_nobody_can_explain_halts_until_a_person_balances_the_books(desk: Rehearsal) -> None:
    """3 QQQ appear without any order: halted, no resume. `balance` takes them over; a resume then works."""
    desk.to(at("15:00"))
    desk.exchange.control().position("QQQ", 3, 900)
    desk.run("intraday-check", at("15:30"))
    (position,) = found(desk)
    with pytest.raises(UsageError, match="not resumed: check_position_integrity: 1 discrepanc"):
        desk.resume()
    (change,) = books.balance(desk.desk, "", "a transfer from my other account", "ann", desk.now())
    balanced = desk.records(Kind.BALANCED)[-1].data
    desk.resume()

    assert (position["kind"], position["symbol"], position["ledger"], position["broker"]) == (
        "position",
        "QQQ",
        "0",
        "3",
    )
    assert (change.before.quantity, change.after.quantity, change.residual) == (0, to_qty(3), to_money(900))
    assert (balanced["symbol"], balanced["cost"], balanced["by"]) == ("QQQ", to_money(900), "ann")
    assert told(desk)["reconciliation_break"] >= 1
    assert told(desk)["books_balanced"] == 1
    assert (desk.ledger.clean, desk.ledger.locks) == (True, {})
    assert desk.ledger.state.state is TradingState.NORMAL


def test_cash_that_moved_without_a_reason_halts_within_one_monitor_pass(desk: Rehearsal) -> None:
    """$5 are gone and no activity says why: halted 30 s later. Balanced, they are residual, not a loss."""
    desk.to(at("15:00"))
    poorer = replace(desk.desk, broker=Altered(desk.desk.broker, cash=to_money(-5)))
    with trading_pass(poorer, "risk-monitor", at("15:00"), "test") as run:
        watch_books(poorer, poorer.broker.fetch_account(), run.began)
    halted = desk.ledger.state
    (change,) = books.balance(poorer, "", "written off", "ann", desk.now())
    told_now = desk.ledger.explained

    assert halted.state is TradingState.HALTED
    assert halted.reason.startswith("cash: ledger ")
    assert (change.symbol, change.residual) == ("", to_money(-5))
    assert told_now is not None
    assert abs(told_now.residual - to_money(-5)) <= CASH_TOLERANCE


@pytest.mark.parametrize(
    ("verb", "symbol", "reason", "said"),
    [
        (books.adopt, "QQQ", "why", "adopt QQQ: nobody else traded it. Executions that are not ours: in no"),
        (books.adopt, "QQQ", " ", "a reason is needed"),
        (books.adopt, "Q;DROP", "why", "SYMBOL 'Q;DROP': no symbol looks like that"),
        (books.balance, "QQQ", "why", "balance QQQ: nothing to balance: ledger and broker agree"),
        (books.balance, "", "", "SYMBOL ''|a reason is needed"),
    ],
)
def test_books_that_agree_are_left_alone(
    desk: Rehearsal, verb: Callable[..., object], symbol: str, reason: str, said: str
) -> None:
    """Each refusal names what was asked for, what there is, and what to do; nothing is written."""
    desk.monitor("14:36")
    with pytest.raises(UsageError, match=said):
        verb(desk.desk, symbol, reason, "ann", desk.now())

    assert desk.records(Kind.ADOPTED, Kind.BALANCED) == []


def test_nothing_is_adopted_while_orders_are_open_in_the_symbol(desk: Rehearsal) -> None:
    """A person bought 2 QQQ and left another order there: its fills would be told too late."""
    desk.to(at("15:00"))
    desk.exchange.control().trade("QQQ", "buy", 2)
    desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")

    with pytest.raises(UsageError, match="adopt QQQ: 1 order still open in it"):
        books.adopt(desk.desk, "QQQ", "mine", "ann", desk.now())


def test_a_lock_of_a_person_or_a_quarantine_never_clears_itself(desk: Rehearsal) -> None:
    """Books agree all along: only `unlock` releases, and says what the lock had been for."""
    journal = desk.desk.journal
    books.lock(journal, "QQQ", "earnings tonight", "ann", at("14:40"))
    quarantine = {"symbol": "DIA", "reason": "order x: overfilled", "by": QUARANTINE}
    journal.append(Kind.LOCK, quarantine, at("14:40"))
    desk.run("intraday-check", at("15:30"))
    kept = dict(desk.ledger.locked_by)
    why = books.unlock(journal, "QQQ", "they are out", "ann", at("15:31"))

    assert kept == {"QQQ": "ann", "DIA": QUARANTINE}
    assert why == "earnings tonight (by ann)"
    assert list(desk.ledger.locks) == ["DIA"]
    with pytest.raises(UsageError, match="unlock QQQ: it is not locked; locked now: DIA"):
        books.unlock(journal, "QQQ", "again", "ann", at("15:31"))


def test_lists_that_disagree_for_seconds_after_an_execution_are_given_ten_seconds(desk: Rehearsal) -> None:
    """Positions lag 5 s behind a fill that is listed: no halt, the symbol waits, the next look is clean."""
    desk.to(at("15:00"))
    desk.exchange.control().trade("QQQ", "buy", 2)
    lagging = replace(desk.desk, broker=Altered(desk.desk.broker, without="QQQ"))
    first = reconcile(lagging, "test", at("15:00:05"))
    held_back = desk.ledger.settling, desk.ledger.state.state, desk.ledger.clean
    second = reconcile(lagging, "test", at("15:00:11"))

    assert [(one.kind, one.symbol, one.settling) for one in first] == [("position", "QQQ", True)]
    assert held_back == (True, TradingState.NORMAL, False)
    assert [one.settling for one in second] == [False]
    assert desk.ledger.state.state is TradingState.HALTED


def test_an_order_with_our_kind_of_id_that_we_did_not_make_halts(desk: Rehearsal) -> None:
    """Another desk trades the account: its order must not pass for a person's."""
    desk.to(at("15:00"))
    desk.by_hand(
        symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100", client_order_id="md1-another"
    )
    desk.run("intraday-check", at("15:30"))

    assert [one["kind"] for one in found(desk)] == ["stray_order"]
    assert desk.ledger.state.state is TradingState.HALTED


def test_a_second_reconciliation_finds_and_writes_nothing_new(desk: Rehearsal) -> None:
    """Idempotent: after a trade by hand and a deposit, one look books all, another only its outcome."""
    desk.to(at("15:00"))
    desk.exchange.control().trade("QQQ", "buy", 2)
    desk.exchange.control().deposit(100)
    reconcile(desk.desk, "test", desk.now())
    before = desk.ledger.seq
    again = reconcile(desk.desk, "test", desk.now())

    assert again == ()
    assert [record.kind for record in desk.desk.journal.records(before)] == [Kind.RECONCILED]


def test_no_go_keeps_trading_disabled_at_the_open(tmp_path: Path) -> None:
    """The account is blocked at 08:30: NO-GO. At 09:30 it no longer is; trading stays disabled."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as desk:
        desk.account_settings(suspend_trade=True)
        desk.run("plan-session", at("12:00"))
        checked = desk.run("pre-market", at("13:30"))
        desk.account_settings(suspend_trade=False)
        opened = desk.run("market-open", at("14:30"))
        tick = desk.tick("14:35")
        breaches = desk.records(Kind.VERDICT)[-1].data["breaches"]
        told = [record.data["event"] for record in desk.records(Kind.ALERT)]

        assert (checked["verdict"], checked["verify_account"]) == ("NO-GO", "fail")
        assert opened["enable_trading"] == "fail"
        assert (desk.ledger.go, desk.ledger.entries_enabled) == (False, False)
        assert "sent" not in tick
        assert [breach["limit"] for breach in breaches] == ["session_window"]
        assert "no_go" in told


def test_a_symbol_that_the_broker_does_not_know_is_named_before_the_open(tmp_path: Path) -> None:
    """XYZ is configured but not listed, as after a delisting: found before the open, not by an order."""
    with rehearsal(tmp_path, overlay(data={"symbols": ["SPY", "QQQ"]})) as desk:
        desk.run("plan-session", at("12:00"))
        stranger = replace(desk.desk, symbols=("SPY", "XYZ"))
        finding = checked(stranger, desk, "validate_risk_controls")

        assert finding.outcome == "warn"
        assert "XYZ" in finding.evidence


def test_an_account_of_the_wrong_kind_is_no_go(tmp_path: Path) -> None:
    """The desk is set to trade live, the broker shows a paper account."""
    with rehearsal(tmp_path) as desk:
        desk.run("plan-session", at("12:00"))
        finding = checked(replace(desk.desk, mode="live"), desk, "verify_account")

        assert finding.outcome == "fail"
        assert finding.evidence == "configured for live, but account PA0REHEARSAL is paper"
        assert desk.ledger.go is False


def checked(changed: Desk, desk: Rehearsal, step: str) -> Finding:
    """Return what a step of pre-market finds on a changed desk, after the verdict was drawn from it."""
    desk.to(at("13:30"))
    with trading_pass(changed, "pre-market", at("13:30"), "test") as run:
        finding = run_step(changed, run, step)
        conclude_pre_market(changed, run, {step: finding})
    return finding
