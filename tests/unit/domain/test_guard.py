from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Fill, Intent, IntentState, Purpose, Side
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused
from tests.unit.domain.making import DAY, SPY_PRICE, T0, Paper, an_intent

NORMAL, CAUTIOUS, REDUCING, HALTED, LIQUIDATING = TradingState


@pytest.fixture
def paper() -> Paper:
    return Paper().lease()


def entry(quantity: int = 100, minute: int = 0, symbol: str = "SPY") -> Intent:
    return an_intent(Side.BUY, quantity, Purpose.ENTRY, minute, symbol)


def leave(quantity: int = 100, minute: int = 1, purpose: Purpose = Purpose.EXIT) -> Intent:
    return an_intent(Side.SELL, quantity, purpose, minute)


def holding(paper: Paper, quantity: int = 100) -> Paper:
    paper.trade(entry(quantity))
    return paper


def veto(paper: Paper, intent: Intent) -> None:
    paper.append(Kind.VETOED, {"intent_id": intent.id, "reason": "changed my mind"})


def refused(code: str) -> pytest.RaisesExc[AppendRefused]:
    return pytest.raises(AppendRefused, check=lambda error: error.code == code)


def test_one_decision_is_one_intent_for_ever(paper: Paper) -> None:
    paper.plan(entry())
    with refused("duplicate"):
        paper.plan(entry())
    veto(paper, entry())
    with refused("duplicate"):
        paper.plan(entry())


