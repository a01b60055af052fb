from __future__ import annotations

from datetime import date

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Baseline
from pipeline.domain.orders import Fill, IntentState, Side
from pipeline.domain.portfolio import CashActivity, Position
from pipeline.domain.trading_state import TradingState
from tests.unit.domain.making import DAY, SHARE, SPY_PRICE, T0, Paper, a_fill, an_intent

USD = 1_000_000


def opened(cash: int = 10_000 * USD) -> Paper:
    paper = Paper().lease()
    paper.append(Kind.OPENING, {"cash": cash, "positions": {}})
    return paper


def flow(paper: Paper, kind: str, amount: int, name: str = "c1") -> None:
    paper.append(Kind.CASH, encode(CashActivity(name, kind, amount, T0)))


def test_a_round_trip_moves_cash_by_its_profit() -> None:
    """Buy one SPY at 671.20, sell at 680.00: 8.80 USD more."""
    paper = opened()
    paper.trade(an_intent(quantity=SHARE))
    assert paper.ledger.cash == 9_328_800_000
    sell = an_intent(Side.SELL, SHARE, minute=1)
    paper.append(Kind.FILL, encode(a_fill(sell, SHARE, price=6_800_000)))

    assert (paper.ledger.cash, paper.ledger.positions) == (10_008_800_000, {})


def test_a_fill_and_a_cash_movement_count_once_however_often_they_are_told() -> None:
    paper = opened()
    for _ in range(3):
        paper.append(Kind.FILL, encode(Fill("f", "o", "", "SPY", Side.BUY, SHARE, SPY_PRICE, T0)))
        flow(paper, "FEE", -20_000)

    assert paper.ledger.cash == 10_000 * USD - 671_200_000 - 20_000
    assert paper.ledger.positions["SPY"].quantity == SHARE


def test_a_fill_is_joined_to_its_intent_by_the_brokers_order_id() -> None:
    paper = opened()
    intent = an_intent(quantity=SHARE)
    paper.plan(intent)
    paper.send(intent)
    paper.append(Kind.ACKED, {"intent_id": intent.id, "order_id": "o-77"})
    paper.append(Kind.FILL, encode(Fill("f", "o-77", "", "SPY", Side.BUY, SHARE // 2, SPY_PRICE, T0)))

    assert (paper.life(intent).booked, paper.life(intent).unsettled) == (SHARE // 2, SHARE // 2)


def test_deposits_and_withdrawals_move_the_baselines_and_fees_do_not() -> None:
    paper = opened()
    paper.baseline(10_000 * USD, 9_000 * USD, 12_000 * USD)
    flow(paper, "CSD", 1_000 * USD, "deposit")
    flow(paper, "CSW", -250 * USD, "withdrawal")
    flow(paper, "FEE", -5 * USD, "fee")
    flow(paper, "DIV", 3 * USD, "dividend")

    assert paper.ledger.baseline == Baseline(DAY, 10_750 * USD, 9_750 * USD, 12_750 * USD)
    assert paper.ledger.cash == 10_748 * USD


def test_the_peak_rises_with_equity_and_never_falls() -> None:
    paper = opened()
    paper.baseline(10_000 * USD, 10_000 * USD, 10_000 * USD)
    for equity in (10_100, 10_300, 9_000):
        paper.snapshot(equity * USD, 10_000 * USD)

    assert paper.ledger.baseline == Baseline(DAY, 10_000 * USD, 10_000 * USD, 10_300 * USD)


def test_a_deposit_seen_in_equity_before_it_is_recorded_is_not_counted_twice() -> None:
    """Counted twice, 5,000 USD of new money would be a drawdown of 25 %: liquidation."""
    paper = opened()
    paper.baseline(10_000 * USD, 10_000 * USD, 10_000 * USD)
    paper.snapshot(15_000 * USD, 15_000 * USD)
    flow(paper, "CSD", 5_000 * USD)
    paper.snapshot(15_000 * USD, 15_000 * USD)

    assert paper.ledger.baseline == Baseline(DAY, 15_000 * USD, 15_000 * USD, 15_000 * USD)


def test_a_late_run_of_an_older_session_does_not_turn_the_day_back() -> None:
    """Prefect replays missed runs in a burst, out of order (FAULTS K7): the ramp and the throttle stay."""
    paper = opened()
    paper.plan_session()
    paper.enter(TradingState.NORMAL, resume=True)
    paper.plan_session(date(2026, 11, 23))
    paper.append(Kind.ENABLED, {"day": "2026-11-23", "go": True, "entries": True, "reason": ""})
    paper.trade(an_intent())
    for day in (DAY, date(2026, 11, 23), DAY):
        paper.plan_session(day)
    ledger = paper.ledger

    assert (ledger.session, ledger.resumed_sessions) == (date(2026, 11, 23), 1)
    assert (ledger.sent_today, ledger.entries_enabled, ledger.go) == (1, True, True)


def test_a_new_session_starts_disabled_and_moves_the_ramp_on() -> None:
    paper = opened()
    paper.plan_session()
    paper.append(Kind.ENABLED, {"day": DAY.isoformat(), "go": True, "entries": True, "reason": ""})
    paper.enter(TradingState.NORMAL, resume=True)
    paper.trade(an_intent())
    paper.plan_session(date(2026, 11, 23))
    ledger = paper.ledger

    assert (ledger.go, ledger.entries_enabled, ledger.sent_today, ledger.resumed_sessions) == (
        None,
        False,
        0,
        1,
    )


def test_a_halt_and_an_unknown_order_outlive_the_session() -> None:
    paper = opened()
    intent = an_intent()
    paper.plan(intent)
    paper.send(intent)
    paper.append(Kind.UNKNOWN, {"intent_id": intent.id, "reason": "timeout"})
    paper.enter(TradingState.HALTED, reason="person: test")
    paper.plan_session(date(2026, 11, 23))

    assert (paper.ledger.state.state, paper.ledger.state.reason) == (TradingState.HALTED, "person: test")
    assert [life.state for life in paper.ledger.open_lives] == [IntentState.UNKNOWN]


def test_an_opening_replaces_what_is_held() -> None:
    paper = opened()
    paper.trade(an_intent(quantity=SHARE))
    position = Position("AIG", 5 * SHARE, 100 * USD, T0)
    paper.append(Kind.OPENING, {"cash": 7, "positions": {"AIG": encode(position)}})

    assert (paper.ledger.cash, paper.ledger.positions) == (7, {"AIG": position})


def test_an_alert_is_told_once_even_after_it_was_delivered() -> None:
    alert = {"id": "a", "event": "e", "severity": "info", "title": "t", "text": "x", "at": T0, "mode": "SIM"}
    paper = Paper()
    paper.append(Kind.ALERT, alert)
    paper.append(Kind.DELIVERED, {"alert_id": "a", "channel": "console", "outcome": "ok"})
    paper.append(Kind.ALERT, alert)

    assert paper.ledger.outbox == {}


def test_silence_and_locks_come_and_go() -> None:
    paper = Paper()
    paper.append(Kind.SILENCE, {"broker": "b", "since": T0, "failures": 2})
    paper.append(Kind.LOCK, {"symbol": "SPY", "reason": "external order"})
    assert (paper.ledger.silent_since, paper.ledger.failures) == (T0, 2)
    assert paper.ledger.locks == {"SPY": "external order"}
    paper.append(Kind.SILENCE, {"broker": "b", "since": None, "failures": 0})
    paper.append(Kind.LOCK, {"symbol": "SPY", "reason": None})

    assert (paper.ledger.silent_since, paper.ledger.failures, paper.ledger.locks) == (None, 0, {})
