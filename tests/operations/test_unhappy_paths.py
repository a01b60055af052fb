"""What goes wrong around an order: the feed, the key, the close, and a broker that tells strange things."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.orders import Fill, IntentState, Order, Purpose
from pipeline.domain.portfolio import CashActivity
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerRefused, BrokerUnavailable, DataInvalid, DataUnavailable
from pipeline.operations.emergency import flatten
from tests.operations.desks import Rehearsal, at, overlay, rehearsal
from tests.operations.test_emergencies import THIN


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way with the script that a test asks for."""
    with rehearsal(tmp_path, overlay(request.param, **THIN)) as running:
        running.morning()
        yield running


def alerts(desk: Rehearsal) -> list[str]:
    """Return the events that people were told."""
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def answers(desk: Rehearsal, **methods: Callable[..., Any]) -> None:
    """Have the broker answer otherwise until the end of the test."""
    for name, method in methods.items():
        setattr(desk.broker, name, method)


@pytest.mark.parametrize("error", [DataUnavailable("feed", "HTTP 503"), DataInvalid("QQQ", "high below low")])
@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:38"], indirect=True)
def test_without_market_data_what_must_go_still_goes_and_people_hear_of_it(
    desk: Rehearsal, error: Exception
) -> None:
    """The feed is down for every pass. A liquidation sells all the same; no entry goes; told once."""

    def down(*_: object) -> None:
        raise error

    desk.tick("14:35")
    desk.tick("14:36")
    data: Any = desk.desk.data
    data.fetch_bars = data.fetch_quotes = down
    desk.monitor("14:36:30")
    flatten(desk.desk.journal, "enough", "a person", desk.now())
    for clock in ("14:37", "14:38", "14:39"):
        desk.tick(clock)

    assert desk.life().intent.purpose is Purpose.LIQUIDATION
    assert (desk.ledger.positions, desk.ledger.state.state) == ({}, TradingState.HALTED)
    assert desk.ledger.snapshot is not None
    assert set(desk.ledger.snapshot.prices) == {"SPY", "QQQ", "THIN"}
    assert alerts(desk).count("data_stale") == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_key_that_is_revoked_in_mid_session_halts_and_is_told(desk: Rehearsal) -> None:
    """Every read is refused with 401: nothing can be seen or cancelled, and no later pass will be luckier."""

    def refused(*_: object) -> None:
        raise BrokerRefused("alpaca", "HTTP 401")

    desk.tick("14:35")
    answers(desk, fetch_order=refused, fetch_account=refused)
    desk.to(at("14:36"))
    with pytest.raises(BrokerRefused):
        desk.tick("14:36")

    assert (desk.ledger.state.state, desk.ledger.state.reason) == (
        TradingState.HALTED,
        "alpaca refused: HTTP 401",
    )
    assert {"trading_halted", "run_failed"} <= set(alerts(desk))


def test_a_procedure_that_fails_is_told(tmp_path: Path) -> None:
    """No answer at 08:30: neither GO nor NO-GO. Nobody would know before the session is lost."""
    with rehearsal(tmp_path) as desk:
        desk.run("plan-session", at("12:00"))
        desk.to(at("13:30"))
        desk.broker.silent = True
        with pytest.raises(BrokerUnavailable):
            desk.run("pre-market", at("13:30"))

        assert alerts(desk) == ["run_failed"]


@pytest.mark.parametrize("desk", ["+SPY 20:59"], indirect=True)
def test_an_order_lost_in_the_last_minute_is_not_sent_again_at_the_close(desk: Rehearsal) -> None:
    """Decided at 15:59, lost; at 16:00 the broker has none. Sent now it would be filled on Monday."""

    def lost(moment: str) -> None:
        if moment == "before":
            raise BrokerUnavailable("rehearsal exchange", "HTTP 504")

    desk.broker.fault = lost
    desk.tick("20:59")
    desk.broker.fault = lambda _moment: None
    desk.tick("21:00")

    assert (desk.life().state, desk.life().sends) == (IntentState.EXPIRED, 1)
    assert desk.received() == {}


