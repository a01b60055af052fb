"""What a hostile reviewer got through once, and must not again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import failpoints
from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused, BrokerUnavailable, OrderRejected
from pipeline.operations.climbing import climb
from pipeline.operations.emergency import flatten, halt, resume
from pipeline.operations.passes import urgent_pass
from pipeline.operations.procedures.finding import ok
from pipeline.operations.reconciliation import reconcile
from pipeline.operations.sending import send
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

LIQUIDATES = {"emergency_controls": {"auto_liquidation_drawdown": 0.15}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """A session in which SPY is bought at 14:35 and sold at 14:45."""
    with rehearsal(tmp_path, overlay("+SPY 14:35, -SPY 14:45", risk_management=LIQUIDATES)) as running:
        running.morning()
        yield running


@pytest.mark.parametrize("stop", [halt, flatten])
def test_a_stop_in_the_middle_of_a_resume_ends_the_resume(desk: Rehearsal, stop: Any) -> None:
    """Ann resumes; her steps are done when Bob stops what is stopped already. His word is the later one."""
    journal = desk.desk.journal
    stop(journal, "first", "ann", desk.now())
    with urgent_pass(desk.desk, "resume-trading", "ann"):
        reconcile(desk.desk, "resume", desk.now())
        stop(journal, "no, wait", "bob", desk.now())
        with pytest.raises(AppendRefused, match="not reconciled since trading stopped"):
            resume(desk.desk, {"all": ok("fine")}, "looked at it", "ann", desk.now())

    assert desk.ledger.state.state.latched
    assert (desk.ledger.state.by, desk.ledger.state.reason) == ("bob", "no, wait")


def test_what_a_person_halted_is_not_sold_by_the_ladder(desk: Rehearsal) -> None:
    """−20 % after a halt, where −15 % sells everything by itself: what is held stays held, as halt says."""
    desk.tick("14:35")
    desk.tick("14:36")
    halt(desk.desk.journal, "stop", "ann", desk.now())
    base = desk.ledger.baseline
    assert base is not None
    climb(desk.desk, base.day_equity * 8 // 10, desk.now())

    assert desk.ledger.state.state is TradingState.HALTED
    assert "SPY" in desk.ledger.positions


@pytest.mark.parametrize(
    ("minutes", "why"), [(2, "not sent: 120 s old"), (450, "not sent: the session is over")]
)
def test_a_process_that_was_suspended_does_not_send_what_it_decided_long_ago(
    desk: Rehearsal, minutes: int, why: str
) -> None:
    """Frozen before the send, as with a closed lid: 90 s later the market that it saw is gone."""
    desk.to(at("14:35"))
    late = desk.now() + timedelta(minutes=minutes)

    class Woken:
        def now(self) -> datetime:
            return late

    real = replace(desk.desk, virtual=False, clock=Woken())
    desk.broker.fault = lambda _moment: pytest.fail("a request left")
    intent = _plan(desk)
    state = send(real, intent, desk.ledger.lives[intent].intent.quantity, desk.now())

    assert (state, desk.ledger.lives[intent].note) == (IntentState.EXPIRED, why)
    assert desk.received() == {}


def _plan(desk: Rehearsal) -> str:
    """Decide the tick of 14:35 as usual, but die before anything is sent; return the intent's id."""

    class Frozen(BaseException):
        pass

    def freeze(place: str) -> None:
        if place == "before_sending":
            raise Frozen

    failpoints.arm(freeze)
    try:
        with pytest.raises(Frozen):
            desk.tick("14:35")
    finally:
        failpoints.arm(None)
    return desk.life().intent.id


def test_a_refusal_of_an_id_sent_before_does_not_prove_that_nothing_is_there(desk: Rehearsal) -> None:
    """Accepted, 504; the look-up lags; sent again, refused for want of room, which the first order took."""
    hidden = desk.broker.fetch_order
    answers = iter(["lost", "refused"])

    def fault(moment: str) -> None:
        if moment == "after":
            if next(answers, "") == "lost":
                raise BrokerUnavailable("rehearsal exchange", "504")
        elif desk.life().sends > 1:
            raise OrderRejected(desk.life().intent.id, "40310000", "insufficient buying power")

    desk.broker.fault = fault
    desk.tick("14:35")
    desk.broker.__dict__["fetch_order"] = lambda _id: None
    desk.monitor("14:35:30")
    doubtful = desk.life()
    desk.broker.__dict__["fetch_order"] = hidden
    desk.tick("14:36")
    desk.tick("14:37")

    assert (doubtful.state, doubtful.sends) == (IntentState.UNKNOWN, 2)
    assert doubtful.unsettled == doubtful.intent.quantity
    assert desk.life().state is IntentState.FILLED
    assert desk.ledger.positions["SPY"].quantity == desk.life().intent.quantity


def test_who_lost_the_lease_may_stop_trading_and_never_let_it_go_on(desk: Rehearsal) -> None:
    """A zombie of an older epoch: no way down the ladder, no word that the books agree; a halt is heard."""
    desk.tick("14:35")
    zombie = desk.desk.journal
    down = {"state": int(TradingState.NORMAL), "reason": "fine", "by": "risk ladder", "resume": False}
    zombie.append(Kind.STATE, down | {"state": int(TradingState.REDUCING)}, desk.now())
    epoch = desk.ledger.lease.epoch
    lease = {"epoch": epoch + 1, "owner": "another", "code": desk.desk.code, "config": desk.desk.config}
    zombie.append(Kind.LEASE, lease, desk.now())
    words: list[tuple[Kind, dict[str, object]]] = [
        (Kind.STATE, down),
        (Kind.RECONCILED, {"session": "2026-11-20", "clean": True, "discrepancies": []}),
    ]
    for kind, data in words:
        with pytest.raises(AppendRefused, match="gave way"):
            zombie.append(kind, data, desk.now())
    halt(zombie, "stop", "ann", desk.now())

    assert desk.ledger.state.state is TradingState.HALTED
