"""Order updates as hints: the next look comes early, the books are the same, and silence is noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from pipeline.errors import BrokerUnavailable
from pipeline.exchange.fault_rules import FaultRule
from pipeline.operations.hints import Hints, StreamWatch, look_early
from pipeline.wiring.desks import open_updates
from tests.operations.desks import Rehearsal, at, overlay, rehearsal
from tests.unit.adapters.test_alpaca_budget import Time


class Updates:
    """A stream that says what the test has it say."""

    def __init__(self) -> None:
        self.failure, self.refused, self.last_event = "", False, at("14:00")
        self.reconnected = 0
        self.notify: Callable[[], None] | None = None

    def start(self, notify: Callable[[], None] | None = None) -> None:
        self.notify = notify

    def stop(self) -> None:
        self.failure = "stopped"

    def reconnect(self) -> None:
        self.reconnected += 1


class Waiting:
    """A pacer that waits for real, as long as the test says."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def wait_until(self, instant: datetime) -> None:
        await asyncio.sleep(self.seconds)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path, overlay("+SPY 14:35, +QQQ 14:40")) as running:
        running.morning()
        running.tick("14:35")
        yield running


def told(desk: Rehearsal) -> list[str]:
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


@contextmanager
def listening(desk: Rehearsal) -> Iterator[Hints]:
    """The desk's own stream, on its exchange."""
    updates = open_updates(desk.config)
    assert updates is not None
    hints = Hints(updates, True, StreamWatch(updates, 0.3, 60.0))
    try:
        yield hints
    finally:
        hints.stop()


def test_a_hint_books_what_the_next_pass_would_have_booked(desk: Rehearsal) -> None:
    """Bought at 14:35, executed within the minute: known at 14:36:10, and 14:37 finds nothing more."""
    desk.to(at("14:36:10"))
    assert desk.life().state is IntentState.ACKED
    assert look_early(desk.desk)
    early = (desk.life().state, len(desk.ledger.fills), dict(desk.ledger.positions))
    assert not look_early(desk.desk)
    desk.monitor("14:36:30")

    assert early[:2] == (IntentState.FILLED, 1)
    assert (desk.life().state, len(desk.ledger.fills), dict(desk.ledger.positions)) == early
    assert set(desk.received().values()) == {1}


def test_an_early_look_is_no_run_and_leaves_the_plan_alone(desk: Rehearsal) -> None:
    runs = dict(desk.ledger.runs)
    desk.to(at("14:36:10"))
    look_early(desk.desk)

    assert desk.ledger.runs == runs


def test_a_hint_while_a_pass_is_at_work_or_nothing_is_open_asks_nothing(desk: Rehearsal) -> None:
    """The pass that holds the lock does the same; an account without open orders has no news of them."""
    desk.to(at("14:36:10"))
    with desk.desk.lock.hold(0.0):
        assert not look_early(desk.desk)
    desk.tick("14:37")
    desk.broker.silent = True

    assert desk.ledger.open_lives == ()
    assert not look_early(desk.desk)


def test_the_stream_makes_a_look_come_before_the_next_pass(desk: Rehearsal) -> None:
    """Waiting for an instant 5 s away; the order is executed meanwhile, and in the books within 3 s."""

    async def wait(hints: Hints) -> float:
        hints.start(desk.desk)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        waiting = asyncio.ensure_future(hints.until(desk.desk, Waiting(5.0), at("14:40")))
        await asyncio.to_thread(desk.to, at("14:36:10"))
        while desk.life().state is not IntentState.FILLED and not waiting.done():
            await asyncio.sleep(0.05)
        waiting.cancel()
        return time.monotonic() - began

    with listening(desk) as hints:
        assert asyncio.run(wait(hints)) < 3.0

    assert desk.life().state is IntentState.FILLED


def test_a_burst_of_hints_is_one_look_and_a_silent_broker_ends_no_session(desk: Rehearsal) -> None:
    """Fifty hints in a second: two looks at most, each fails, and the instant comes all the same."""
    looks = 0
    updates = Updates()
    hints = Hints(updates, True, StreamWatch(updates, 30.0, 60.0))
    desk.to(at("14:36:10"))

    def silent(_client_id: str) -> None:
        nonlocal looks
        looks += 1
        raise BrokerUnavailable("rehearsal exchange", "the line is cut")

    desk.broker.fetch_order = silent  # type: ignore[attr-defined]

    async def wait() -> None:
        hints.start(desk.desk)
        waiting = asyncio.ensure_future(hints.until(desk.desk, Waiting(1.2), at("14:40")))
        for _ in range(50):
            assert updates.notify is not None
            updates.notify()
            await asyncio.sleep(0.02)
        await waiting

    asyncio.run(wait())

    assert 1 <= looks <= 2