def test_an_exit_whose_review_ends_at_the_close_is_given_up(tmp_path: Path) -> None:
    """Held for a minute from 15:59: released at 16:00 it would wait for the next open."""
    held = overlay("+SPY 20:50, -SPY 20:59", execution={"execution_delay_seconds": 60})
    with rehearsal(tmp_path, held) as desk:
        desk.morning()
        for clock in ("20:50", "20:51", "20:52", "20:59", "21:00"):
            desk.tick(clock)

        assert (desk.life().state, desk.life().note) == (IntentState.EXPIRED, "the session is over")
        assert len(desk.received()) == 1


@pytest.mark.parametrize("desk", ["+THIN 20:58"], indirect=True)
def test_a_cancel_that_got_lost_at_the_close_is_asked_again(desk: Rehearsal) -> None:
    """The line is cut while market-close cancels: it warns and goes on; the next recovery cancels."""

    def cut(_order_id: str) -> None:
        raise BrokerUnavailable("rehearsal exchange", "the line is cut")

    for clock in ("20:58", "20:59"):
        desk.tick(clock)
    answers(desk, cancel=cut)
    closed = desk.run("market-close", at("21:00"))
    del desk.broker.cancel
    after = desk.run("post-market", at("22:00"))

    assert (closed["disable_new_positions"], closed["backup_trading_logs"]) == ("warn", "ok")
    assert after["reconcile_positions"] in ("ok", "warn")
    assert desk.desk.broker.fetch_open_orders() == ()


@pytest.mark.parametrize("desk", ["+SPY 14:35, +THIN 14:36"], indirect=True)
def test_a_withdrawal_while_an_order_is_open_is_no_drawdown(desk: Rehearsal) -> None:
    """A person takes 16 % out. Taken for a loss, it would halt at 10 %."""
    taken = 160_000 * 10**6
    broker: Any = desk.broker
    account, activities = broker.fetch_account, broker.fetch_cash_activities
    desk.tick("14:35")
    desk.tick("14:36")

    def poorer() -> Any:
        now = account()
        return replace(now, cash=now.cash - taken, equity=now.equity - taken)

    moved = CashActivity("w-1", "CSW", -taken, at("14:36:10"))
    answers(desk, fetch_account=poorer, fetch_cash_activities=lambda since: (*activities(since), moved))
    desk.monitor("14:36:30")

    assert desk.life("THIN").state is IntentState.PARTIAL
    assert desk.ledger.state.state is TradingState.NORMAL


@pytest.mark.parametrize("desk", ["+THIN 14:35, +SPY 14:38"], indirect=True)
def test_a_rejection_after_executions_ends_the_rest_and_wedges_nothing(desk: Rehearsal) -> None:
    """The broker fills some shares, then rejects: what was filled is ours, and the next ticks trade."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    broker: Any = desk.broker
    real = broker.fetch_order

    def rejecting(client_id: str) -> Order | None:
        order: Order | None = real(client_id)
        if order is None or order.symbol != "THIN":
            return order
        return replace(order, state=IntentState.REJECTED)

    answers(desk, fetch_order=rejecting)
    desk.tick("14:37")
    summary = desk.tick("14:38")
    life = desk.life("THIN")

    assert (life.state, life.filled > 0, life.unsettled) == (IntentState.CANCELLED, True, 0)
    assert summary["sent"] == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_an_order_filled_twice_over_is_booked_locked_and_told(desk: Rehearsal) -> None:
    """Twice the quantity is executed: the position in the ledger is the broker's, so its stop covers it."""
    desk.tick("14:35")
    ordered = desk.life().intent.quantity
    broker: Any = desk.broker
    real, fills = broker.fetch_order, broker.fetch_fills

    def doubled(since: Any) -> list[Fill]:
        return [one for fill in fills(since) for one in (fill, replace(fill, id=f"{fill.id}-again"))]

    answers(desk, fetch_order=lambda key: replace(real(key), filled=2 * ordered), fetch_fills=doubled)
    desk.tick("14:36")

    assert desk.ledger.positions["SPY"].quantity == 2 * ordered
    assert (desk.life().state, desk.ledger.open_lives) == (IntentState.FILLED, ())
    assert set(desk.ledger.locks) == {"SPY"}
    assert alerts(desk).count("reconciliation_break") == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35, +SPY 14:39"], indirect=True)
