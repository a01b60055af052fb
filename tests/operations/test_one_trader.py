"""One trader for an account: whoever lost the lease, came late, came twice or runs wild sends nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from prefect.exceptions import TerminationSignal

from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Decision, Intent, IntentState, Purpose, Side, intent_id
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused
from pipeline.operations.sending import send
from pipeline.wiring.spec import CHECKOUT
from tasks.calling import directly
from tests.operations.desks import Rehearsal, at, body_of, overlay, rehearsal

SCRIPT = "+SPY 14:35, +SPY 14:45, -SPY 14:40, +QQQ 14:45, +QQQ 14:50, +SPY 15:10"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Rehearsal]:
    """A session under way."""
    with rehearsal(tmp_path, overlay(SCRIPT)) as running:
        running.morning()
        yield running


def another_engine(desk: Rehearsal) -> FileJournal:
    """Return the journal of another process of the same account."""
    path = desk.home / "journal" / "rehearsal.jsonl"
    return FileJournal(path, FileLock(path.with_suffix(".lock")))


def entry(desk: Rehearsal, symbol: str, leg: int = 0) -> Intent:
    """Return an entry decided now."""
    decision = Decision("rehearsal", "rehearsal", "loop", symbol, Side.BUY, Purpose.ENTRY, desk.now(), leg)
    name = intent_id(decision)
    return Intent(name, "rehearsal", "loop", symbol, Side.BUY, Purpose.ENTRY, 10**7, desk.now(), 6_700_000)


def test_a_process_told_to_end_in_the_middle_of_a_request_leaves_it_to_recovery(desk: Rehearsal) -> None:
    """SIGTERM raises through everything, as Prefect's cancel does; the broker has the order: it is found."""

    def told_to_end(moment: str) -> None:
        if moment == "after":
            raise TerminationSignal(signal=15)

    desk.broker.fault = told_to_end
    with pytest.raises(TerminationSignal):
        desk.tick("14:35")
    left = desk.life().state
    desk.restart()
    desk.tick("14:35")
    desk.tick("14:36")

    assert left is IntentState.SENDING
    assert (desk.life().state, desk.life().sends) == (IntentState.FILLED, 1)
    assert desk.received() == {desk.life().intent.id: 1}


def test_an_orphan_that_lives_on_is_fenced_by_its_successor(desk: Rehearsal) -> None:
    """Its runner was killed, it works on with an intent in hand; another takes over: nothing leaves."""
    desk.tick("14:35")
    before, intent = desk.received(), entry(desk, "QQQ")
    desk.desk.journal.append(Kind.INTENT, encode(intent), desk.now())
    successor = another_engine(desk)
    epoch = successor.take_lease("elsewhere:1", desk.desk.code, desk.desk.config, desk.now())

    with pytest.raises(AppendRefused, check=lambda error: error.code == "fenced"):
        send(desk.desk, intent.id, intent.quantity, desk.now())
    with pytest.raises(AppendRefused, check=lambda error: error.code == "fenced"):
        desk.desk.journal.append(Kind.INTENT, encode(entry(desk, "SPY", 1)), desk.now())
    assert epoch == desk.ledger.lease.epoch
    assert desk.received() == before


def test_of_two_engines_the_higher_epoch_trades(desk: Rehearsal) -> None:
    """Two hosts on one account: each take-over fences the other, and only the last may write what trades."""
    other = another_engine(desk)
    mine = desk.desk.journal
    for engine, loser in ((other, mine), (mine, other)):
        engine.take_lease(f"host-{id(engine)}", desk.desk.code, desk.desk.config, desk.now())
        with pytest.raises(AppendRefused, check=lambda error: error.code == "fenced"):
            loser.append(Kind.INTENT, encode(entry(desk, "SPY", id(loser))), desk.now())
    mine.append(Kind.INTENT, encode(entry(desk, "SPY")), desk.now())

    assert list(desk.ledger.lives) == [entry(desk, "SPY").id]


