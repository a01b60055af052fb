"""A crash at any instant, followed by a retry, leaves exactly one order at the broker per intent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from pipeline import failpoints
from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.journal import FileJournal
from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from pipeline.errors import BrokerUnavailable
from pipeline.operations.projecting import project, wait_projected
from pipeline.wiring import desks as composition
from tasks.running import Summary
from tests.operations.desks import Killed, Rehearsal, at, overlay, rehearsal

SCRIPT = ", ".join(
    f"+SPY {hour}:{minute:02d}, -SPY {hour}:{minute + 3:02d}"
    for hour in (15, 16, 17, 18, 19)
    for minute in range(0, 60, 6)
)


@dataclass
class Fuse:
    """Burns down with each record; at 0 the process is dead."""

    left: int = 10**9


class MortalJournal(FileJournal):
    """The journal of a process that is killed just before one of its appends."""

    fuse = Fuse()

    def append(self, kind: Kind, data: Any, at: Any) -> Any:
        """Append, unless this is where the process dies."""
        if self.fuse.left == 0:
            raise Killed(kind)
        self.fuse.left -= 1
        return super().append(kind, data, at)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A session under way, whose journal can die."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "FileJournal", MortalJournal)
        with rehearsal(tmp_path_factory.mktemp("crashes"), overlay(SCRIPT)) as running:
            running.morning()
            yield running


@dataclass(frozen=True)
class Round:
    """Six minutes of a session: the script buys SPY at the first and sells it at the fourth.

    Attributes:
        before: what the exchange had received when it began.
    """

    desk: Rehearsal
    start: datetime
    before: Counter[str]

    def minute(self, number: int) -> Summary:
        """Run the tick of a minute of the round, 0 to 5."""
        return self.desk.run("intraday-tick", self.start + timedelta(minutes=number))

    def received(self) -> Counter[str]:
        """Return what the exchange received in this round."""
        return self.desk.received() - self.before


@pytest.fixture
def round_(desk: Rehearsal) -> Iterator[Round]:
    """The next six minutes, which end flat whatever happened in them."""
    yield (now := next_round(desk))
    desk.broker.fault = lambda _moment: None
    for number in (3, 4):
        now.minute(number)
    assert desk.ledger.positions == {}
    assert desk.ledger.open_lives == ()


_WAIT = timedelta(minutes=16)


def next_round(desk: Rehearsal) -> Round:
    """Let time pass to the next round of the script."""
    seconds = int((max(desk.now(), at("14:55")) - at("15:00")).total_seconds())
    # For ten minutes after an order was given up unseen, its symbol takes no new one.
    rounds = (
        3 if any(desk.ledger.lives[key].sent_at > desk.now() - _WAIT for key in desk.ledger.tombstones) else 1
    )
    start = at("15:00") + timedelta(minutes=6 * (seconds // 360 + rounds))
    desk.to(start)
    return Round(desk, start, desk.received())


def is_killed(run: Callable[[], object]) -> bool:
    """Tell whether a run was killed."""
    try:
        run()
    except Killed:
        return True
    return False


@contextmanager
def armed(place: str) -> Iterator[None]:
    """Have the process be killed the first time it comes by ``place``, within the block."""

    def at_place(name: str) -> None:
        if name == place:
            failpoints.arm(None)
            raise Killed(name)

    failpoints.arm(at_place)
    try:
        yield
    finally:
        failpoints.arm(None)


def unanswered(where: str) -> Callable[[str], None]:
    """Return a fault that takes the answer away: ``before`` the broker has the order, or ``after``."""

    def lose(moment: str) -> None:
        if moment == where:
            raise BrokerUnavailable("rehearsal exchange", "HTTP 504")

    return lose


def test_killed_before_any_record_of_a_tick_and_run_again_it_sends_one_order(desk: Rehearsal) -> None:
    """A tick that buys is killed before each of its records, started anew, and run again.

    Every round ends flat: one buy filled, one sell filled, each received once by the exchange.
    """
    killed, cut = True, 0
    while killed:
        now = next_round(desk)
        MortalJournal.fuse.left = cut
        killed = is_killed(partial(now.minute, 0))
        MortalJournal.fuse.left = 10**9
        if killed:
            desk.restart()
            assert "skipped" not in now.minute(0)
        for minute in (1, 3, 4):
            now.minute(minute)
        assert (len(now.received()), set(now.received().values())) == (2, {1}), f"killed before record {cut}"
        assert desk.ledger.positions == {}, f"killed before record {cut}"
        cut += 1

    assert cut > 8  # claim, verdict, intent, sending, acked, tick, snapshot, run, and once unharmed
    assert set(desk.received()) == set(desk.ledger.lives)


PLACES = (
    "after_lock",
    "after_lease",
    "before_recover",
    "after_recover",
    "after_look",
    "after_decide",
    "before_intent",
    "after_intent",
    "before_sending",
    "after_sending",
    "after_post",
    "after_answer",
    "after_tick",
)
"""Where a tick that buys may die, in the order in which it comes by."""


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_place_and_again_during_recovery_the_order_is_sent_once(
    round_: Round, place: str
) -> None:
    """The process dies there, its successor while it recovers; the third finds one order, or sends it."""
    desk = round_.desk
    with armed(place):
        died = is_killed(partial(round_.minute, 0))
    desk.restart()
    with armed("in_recover"):
        is_killed(partial(round_.minute, 0))
    desk.restart()
    round_.minute(0)
    round_.minute(1)

    assert died
    assert (len(round_.received()), set(round_.received().values())) == (1, {1})
    assert desk.life().state is IntentState.FILLED
    assert desk.ledger.positions["SPY"].quantity == desk.life().intent.quantity


@pytest.mark.parametrize("place", ["before_fill", "after_fill"])
def test_killed_while_an_execution_is_booked_it_is_booked_once(round_: Round, place: str) -> None:
    """The order is filled at 15:01; the process dies on either side of the record of it."""
    round_.minute(0)
    with armed(place):
        assert is_killed(partial(round_.minute, 1))
    round_.desk.restart()
    round_.minute(2)

    assert round_.desk.ledger.positions["SPY"].quantity == round_.desk.life().intent.quantity


@pytest.mark.parametrize("place", ["before_project", "after_project"])
def test_killed_while_the_store_follows_it_catches_up_to_the_journal(round_: Round, place: str) -> None:
    """The order is acknowledged in the journal, the store does not know: the next projection closes the gap.

    Row by row it is then what a rebuild from the journal gives.
    """
    round_.minute(0)
    wait_projected(round_.desk.desk)
    with armed(place):
        assert is_killed(partial(project, round_.desk.desk))
    round_.desk.restart()
    behind = project(round_.desk.desk)

    assert behind == 0
    assert round_.desk.desk.store.projected() == round_.desk.ledger.seq
    assert store_of(round_.desk).verify(round_.desk.records()).ok


def store_of(desk: Rehearsal) -> DuckStore:
    """Return the desk's store, as what it is."""
    store = desk.desk.store
    assert isinstance(store, DuckStore)
    return store


