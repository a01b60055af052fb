"""What the watchdog sees in a journal, and what it does not mistake for trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pipeline.domain.ledger import Ledger
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState, Purpose, Side
from pipeline.domain.portfolio import Position
from pipeline.domain.trading_state import StateChange, TradingState
from pipeline.operations.watching import Sight, alarms
from tests.operations.desks import at
from tests.unit.domain.making import an_intent

OPEN = at("14:30")
QUIET = timedelta(minutes=5)


def sight(clock: str, trader: bool = True, opened: datetime | None = OPEN, watching: str = "13:00") -> Sight:
    return Sight(at(clock), opened, trader, at(watching), QUIET)


def ledger(last_tick: str | None = None, held: bool = False) -> Ledger:
    """Return a ledger of a session that was driven since the open."""
    found = Ledger(last_tick=None if last_tick is None else at(last_tick))
    found.claims["intraday-tick", OPEN + timedelta(minutes=1)] = "session"
    if held:
        found.positions["SPY"] = Position("SPY", 10**9, 670_000_000, OPEN)
    return found


def seen(found: Ledger, looked: Sight) -> list[str]:
    return [alarm.event for alarm in alarms(found, looked)]


@pytest.mark.parametrize(
    ("last_tick", "now", "events"),
    [
        ("15:00", "15:05", []),
        ("15:00", "15:05:01", ["no_tick"]),
        (None, "14:35", []),
        (None, "14:35:01", ["no_tick"]),
    ],
)
def test_five_minutes_without_a_tick_while_the_session_is_open_is_an_alarm(
    last_tick: str | None, now: str, events: list[str]
) -> None:
    """To the second; before the first tick of the day, since the open."""
    assert seen(ledger(last_tick), sight(now)) == events


def test_a_closed_exchange_is_quiet_whatever_stands_still() -> None:
    assert seen(ledger("15:00", held=True), sight("22:00", trader=False, opened=None)) == []


def test_a_session_process_that_is_gone_is_an_alarm_at_once_and_its_positions_another() -> None:
    """It traded this session; a minute after its last tick nobody holds the desk."""
    assert seen(ledger("15:00"), sight("15:01", trader=False)) == ["session_died"]
    assert seen(ledger("15:00", held=True), sight("15:01", trader=False)) == [
        "session_died",
        "positions_unwatched",
    ]


def test_a_session_process_that_hangs_leaves_positions_unwatched() -> None:
    """It holds the desk, and decides nothing."""
    assert seen(ledger("15:00", held=True), sight("15:06")) == ["no_tick", "positions_unwatched"]


def test_a_desk_just_started_is_given_its_time() -> None:
    """Last tick at 15:00, started again at 16:00: no alarm until 16:05."""
    assert seen(ledger("15:00"), sight("16:01", watching="16:00")) == []
    assert seen(ledger("15:00"), sight("16:06", watching="16:00")) == ["no_tick"]


def test_ticks_that_came_from_schedules_need_no_session_process() -> None:
    found = ledger("15:00")
    found.claims = {("intraday-tick", at("14:31")): "prefect"}

    assert seen(found, sight("15:01", trader=False)) == []


@pytest.mark.parametrize(
    ("seconds", "purpose", "events"),
    [
        (60, Purpose.ENTRY, []),
        (61, Purpose.ENTRY, ["cancel_unconfirmed"]),
        (61, Purpose.LIQUIDATION, ["cancel_unconfirmed"]),
    ],
)
def test_a_stop_whose_cancels_nobody_confirmed_is_an_alarm_after_a_minute(
    seconds: int, purpose: Purpose, events: list[str]
) -> None:
    """Also while the exchange is closed: an order may wait there for the next open."""
    found = ledger("15:00")
    intent = replace(an_intent(Side.BUY, 100, Purpose.ENTRY, 0, "SPY"), purpose=purpose)
    found.lives[intent.id] = OrderLife(intent, IntentState.ACKED, "o-1").cancelling(at("15:00"))
    found.open_ids[intent.id] = None
    halted = at("15:00")
    found.state = StateChange(TradingState.HALTED, "x", "a person", halted)
    looked = replace(sight("15:00", opened=None), now=halted + timedelta(seconds=seconds))

    assert seen(found, looked) == events
