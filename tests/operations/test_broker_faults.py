"""The broker's line and account at their worst, on the wire: what the desk does, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerRefused, BrokerUnavailable, MarketdayError
from pipeline.exchange.fault_rules import FaultRule
from pipeline.operations.reconciliation import reconcile
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

ORDERS = r"/v2/orders$"
ALL_BUT_CLOCK = r"/v2/(?!clock)"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """SPY is bought at 14:35 and held; QQQ would be bought at 14:38, SPY sold at 14:45."""
    with rehearsal(tmp_path, overlay("+SPY 14:35, +QQQ 14:38, -SPY 14:45")) as running:
        running.morning()
        running.tick("14:35")
        running.tick("14:36")
        assert set(running.ledger.positions) == {"SPY"}
        yield running


def fault(desk: Rehearsal, **rule: object) -> str:
    return desk.exchange.control().add_fault(FaultRule(**rule))  # type: ignore[arg-type]


def hits(desk: Rehearsal) -> int:
    return int(desk.exchange.control().faults()[0]["hits"])


def passes(desk: Rehearsal, *clocks: str) -> list[str]:
    """Run a tick at each full minute and a monitor at the others; return the errors' names, "" for none."""
    outcomes = []
    for clock in clocks:
        run = desk.tick if clock.count(":") == 1 else desk.monitor
        try:
            run(clock)
            outcomes.append("")
        except MarketdayError as error:
            outcomes.append(type(error).__name__)
    return outcomes


def told(desk: Rehearsal) -> list[str]:
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def test_a_key_revoked_in_mid_day_halts_keeps_what_is_known_and_asks_hardly_again(desk: Rehearsal) -> None:
    """F42 on the wire: five passes are refused. Positions stay known; each pass asks at most a few times."""
    held = dict(desk.ledger.positions)
    fault(desk, kind="status", status=401, message="unauthorized.", path=ALL_BUT_CLOCK, count=0)
    outcomes = passes(desk, "14:37", "14:37:30", "14:38", "14:38:30", "14:39")

    assert outcomes == ["BrokerRefused"] * 5
    assert desk.ledger.state.state is TradingState.HALTED
    assert desk.ledger.positions == held
    assert "trading_halted" in told(desk)
    assert len(desk.received()) == 1
    assert hits(desk) <= 3 * len(outcomes)


@pytest.mark.parametrize("flag", ["trading_blocked", "status"])
def test_a_blocked_account_is_entered_no_more(desk: Rehearsal, flag: str) -> None:
    """F43. QQQ's entry at 14:38 is refused by our own gate: nothing is posted that Alpaca would refuse."""
    value: object = "ACCOUNT_UPDATED" if flag == "status" else True
    desk.exchange.control().account(**{flag: value})
    before = len(desk.received())
    passes(desk, "14:37", "14:38")
    account = desk.desk.broker.fetch_account()

    assert account.blocked
    assert ("ACCOUNT_UPDATED" if flag == "status" else flag) in account.restriction
    assert len(desk.received()) == before
    assert "QQQ" not in {life.intent.symbol for life in desk.ledger.lives.values()}


def test_an_account_restricted_to_closing_rejects_the_entry_and_takes_the_exit(desk: Rehearsal) -> None:
    """F43, F104: 403 on the buy is a rejection, once; the exit at 14:45 goes."""
    desk.exchange.control().account(closing_only=True)
    passes(desk, "14:37", "14:38", "14:39", "14:45", "14:46")

    assert desk.ledger.positions == {}
    assert [life.state for life in desk.ledger.lives.values() if life.intent.symbol == "QQQ"] in (
        [],
        [IntentState.REJECTED],
    )


def test_ninety_seconds_of_silence_stop_entries_and_the_books_are_compared_before_the_next(
    desk: Rehearsal,
) -> None:
    """F45. Down from 14:36:10 to 14:38:10: REDUCING after a minute; QQQ's tick sees the broker, and waits."""
    desk.exchange.control().outage(at("14:36:10"), at("14:38:10"))
    outcomes = passes(desk, "14:36:30", "14:37", "14:37:30", "14:38")
    during = desk.ledger.state.state
    reconciled = len(desk.records(Kind.RECONCILED))
    passes(desk, "14:38:30", "14:39")

    assert outcomes == ["BrokerUnavailable"] * 4
    assert during is TradingState.REDUCING
    assert desk.ledger.state.state is TradingState.NORMAL
    assert len(desk.records(Kind.RECONCILED)) > reconciled
    assert set(desk.received().values()) == {1}


def test_six_minutes_of_silence_halt_for_good(desk: Rehearsal) -> None:
    """F45. Silent from 14:37 to 14:42:20, 320 s. When it answers again, a person looks first."""
    desk.exchange.control().outage(at("14:36:10"), at("14:42:30"))
    passes(desk, *[f"14:{minute}" for minute in range(37, 43)], "14:42:20", "14:43", "14:44")

    assert desk.ledger.state.state is TradingState.HALTED
    assert "300" in desk.ledger.state.reason
    assert len(desk.received()) == 1


def test_a_limit_that_broke_while_the_line_was_dead_is_seen_before_any_signal(tmp_path: Path) -> None:
    """F46. 30 % of the account in SPY, which falls by a fifth in the dark: 6 % lost. QQQ is not entered."""
    big = overlay(
        "+SPY 14:35, +QQQ 14:39",
        risk_management={"position_size_pct": 0.3, "max_exposure_pct": 0.6},
    )
    with rehearsal(tmp_path, big) as desk:
        desk.morning()
        passes(desk, "14:35", "14:36")
        assert set(desk.ledger.positions) == {"SPY"}
        control = desk.exchange.control()
        control.outage(at("14:36:10"), at("14:38:40"))
        control.shock("SPY", 0.8, at=at("14:37"))
        passes(desk, "14:37", "14:38", "14:39")

        assert desk.ledger.state.state >= TradingState.REDUCING
        assert "QQQ" not in {life.intent.symbol for life in desk.ledger.lives.values()}