def test_a_storm_of_missed_ticks_sends_nothing_and_is_told_once(desk: Rehearsal) -> None:
    """A worker was down for ten minutes; its ticks come in a burst, out of order, as Prefect replays them."""
    desk.to(at("14:55:50"))
    skipped = [desk.tick(f"14:{minute}")["skipped"] for minute in (51, 45, 53, 46, 52, 50, 48, 54)]
    for clock in ("14:56", "14:57"):
        desk.tick(clock)
    told = [record.data for record in desk.records(Kind.ALERT) if record.data["event"] == "runs_late"]

    assert all(str(why).startswith("stale: ") for why in skipped)
    assert desk.received() == {}
    assert [alert["text"] for alert in told] == ["8 runs of 14:51:00Z to 14:54:00Z sent nothing."]


_CHILD = """
import asyncio, sys
from datetime import datetime
from pipeline.strategies.registry import STRATEGIES
from pipeline.wiring import desks
from tasks.calling import directly
from tests.operations.desks import _scripted, body_of
STRATEGIES["scripted"] = _scripted
desks.code_fingerprint = lambda: sys.argv[3]  # a file saved while this runs is another version
print(flush=True)
sys.stdin.readline()
instant = datetime.fromisoformat(sys.argv[2])
print(asyncio.run(body_of("intraday-tick")(directly, sys.argv[1], instant, "child")))
"""


def test_two_decisions_each_within_the_limit_and_jointly_beyond_it_become_one_order(tmp_path: Path) -> None:
    """Room for one position; two processes decide at once on SPY and QQQ. One order is accepted."""
    one = overlay("+SPY 14:46, +QQQ 14:46", risk_management={"max_positions": 1})
    with rehearsal(tmp_path, one) as desk, ExitStack() as children:
        desk.morning()
        desk.to(at("14:46"))
        what = (str(desk.config), at("14:46").isoformat(), desk.desk.code)
        command = [sys.executable, "-c", _CHILD, *what]
        started = [
            children.enter_context(Popen(command, cwd=CHECKOUT, stdin=PIPE, stdout=PIPE, text=True))
            for _ in range(2)
        ]
        for child in started:
            assert child.stdout is not None
            child.stdout.readline()
        told = [child.communicate("go\n", timeout=60)[0] for child in started]
        desk.tick("14:47")

        assert [child.returncode for child in started] == [0, 0]
        assert sum(desk.received().values()) == 1, told
        assert len(desk.ledger.positions) == 1


def test_an_engine_that_decided_before_the_other_traded_cannot_add_to_it(desk: Rehearsal) -> None:
    """Both looked at the same empty book. The second intent is refused inside the append, not before it."""
    first, second = entry(desk, "SPY"), entry(desk, "QQQ")
    other = another_engine(desk)
    other.take_lease("elsewhere:1", desk.desk.code, desk.desk.config, desk.now())
    other.append(Kind.INTENT, encode(first), desk.now())

    with pytest.raises(AppendRefused, check=lambda error: error.code == "fenced"):
        desk.desk.journal.append(Kind.INTENT, encode(second), desk.now())
    assert list(desk.ledger.lives) == [first.id]


def test_a_loop_that_runs_wild_is_halted_at_the_limit(tmp_path: Path) -> None:
    """A thousand intents past every gate: ten leave, then trading is halted, and no other leaves."""
    limited = overlay(execution={"execution_delay_seconds": 0, "max_orders_per_session": 10})
    with rehearsal(tmp_path, limited) as desk:
        desk.morning()
        desk.desk.journal.take_lease(desk.desk.owner, desk.desk.code, desk.desk.config, desk.now())
        refused: list[str] = []
        for number in range(1_000):
            intent = entry(desk, f"S{number}")
            try:
                desk.desk.journal.append(Kind.INTENT, encode(intent), desk.now())
                send(desk.desk, intent.id, intent.quantity, desk.now())
            except AppendRefused as error:
                refused.append(error.code)
        sends = len(desk.records(Kind.SENDING))

        assert (sends, len(refused), set(refused)) == (10, 990, {"halted"})
        assert sum(desk.received().values()) <= 10
        assert desk.ledger.state.state is TradingState.HALTED
        assert desk.ledger.state.reason == "runaway: 10 orders were sent in this session, 10 are allowed"


def test_a_tick_of_yesterday_never_trades_today(desk: Rehearsal) -> None:
    """A run that is a day late is as stale as one that is a minute late."""
    desk.to(at("14:36"))
    summary = asyncio.run(
        body_of("intraday-tick")(directly, str(desk.config), at("14:35") - timedelta(days=1), "prefect")
    )

    assert str(summary["skipped"]).startswith("stale: 86")
    assert desk.received() == {}
