"""Ledger against broker: what a person does by hand is seen and halts trading until it is clean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.trading_state import TradingState
from pipeline.errors import UsageError
from pipeline.operations.desk import Desk
from pipeline.operations.passes import trading_pass
from pipeline.operations.procedures.finding import Finding
from pipeline.operations.procedures.registry import conclude_pre_market, run_step
from tests.operations.desks import Rehearsal, at, overlay, rehearsal


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


def test_our_own_fills_are_booked_before_anything_is_compared(desk: Rehearsal) -> None:
    """The order of 14:35 was filled since the last pass: no discrepancy, the position is in the ledger."""
    summary = desk.run("intraday-check", at("15:30"))
    held = desk.desk.broker.fetch_positions()

    assert summary["check_position_status"] == "ok"
    assert [(one.symbol, one.quantity) for one in held] == [
        (symbol, position.quantity) for symbol, position in desk.ledger.positions.items()
    ]
    assert desk.ledger.cash == desk.desk.broker.fetch_account().cash


def test_shares_bought_by_hand_halt_trading_and_a_resume_is_refused(desk: Rehearsal) -> None:
    """A person buys 2 QQQ in the broker's app: position and cash differ, QQQ is locked, trading halts."""
    desk.to(at("15:00"))
    desk.by_hand(symbol="QQQ", side="buy", qty="2")
    summary = desk.run("intraday-check", at("15:30"))
    told = [record.data["event"] for record in desk.records(Kind.ALERT)]
    after = desk.tick("15:31")

    assert summary["check_position_status"] == "fail"
    position, cash = found(desk)
    assert (position["kind"], position["symbol"]) == ("position", "QQQ")
    assert (position["ledger"], position["broker"]) == ("0", "2")
    assert cash["kind"] == "cash"
    assert desk.ledger.state.state is TradingState.HALTED
    assert set(desk.ledger.locks) == {"QQQ"}
    assert "reconciliation_break" in told
    assert "sent" not in after
    with pytest.raises(UsageError, match="not resumed: check_position_integrity: 2 discrepancies"):
        desk.resume()
    assert desk.ledger.state.state is TradingState.HALTED


def test_cash_that_moved_without_a_reason_halts_trading(desk: Rehearsal) -> None:
    """Bought and sold again by hand: no position differs, but the spread of 10 shares is gone."""
    desk.to(at("15:00"))
    desk.by_hand(symbol="QQQ", side="buy", qty="10")
    desk.to(at("15:05"))
    desk.by_hand(symbol="QQQ", side="sell", qty="10")
    desk.run("intraday-check", at("15:30"))

    assert [one["kind"] for one in found(desk)] == ["cash"]
    assert desk.ledger.state.state is TradingState.HALTED


def test_an_order_by_hand_halts_and_once_it_is_gone_a_resume_ramps_up(desk: Rehearsal) -> None:
    """A resting order that is not ours: halted. A person cancels it: clean, and entries begin at 25 %."""
    desk.to(at("15:00"))
    order = desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")
    desk.run("intraday-check", at("15:30"))
    kinds = [one["kind"] for one in found(desk)]
    with pytest.raises(UsageError, match="not resumed"):
        desk.resume()
    desk.cancel_by_hand(order["id"])
    summary = desk.resume()
    tick = desk.tick("15:31")
    full, entered = desk.life("SPY").intent, desk.life("QQQ").intent

    assert kinds == ["external_order"]
    assert summary["check_position_integrity"] == "ok"
    assert desk.ledger.locks == {}
    assert desk.ledger.state.state is TradingState.NORMAL
    assert tick["sent"] == 1
    share = entered.quantity * entered.decision_price / (full.quantity * full.decision_price)
    assert share == pytest.approx(0.25, rel=1e-3)


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


def test_a_symbol_that_the_broker_does_not_know_is_no_go(tmp_path: Path) -> None:
    """XYZ is configured but not listed, as after a delisting: found before the open, not by an order."""
    with rehearsal(tmp_path, overlay(data={"symbols": ["SPY", "QQQ"]})) as desk:
        desk.run("plan-session", at("12:00"))
        stranger = replace(desk.desk, symbols=("SPY", "XYZ"))
        finding = checked(stranger, desk, "validate_risk_controls")

        assert finding.outcome == "fail"
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