def test_an_order_given_up_that_arrives_after_all_is_booked_and_not_doubled(desk: Rehearsal) -> None:
    """Nothing arrived within two minutes: given up. Then it does. The entry of 14:39 must not double it."""

    def lost(moment: str) -> None:
        if moment == "before":
            raise BrokerUnavailable("rehearsal exchange", "timeout")

    desk.broker.fault = lost
    desk.tick("14:35")
    desk.broker.fault = lambda _moment: None
    desk.tick("14:37")
    given_up = desk.life()
    desk.broker.submit(given_up.intent)
    for clock in ("14:38", "14:39", "14:40"):
        desk.tick(clock)
    held = {one.symbol: one.quantity for one in desk.desk.broker.fetch_positions()}

    assert given_up.state is IntentState.EXPIRED
    assert {symbol: one.quantity for symbol, one in desk.ledger.positions.items()} == held
    assert sum(held.values()) <= given_up.intent.quantity
    assert alerts(desk).count("late_order") == 1
    assert len(desk.received()) == 1


@pytest.mark.parametrize("desk", ["+SPY 15:29"], indirect=True)
def test_executions_that_are_listed_late_are_no_discrepancy(desk: Rehearsal) -> None:
    """Position and cash have moved, the list of executions has not: our own order explains it."""
    desk.tick("15:29")
    broker: Any = desk.broker
    fills = broker.fetch_fills
    answers(desk, fetch_fills=lambda _since: ())
    summary = desk.run("intraday-check", at("15:30"))
    answers(desk, fetch_fills=fills)
    desk.monitor("15:30:30")

    assert summary["check_position_status"] == "ok"
    assert desk.ledger.state.state is TradingState.NORMAL
    assert desk.ledger.positions["SPY"].quantity == desk.life().filled


@pytest.mark.parametrize("desk", ["+SPY 15:29"], indirect=True)
def test_more_than_our_order_can_explain_is_a_discrepancy_however_late_the_list(desk: Rehearsal) -> None:
    """Our order was for 29.8 SPY; a person buys 100 more while its executions are not listed yet."""
    desk.tick("15:29")
    desk.by_hand(symbol="SPY", side="buy", qty="100")
    answers(desk, fetch_fills=lambda _since: ())
    summary = desk.run("intraday-check", at("15:30"))

    assert summary["check_position_status"] == "fail"
    assert (desk.ledger.state.state, set(desk.ledger.locks)) == (TradingState.HALTED, {"SPY"})


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40, -SPY 14:41"], indirect=True)
def test_an_exit_that_cannot_be_made_is_told_once_an_hour(desk: Rehearsal) -> None:
    """The symbol is halted: two exits are wanted and refused, the position stays."""
    desk.tick("14:35")
    known = desk.desk.memory.instruments
    desk.tick("14:36")
    known["SPY"] = replace(known["SPY"], tradable=False)
    for clock in ("14:40", "14:41"):
        desk.tick(clock)

    assert set(desk.ledger.positions) == {"SPY"}
    assert alerts(desk).count("exit_refused") == 1


def test_the_daily_report_runs_after_another_process_took_the_lease(tmp_path: Path) -> None:
    """A scheduled run came by in between: the session's own run must not be fenced off."""
    with rehearsal(tmp_path) as desk:
        desk.morning()
        stranger = desk.desk.journal.take_lease("other:1", "code", "config", desk.now())
        summary = desk.run("daily-report", at("22:30"))

        assert stranger == 2
        assert summary["report"] == "reports/2026-11-20.html"
