"""An order's life at the desk: held for review, released or given up, vetoed, timed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.market import BySymbol
from pipeline.domain.orders import IntentState, Purpose
from pipeline.operations.sending import cancel
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

HOLD = {"execution_delay_seconds": 30}
SCRIPT = "+SPY 14:35, -SPY 14:40, +QQQ 14:45, +SPY 14:50, -SPY 14:55"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The seed's 30 seconds of review, in a session that is under way; the tests follow each other."""
    with rehearsal(tmp_path_factory.mktemp("holds"), overlay(SCRIPT, execution=HOLD)) as running:
        running.morning()
        yield running


def test_a_held_intent_is_released_after_its_review_and_not_before(desk: Rehearsal) -> None:
    """Decided at 14:35:00, held for 30 s; a monitor pass at 14:35:29 finds it not yet due."""
    desk.tick("14:35")
    held = desk.life()
    desk.monitor("14:35:29")
    waiting = desk.life().state
    summary = desk.monitor("14:35:30")

    assert (held.state, held.intent.release_at) == (IntentState.HELD, at("14:35:30"))
    assert waiting is IntentState.HELD
    assert summary["released"] == 1
    assert desk.received() == {held.intent.id: 1}
    assert desk.life().sent_at == at("14:35:30")


def test_a_held_intent_that_a_person_vetoes_is_never_sent(desk: Rehearsal) -> None:
    """The exit at 14:40 is vetoed during its review: the position stays, nothing is sent at 14:40:30."""
    desk.tick("14:40")
    vetoed = desk.life()
    cancel(desk.desk, vetoed.intent.id, "earnings tonight", desk.now())
    desk.monitor("14:40:30")

    assert vetoed.state is IntentState.HELD
    assert (desk.life().state, desk.life().note) == (IntentState.EXPIRED, "earnings tonight")
    assert vetoed.intent.id not in desk.received()
    assert set(desk.ledger.positions) == {"SPY"}


def test_a_halt_during_the_review_gives_the_intent_up(desk: Rehearsal) -> None:
    """A held order has not been sent: a halt ends it at once, and a resume does not bring it back."""
    desk.tick("14:45")
    held = desk.life("QQQ")
    desk.desk.journal.append(
        Kind.STATE, {"state": 3, "reason": "drill", "by": "test", "resume": False}, desk.now()
    )
    desk.monitor("14:45:30")
    desk.resume()
    desk.monitor("14:46:30")

    assert held.state is IntentState.HELD
    assert desk.ledger.lives[held.intent.id].state is IntentState.EXPIRED
    assert held.intent.id not in desk.received()


def test_a_price_beyond_the_collar_gives_a_held_entry_up(tmp_path: Path) -> None:
    """A collar of 2 %: half a minute after the decision the quote is 3 % higher, so the entry is dead."""
    with rehearsal(tmp_path, overlay("+SPY 14:35", execution=HOLD)) as desk:
        desk.morning()
        desk.tick("14:35")
        data: Any = desk.desk.data
        quotes = data.fetch_quotes

        def higher(symbols: Sequence[str]) -> Any:
            found = quotes(symbols)
            spy = found["SPY"]
            moved = replace(spy, bid=spy.bid * 103 // 100, ask=spy.ask * 103 // 100)
            return BySymbol({**found, "SPY": moved}, found.flaws)

        data.fetch_quotes = higher
        summary = desk.monitor("14:35:30")

        assert (summary["released"], summary["expired"]) == (0, 1)
        assert desk.life().state is IntentState.EXPIRED
        assert desk.life().note.startswith("refused at release: ")
        assert desk.received() == {}


def test_protection_goes_past_an_exit_that_waits_for_review(tmp_path: Path) -> None:
    """Bought at 14:45, its exit decided at 14:48 is held until 14:58; by 14:51 SPY has lost 0.15 %.

    The stop at 0.1 % sells at once and the held exit is given up: one sale, of what is held.
    """
    nervous = overlay(
        "+SPY 14:35, -SPY 14:48",
        execution={"execution_delay_seconds": 600},
        risk_management={"stop_loss_pct": 0.001},
    )
    with rehearsal(tmp_path, nervous) as desk:
        desk.morning()
        for clock in ("14:35", "14:45", "14:46", "14:48"):
            desk.tick(clock)
        held = desk.life()
        for clock in ("14:51", "14:52", "14:58", "14:59"):
            desk.tick(clock)
        entry, exit_, stop = desk.ledger.lives.values()

        assert (held.intent.purpose, held.state) == (Purpose.EXIT, IntentState.HELD)
        assert [life.intent.purpose for life in (entry, exit_, stop)] == [
            Purpose.ENTRY,
            Purpose.EXIT,
            Purpose.STOP,
        ]
        assert (exit_.state, exit_.sends) == (IntentState.EXPIRED, 0)
        assert (stop.state, stop.filled) == (IntentState.FILLED, entry.filled)
        assert desk.received() == {entry.intent.id: 1, stop.intent.id: 1}
        assert desk.ledger.positions == {}


def test_what_is_not_filled_in_time_is_cancelled_and_what_was_filled_stays(tmp_path: Path) -> None:
    """20,000 USD of a symbol of which 10 shares a minute can be had: 120 s later the rest is cancelled."""
    thin = overlay(
        "+THIN 14:35",
        data={"symbols": ["THIN"]},
        portfolio={"initial_capital": 1_000_000},
        execution={"execution_delay_seconds": 0, "position_management": {"timeout_seconds": 120}},
        rehearsal={"symbols": {"THIN": {"price": 20, "daily_volume": 39_000, "fractionable": False}}},
    )
    with rehearsal(tmp_path, thin) as desk:
        desk.morning()
        for clock in ("14:35", "14:36", "14:37", "14:38", "14:39"):
            desk.tick(clock)
        life = desk.life("THIN")
        told = [record.data["event"] for record in desk.records(Kind.ALERT)]

        assert life.intent.quantity > 900 * 10**9
        assert life.state is IntentState.CANCELLED
        assert 0 < life.filled == life.booked < life.intent.quantity
        assert desk.ledger.positions["THIN"].quantity == life.filled
        assert told.count("order_timeout") == 1
        assert desk.desk.broker.fetch_open_orders() == ()