def test_positions_that_are_not_answered_leave_the_books_alone(desk: Rehearsal) -> None:
    """F49, F36, F40. Reconciliation ends without a verdict: nothing is locked, halted or sold."""
    held = dict(desk.ledger.positions)
    for kind in ("empty", "malformed", "truncated", "html", "reset", "torn"):
        fault(desk, kind=kind, path="/v2/positions", count=1)
        with pytest.raises(BrokerUnavailable):
            reconcile(desk.desk, "test", desk.now())

    assert desk.ledger.positions == held
    assert desk.ledger.locks == {}
    assert len(desk.received()) == 1


def test_an_empty_list_of_positions_sells_buys_and_forgets_nothing(desk: Rehearsal) -> None:
    """F49. The broker answers [] although it holds SPY: the ledger keeps it, and nothing is bought again."""
    held = dict(desk.ledger.positions)
    fault(desk, kind="body", value=[], path="/v2/positions", count=2)
    passes(desk, "14:37", "14:46")

    assert desk.ledger.positions.keys() == held.keys()
    assert set(desk.received().values()) == {1}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("status", 504), ("html", 502), ("hang", 0), ("torn", 0), ("empty", 0)],
)
def test_an_accepted_order_whose_answer_is_spoiled_is_posted_once_and_found(
    desk: Rehearsal, kind: str, status: int
) -> None:
    """F36–F38, F40. QQQ's order is at the broker, the answer is not: the next pass finds it by its id."""
    seconds = {"seconds": 1.0} if kind == "hang" else {}
    code = {"status": status} if status else {}
    fault(desk, kind=kind, method="POST", path=ORDERS, when="after", **seconds, **code)
    passes(desk, "14:38")
    unknown = desk.life("QQQ").state
    passes(desk, "14:38:30", "14:39")

    assert unknown is IntentState.UNKNOWN
    assert desk.life("QQQ").state is IntentState.FILLED
    assert set(desk.received().values()) == {1}
    assert desk.life("QQQ").sends == 1


def test_too_many_requests_delay_an_order_and_lose_nothing(desk: Rehearsal) -> None:
    """F35. 429 on the order: certainly not sent. It goes out under the same id with a later pass, once."""
    fault(desk, kind="status", status=429, code=42910000, method="POST", path=ORDERS, count=1)
    passes(desk, "14:38", "14:38:30", "14:39", "14:40")

    assert set(desk.received().values()) == {1}
    assert desk.ledger.state.state is TradingState.NORMAL


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("drop_field", "status"),
        ("drop_field", "filled_qty"),
        ("null_field", "id"),
        ("wrong_type", "qty"),
        ("rename_field", "client_order_id"),
    ],
)
def test_a_drifting_schema_never_doubles_an_order(desk: Rehearsal, kind: str, field: str) -> None:
    """F41. From 14:37 on every order comes with one field changed; later the schema is back."""
    value = {"value": f"{field}_v2"} if kind == "rename_field" else {}
    fault(desk, kind=kind, field=field, path="/v2/orders", count=0, **value)
    passes(desk, "14:37", "14:38", "14:38:30")
    desk.exchange.control().clear_faults()
    passes(desk, "14:39", "14:40")

    assert set(desk.received().values()) == {1}
    assert desk.life("QQQ").state is IntentState.FILLED


def test_a_broker_wide_cancel_reports_what_it_could_not_cancel(tmp_path: Path) -> None:
    """F61 on the wire: the broker refuses every item of the 207; each is named, and still open."""
    with rehearsal(tmp_path, overlay("+THIN 14:35, +SPY 14:35")) as desk:
        desk.morning()
        desk.tick("14:35")
        control = desk.exchange.control()
        control.cancels("refused")
        refused = desk.desk.broker.cancel_all()
        still = {order.id for order in desk.desk.broker.fetch_open_orders()}
        control.cancels("normal")

        assert set(refused) == still
        assert refused
        assert desk.desk.broker.cancel_all() == {}
        desk.to(desk.now() + timedelta(seconds=2))
        assert desk.desk.broker.fetch_open_orders() == ()


def test_wrong_keys_end_in_a_refusal_and_not_in_a_loop(desk: Rehearsal) -> None:
    """F42, F47: read or order, one request each and no repetition by the SDK."""
    fault(desk, kind="status", status=403, message="forbidden.", path="/v2/account$", count=0)
    with pytest.raises(BrokerRefused):
        desk.desk.broker.fetch_account()

    assert hits(desk) == 1


def test_a_broker_that_calls_the_exchange_closed_is_asked_before_anything_is_entered(tmp_path: Path) -> None:
    """F52. Closed since 14:36, by the broker's clock alone. Asked every five minutes: QQQ is not entered."""
    with rehearsal(tmp_path, overlay("+QQQ 14:42")) as desk:
        desk.morning()
        passes(desk, "14:35")
        desk.exchange.control().clock(is_open=False)
        passes(desk, "14:40", "14:41", "14:42", "14:43")
        breaches = [one for record in desk.records(Kind.VERDICT) for one in record.data["breaches"]]

        assert desk.ledger.lives == {}
        assert "calendar_disagrees" in {breach["limit"] for breach in breaches}
        assert told(desk).count("calendar_disagrees") == 1