def test_an_intent_is_sent_once_and_again_only_from_unknown(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    with refused("illegal"):
        paper.send(entry())
    paper.append(Kind.UNKNOWN, {"intent_id": entry().id, "reason": "timeout"})
    paper.send(entry())

    assert (paper.life(entry()).sends, paper.ledger.sent_today) == (2, 1)


def test_nothing_is_sent_that_was_not_planned(paper: Paper) -> None:
    with refused("illegal"):
        paper.send(entry())


def test_an_unknown_order_is_not_sent_again_once_a_cancel_was_asked_for(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    paper.append(Kind.UNKNOWN, {"intent_id": entry().id, "reason": "timeout"})
    paper.append(Kind.CANCEL, {"intent_id": entry().id, "reason": "halt"})

    with refused("illegal"):
        paper.send(entry())


def test_the_broker_cannot_pass_for_a_sender(paper: Paper) -> None:
    """UNKNOWN → SENDING is a send; under a HALT it must not come in through an order's status."""
    paper.plan(entry())
    paper.send(entry())
    paper.append(Kind.UNKNOWN, {"intent_id": entry().id, "reason": "timeout"})
    for state in ("sending", "held", "planned"):
        with refused("illegal"):
            paper.order(entry(), state)


@pytest.mark.parametrize("kind", ["intent", "sending", "claim", "tick", "opening", "baseline", "enabled"])
def test_a_trader_that_lost_its_lease_writes_nothing_that_trades(paper: Paper, kind: str) -> None:
    paper.plan(entry())
    old = paper.epoch
    paper.lease()
    paper.epoch = old
    with refused("fenced"):
        paper.append(Kind(kind), {"intent_id": entry().id, "quantity": 100})
    paper.epoch = 0
    with refused("fenced"):
        paper.append(Kind(kind), {"intent_id": entry().id, "quantity": 100})


def test_without_any_lease_nothing_that_trades_is_written() -> None:
    """A journal that nobody ever leased has epoch 0, and so has whoever never asked for the lease."""
    with refused("fenced"):
        Paper().plan(entry())


def version(paper: Paper, code: str, reason: str = "", day: date = DAY) -> None:
    said = {"session": day.isoformat(), "code": code, "config": "f", "by": "somebody", "reason": reason}
    paper.append(Kind.VERSION, said)


def test_one_version_trades_a_session_until_a_person_names_another(paper: Paper) -> None:
    """The lease of Paper has code "c" and configuration "f"."""
    claim = {
        "procedure": "intraday-tick",
        "session": DAY.isoformat(),
        "instant": T0.isoformat(),
        "driver": "",
    }
    paper.plan_session()
    version(paper, "c")
    paper.plan(entry())
    with refused("other_version"):
        version(paper, "d")
    version(paper, "d", "a repair that cannot wait")
    for kind, data in (
        (Kind.CLAIM, claim),
        (Kind.INTENT, encode(entry(minute=1, symbol="QQQ"))),
        (Kind.SENDING, {"intent_id": entry().id, "quantity": 100}),
    ):
        with refused("other_version"):
            paper.append(kind, data)
    version(paper, "c", "back again")
    paper.append(Kind.CLAIM, claim)
    paper.send(entry())


def test_any_version_sells_everything_when_that_was_asked_for(paper: Paper) -> None:
    holding(paper).plan_session()
    version(paper, "d", "another process trades")
    paper.enter(LIQUIDATING)
    paper.plan(leave(purpose=Purpose.LIQUIDATION))
    paper.send(leave(purpose=Purpose.LIQUIDATION))


def test_the_first_version_is_named_by_who_holds_the_lease_and_by_nobody_else(paper: Paper) -> None:
    paper.epoch = 0
    with refused("fenced"):
        version(paper, "c")
    version(paper, "d", "a person needs no lease")


def test_an_entry_against_what_is_held_would_cross_zero(paper: Paper) -> None:
    """Long 100: a short entry of 150 would sell the position and open another, by accident."""
    holding(paper)
    for quantity in (1, 100, 150):
        with refused("crossing"):
            paper.plan(an_intent(Side.SELL, quantity, Purpose.ENTRY, 1))
    paper.plan(an_intent(Side.SELL, 10, Purpose.ENTRY, 1, "QQQ"))


def test_halt_cancel_and_the_brokers_word_need_no_lease(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    paper.epoch = 0
    paper.enter(HALTED)
    paper.append(Kind.CANCEL, {"intent_id": entry().id, "reason": "halt"})
    paper.order(entry(), "partial", 40)
    paper.fill(entry(), 40)

    assert paper.ledger.positions["SPY"].quantity == 40


def test_epochs_grow_by_one(paper: Paper) -> None:
    for wrong in (1, 3):
        with refused("stale_epoch"):
            paper.append(Kind.LEASE, {"epoch": wrong, "owner": "x", "code": "c", "config": "f"})


@pytest.mark.parametrize(
    ("state", "purpose", "code"),
    [
        (CAUTIOUS, Purpose.ENTRY, ""),
        (REDUCING, Purpose.ENTRY, "reducing"),
        (REDUCING, Purpose.EXIT, ""),
        (REDUCING, Purpose.STOP, ""),
        (HALTED, Purpose.ENTRY, "halted"),
        (HALTED, Purpose.STOP, "halted"),
        (HALTED, Purpose.LIQUIDATION, "halted"),
        (LIQUIDATING, Purpose.ENTRY, "halted"),
        (LIQUIDATING, Purpose.EXIT, "halted"),
        (LIQUIDATING, Purpose.LIQUIDATION, ""),
    ],
)
def test_what_each_state_lets_through_to_plan_and_to_send(
    paper: Paper, state: TradingState, purpose: Purpose, code: str
) -> None:
    holding(paper)
    new = entry(minute=5, symbol="QQQ") if purpose is Purpose.ENTRY else leave(minute=5, purpose=purpose)
    planned = Paper().lease()
    holding(planned).plan(new)
    for each in (paper, planned):
        each.enter(state)
    if not code:
        paper.plan(new)
        planned.send(new)
        return
    with refused(code):
        paper.plan(new)
    with refused(code):
        planned.send(new)


def test_an_exit_needs_a_position_on_the_other_side(paper: Paper) -> None:
    with refused("not_reducing"):
        paper.plan(leave())
    holding(paper)
    with refused("not_reducing"):
        paper.plan(leave(101))
    with refused("not_reducing"):
        paper.plan(an_intent(Side.BUY, 1, Purpose.STOP, 2))
    paper.plan(leave(60))
    with refused("not_reducing"):
        paper.plan(leave(41, minute=2))
    paper.plan(leave(40, minute=2))


def test_shares_sold_but_not_booked_are_not_sold_again(paper: Paper) -> None:
    """The order says filled, the fill is still on its way: our positions show 100 shares that are gone."""
    holding(paper)
    paper.plan(leave())
    paper.send(leave())
    paper.order(leave(), "filled", 100)
    with refused("not_reducing"):
        paper.plan(leave(minute=2))
    with refused("not_reducing"):
        paper.plan(leave(1, minute=2, purpose=Purpose.STOP))
    paper.fill(leave(), 100)

    assert paper.ledger.positions == {}
    assert paper.ledger.open_lives == ()


def test_shares_bought_but_not_booked_are_not_bought_again(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    paper.order(entry(), "filled", 100)
    with refused("duplicate"):
        paper.plan(entry(minute=1))


def test_an_exit_held_for_review_is_not_sent_when_the_position_shrank_meanwhile(paper: Paper) -> None:
    """A person sells 80 of 100 by hand: the held exit of 100 would open a short of 80."""
    holding(paper)
    held = an_intent(Side.SELL, 100, Purpose.EXIT, 1, release_at=T0 + timedelta(seconds=30))
    paper.plan(held)
    paper.append(Kind.FILL, encode(Fill("by hand", "o", "", "SPY", Side.SELL, 80, SPY_PRICE, T0)))
    with refused("illegal"):
        paper.send(held)
    paper.send(held, 20)

    assert paper.life(held).intent.quantity == 20


def test_a_veto_cannot_make_us_forget_an_order_that_left(paper: Paper) -> None:
    """The person's veto and the release race: the order is live, so it counts until it is cancelled."""
    for move in ("sending", "acked", "partial"):
        paper = Paper().lease()
        paper.plan(entry())
        paper.send(entry())
        if move != "sending":
            paper.order(entry(), move, 10 if move == "partial" else 0)
        with refused("illegal"):
            veto(paper, entry())


def test_only_the_trader_gives_up_an_unknown_order(paper: Paper) -> None:
    """It has asked the broker; a command line has not."""
    paper.plan(entry())
    paper.send(entry())
    paper.append(Kind.UNKNOWN, {"intent_id": entry().id, "reason": "timeout"})
    trader, paper.epoch = paper.epoch, 0
    with refused("fenced"):
        veto(paper, entry())
    paper.epoch = trader
    veto(paper, entry())

    assert paper.life(entry()).state is IntentState.EXPIRED


@pytest.mark.parametrize("state", ["acked", "partial", "filled", "expired", "rejected"])
def test_what_ended_stays_ended(paper: Paper, state: str) -> None:
    paper.plan(entry())
    paper.send(entry())
    paper.order(entry(), "cancelled", 30)
    with refused("illegal"):
        paper.order(entry(), state, 30)


def test_a_late_execution_of_a_cancelled_order_is_taken_in(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    paper.order(entry(), "cancelled")
    paper.fill(entry(), 30)
    paper.order(entry(), "cancelled", 30)
    paper.fill(entry(), 30)  # told twice

    assert paper.ledger.positions["SPY"].quantity == 30
    assert (paper.life(entry()).filled, paper.ledger.open_lives) == (30, ())


def test_more_executed_than_ordered_is_not_taken_for_granted(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry(), 60)
    with refused("overfilled"):
        paper.order(entry(), "partial", 61)
    paper.order(entry(), "partial", 60)


def test_an_order_grows_from_partial_to_partial(paper: Paper) -> None:
    paper.plan(entry())
    paper.send(entry())
    for filled in (10, 40, 40, 20, 99):
        paper.order(entry(), "partial", filled)

    assert paper.life(entry()).filled == 99


def test_a_latched_state_is_left_only_by_a_person_after_a_clean_reconciliation(paper: Paper) -> None:
    paper.reconciled()
    paper.now += timedelta(seconds=1)
    paper.enter(HALTED)
    for softer in (NORMAL, CAUTIOUS, REDUCING):
        with refused("latched"):
            paper.enter(softer)
    with refused("unreconciled"):  # clean, but before whatever stopped us
        paper.enter(NORMAL, resume=True)
    paper.reconciled(clean=False)
    with refused("unreconciled"):
        paper.enter(NORMAL, resume=True)
    paper.reconciled()
    paper.enter(NORMAL, resume=True)

    assert (paper.ledger.state.state, paper.ledger.resumed_sessions) == (NORMAL, 0)


def test_a_halt_escalates_and_may_be_repeated(paper: Paper) -> None:
    for state in (REDUCING, HALTED, HALTED, LIQUIDATING):
        paper.enter(state)

    assert paper.ledger.state.state is LIQUIDATING


def test_a_reducing_state_ends_by_itself(paper: Paper) -> None:
    paper.enter(REDUCING)
    paper.enter(NORMAL)

    assert paper.ledger.resumed_sessions is None


def test_liquidation_ends_when_nothing_is_held_and_nothing_can_come(paper: Paper) -> None:
    holding(paper)
    other = entry(minute=1, symbol="QQQ")
    paper.plan(other)
    paper.send(other)
    paper.append(Kind.UNKNOWN, {"intent_id": other.id, "reason": "timeout"})
    paper.enter(LIQUIDATING)
    with refused("latched"):
        paper.enter(HALTED)
    paper.trade(leave(minute=2, purpose=Purpose.LIQUIDATION))
    with refused("latched"):  # flat, but a buy may still be filled
        paper.enter(HALTED)
    paper.order(other, "cancelled")
    paper.enter(HALTED)


def test_resuming_in_mid_liquidation_is_a_persons_decision(paper: Paper) -> None:
    holding(paper).enter(LIQUIDATING)
    paper.reconciled()
    paper.enter(HALTED, resume=True)

    assert paper.ledger.state.state is HALTED


def test_an_instant_done_is_done_and_one_begun_may_be_taken_over(paper: Paper) -> None:
    claim = {
        "procedure": "intraday-tick",
        "session": DAY.isoformat(),
        "instant": T0.isoformat(),
        "driver": "a",
    }
    paper.append(Kind.CLAIM, claim)
    paper.append(Kind.CLAIM, claim | {"driver": "b"})
    paper.append(Kind.RUN, claim | {"outcome": "failed", "reason": "", "summary": {}})
    paper.append(Kind.CLAIM, claim)
    paper.append(Kind.RUN, claim | {"outcome": "completed", "reason": "", "summary": {}})
    with refused("claimed"):
        paper.append(Kind.CLAIM, claim)
    elsewhere = datetime.fromisoformat("2026-11-20T09:31:00-05:00")
    assert elsewhere == T0.astimezone(UTC)
    with refused("claimed"):
        paper.append(Kind.CLAIM, claim | {"instant": elsewhere.isoformat()})


def test_yesterdays_go_does_not_enable_today(paper: Paper) -> None:
    paper.plan_session()
    yesterday = {"day": "2026-11-19", "go": True, "entries": True, "reason": "late run"}
    with refused("stale_session"):
        paper.append(Kind.ENABLED, yesterday)
    paper.append(Kind.ENABLED, yesterday | {"day": DAY.isoformat()})

    assert paper.ledger.entries_enabled