@pytest.mark.parametrize("where", ["before", "after"])
def test_killed_on_either_side_of_the_request_the_order_is_sent_once(round_: Round, where: str) -> None:
    """SENDING is journalled, the answer never is. Recovery asks the broker; only if it has none, it sends."""

    def die(moment: str) -> None:
        if moment == where:
            raise Killed(moment)

    desk = round_.desk
    desk.broker.fault = die
    with pytest.raises(Killed):
        round_.minute(0)
    left = desk.life().state
    desk.restart()
    again = round_.minute(0)
    round_.minute(1)

    assert left is IntentState.SENDING
    assert "skipped" not in again
    assert round_.received() == {desk.life().intent.id: 1}
    assert desk.life().state is IntentState.FILLED
    assert desk.life().sends == (2 if where == "before" else 1)


def test_a_lost_answer_is_unknown_until_the_broker_is_asked(round_: Round) -> None:
    """Accepted, then a 504: the order lives. It is counted in full, found by its id, and never sent again."""
    desk = round_.desk
    desk.broker.fault = unanswered("after")
    round_.minute(0)
    unknown = desk.life()
    desk.broker.fault = lambda _moment: None
    round_.minute(1)

    assert (unknown.state, unknown.unsettled) == (IntentState.UNKNOWN, unknown.intent.quantity)
    assert (desk.life().state, desk.life().sends) == (IntentState.FILLED, 1)
    assert round_.received() == {unknown.intent.id: 1}


def test_an_order_that_definitely_never_arrived_is_sent_again_under_its_id(round_: Round) -> None:
    """The request was lost; 60 s later the broker says that it has no such order. One more send, same id."""
    desk = round_.desk
    desk.broker.fault = unanswered("before")
    round_.minute(0)
    desk.broker.fault = lambda _moment: None
    round_.minute(1)
    round_.minute(2)

    assert (desk.life().state, desk.life().sends) == (IntentState.FILLED, 2)
    assert round_.received() == {desk.life().intent.id: 1}


def test_a_decision_too_old_is_given_up_instead_of_sent(round_: Round) -> None:
    """What a decision saw is gone after 90 s: two minutes later the lost order is dead for good."""
    desk = round_.desk
    desk.broker.fault = unanswered("before")
    round_.minute(0)
    desk.broker.fault = lambda _moment: None
    round_.minute(2)

    reason = "never reached the broker, and is too old to send"
    assert (desk.life().state, desk.life().note) == (IntentState.EXPIRED, reason)
    assert round_.received() == {}


def test_a_rejected_order_is_final_and_leaves_the_money_where_it_was(round_: Round) -> None:
    """The owner suspends trading between our check and our order: refused, not retried, people are told."""
    desk, cash = round_.desk, round_.desk.ledger.cash
    desk.broker.fault = lambda moment: desk.account_settings(suspend_trade=moment == "before")
    round_.minute(0)
    desk.account_settings(suspend_trade=False)
    round_.minute(1)
    told = [record.data["event"] for record in desk.records(Kind.ALERT)]

    assert desk.life().state is IntentState.REJECTED
    assert "new orders are rejected by user request" in desk.life().note
    assert round_.received() == {}
    assert (desk.ledger.cash, desk.ledger.open_lives) == (cash, ())
    assert told.count("order_rejected") == 1


def test_an_account_that_is_blocked_takes_no_entries(round_: Round) -> None:
    """The owner suspended trading before the tick: nothing is sent only to be refused."""
    round_.desk.account_settings(suspend_trade=True)
    summary = round_.minute(0)
    round_.desk.account_settings(suspend_trade=False)
    verdict = round_.desk.records(Kind.VERDICT)[-1].data

    assert "sent" not in summary
    assert [breach["limit"] for breach in verdict["breaches"]] == ["trading_state"]
    assert round_.received() == {}