def test_in_virtual_time_a_hint_changes_nothing(desk: Rehearsal) -> None:
    """A rehearsal whose clock is moved must not depend on threads: the stream calls nobody."""
    updates = Updates()
    hints = Hints(updates, False, StreamWatch(updates, 2.0, float("inf")))
    before = desk.ledger.seq

    async def wait() -> None:
        hints.start(desk.desk)
        await hints.until(desk.desk, Waiting(0.0), at("14:40"))

    asyncio.run(wait())

    assert updates.notify is None
    assert desk.ledger.seq == before


def test_a_stream_that_hides_an_execution_is_told_once_and_connected_anew(desk: Rehearsal) -> None:
    """The fill of 14:36 is booked; the newest update is of 14:00. After 30 s people hear of it."""
    updates, passing = Updates(), Time()
    watch = StreamWatch(updates, 30.0, 60.0, passing.clock)
    watch.begin(desk.desk)
    desk.tick("14:37")
    reasons = []
    for _ in range(4):
        reasons.append(bool(watch.judge(desk.desk)))
        passing.now += 20.0

    assert reasons == [False, False, True, True]
    assert (told(desk).count("stream_silent"), updates.reconnected) == (1, 1)

    updates.last_event = at("14:37")
    assert watch.judge(desk.desk) == ""


def test_what_was_booked_before_anybody_listened_or_while_it_was_down_is_not_missed(desk: Rehearsal) -> None:
    updates, passing = Updates(), Time()
    watch = StreamWatch(updates, 30.0, 60.0, passing.clock)
    updates.failure = "ConnectionClosedError: gone"
    watch.begin(desk.desk)
    desk.tick("14:37")
    reasons = [watch.judge(desk.desk)]
    updates.failure = ""
    for _ in range(3):
        passing.now += 31.0
        reasons.append(watch.judge(desk.desk))

    assert reasons == [""] * 4


def test_a_stream_that_stays_down_or_is_refused_is_told(desk: Rehearsal) -> None:
    """61 s without a connection; and refused credentials at once, which no further try would change."""
    down, refused, passing = Updates(), Updates(), Time()
    down.failure = "ConnectionRefusedError"
    refused.failure, refused.refused = "the broker refused the credentials", True
    watch = StreamWatch(down, 30.0, 60.0, passing.clock)
    first = watch.judge(desk.desk)
    passing.now += 61.0

    assert (first, watch.judge(desk.desk)) == ("", "no stream for 61 s: ConnectionRefusedError")
    desk.to(desk.now() + timedelta(seconds=1))
    assert StreamWatch(refused, 30.0, 60.0, passing.clock).judge(desk.desk) != ""
    assert told(desk).count("stream_silent") == 2
    assert refused.reconnected == 0


def test_a_muted_socket_is_noticed_while_asking_books_everything(desk: Rehearsal) -> None:
    """F47 on the wire: connected, and not a word. REST books the execution, and says what the stream hid."""
    control = desk.exchange.control()
    with listening(desk) as hints:

        async def day() -> None:
            hints.start(desk.desk)
            await asyncio.sleep(0.3)
            control.add_fault(FaultRule(kind="stream_mute", count=0))
            desk.to(at("14:36:10"))

        asyncio.run(day())
        desk.tick("14:37")
        hints.judge(desk.desk)
        time.sleep(0.4)
        hints.judge(desk.desk)

    assert desk.life().state is IntentState.FILLED
    assert told(desk).count("stream_silent") == 1


@pytest.mark.parametrize("kind", ["stream_drop", "stream_duplicate", "stream_reorder", "stream_skip"])
def test_whatever_the_stream_says_the_books_are_what_rest_shows(desk: Rehearsal, kind: str) -> None:
    """F48. Dropped, doubled, swapped or left out: position and cash equal the broker's, bought once."""
    desk.exchange.control().add_fault(FaultRule(kind=kind, count=0))
    with listening(desk) as hints:

        async def day() -> None:
            hints.start(desk.desk)
            waiting = asyncio.ensure_future(hints.until(desk.desk, Waiting(0.9), at("14:40")))
            await asyncio.to_thread(desk.to, at("14:36:10"))
            await waiting

        asyncio.run(day())
    desk.tick("14:37")
    held = {one.symbol: one.quantity for one in desk.desk.broker.fetch_positions()}

    assert {symbol: one.quantity for symbol, one in desk.ledger.positions.items()} == held
    assert desk.ledger.cash == desk.desk.broker.fetch_account().cash
    assert set(desk.received().values()) == {1}
