"""One rehearsed half-day that is killed, interrupted and halted, and completes all the same.

The fixture below starts ``marketday demo`` six times in one home, and
the tests look at what it left behind. Seed 13 buys SPY at 15:05, sells it at 15:50, and would buy
QQQ at 17:10 and SPY at 17:30 (UTC), which a halt at 16:30 forbids.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.wiring.spec import CHECKOUT
from tests.e2e.demos import (
    Entry,
    Outcome,
    all_ended,
    at_or_after,
    descendants,
    exchange_log,
    marketday,
    records,
    running_demo,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OPTIONS = ("--timeframe", "5m", "--first", "2026-11-27", "--seed", "13")
HALTED_AT = "2026-11-27T16:30:00+00:00"


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        second: a second demo while the first runs.
        interrupted: the demo that heard Ctrl-C; orphans: whether a child of it was left.
        halt, status: these commands, the second after the last demo.
        last: the demo that completed the day.
    """

    second: Outcome
    interrupted: Outcome
    orphans: bool
    halt: Outcome
    last: Outcome
    status: Outcome
    journal: list[Entry]
    exchange: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Live through the day once."""
    home = tmp_path_factory.mktemp("interrupted") / "home"
    current = CHECKOUT / "data" / "current"
    before = current.read_text() if current.exists() else None
    try:
        yield lived_through(home)
    finally:
        # A demo makes its home the current one; which one that is, is the developer's to choose.
        if before is None:
            current.unlink(missing_ok=True)
        else:
            current.write_text(before)


def lived_through(home: Path) -> Story:
    """Kill three times, interrupt once, halt once, and let the day end."""
    chance = random.Random(13)
    with running_demo(home, *OPTIONS) as demo:
        demo.wait_for(lambda record: record["kind"] == "intent")
        second = marketday(home, "demo", *OPTIONS)
        demo.kill()
    for minute in (chance.randrange(10, 45), chance.randrange(50, 58)):
        with running_demo(home, *OPTIONS) as demo:
            demo.wait_for(at_or_after(f"2026-11-27T15:{minute}:00+00:00"))
            time.sleep(chance.random() / 5)
            demo.kill()
    with running_demo(home, *OPTIONS) as demo:
        demo.wait_for(at_or_after("2026-11-27T16:10:00+00:00"))
        children = descendants(demo.process.pid)
        interrupted = demo.interrupt()
        orphans = not all_ended(children, 3.0)
    with running_demo(home, *OPTIONS) as demo:
        demo.wait_for(at_or_after(HALTED_AT))
        halt = marketday(home, "halt", "--reason", "rumours about the close")
        demo.wait_for(at_or_after("2026-11-27T16:40:00+00:00"))
        demo.kill()
    with running_demo(home, *OPTIONS) as demo:
        last = demo.finish()
    status = marketday(home, "status")
    return Story(second, interrupted, orphans, halt, last, status, records(home), exchange_log(home))


def test_the_day_completes(story: Story) -> None:
    """Every planned run was done, whoever was killed in it; the last start says that it continues."""
    (plan,) = (record["data"]["runs"] for record in story.journal if record["kind"] == "session")
    runs = [record["data"] for record in story.journal if record["kind"] == "run"]
    done = {(run["procedure"], run["instant"]) for run in runs if run["outcome"] == "completed"}

    assert (story.last.code, story.last.err) == (0, "")
    assert story.last.out.startswith("Continuing the rehearsal that was interrupted.")
    assert "ledger equals broker to the cent" in story.last.out
    assert {tuple(run) for run in plan} == done
    assert len(plan) > 400


def test_exactly_one_order_per_intent_reached_the_exchange(story: Story) -> None:
    """From the exchange's own log: each intent that was sent, once; nothing that is not an intent."""
    intents = {record["data"]["id"] for record in story.journal if record["kind"] == "intent"}
    sent = {record["data"]["intent_id"] for record in story.journal if record["kind"] == "sending"}
    received = Counter(entry["client_order_id"] for entry in story.exchange if entry["kind"] == "received")

    assert received == dict.fromkeys(sent, 1)
    assert sent <= intents
    assert len(sent) == 2


def test_every_instant_was_decided_once(story: Story) -> None:
    """A tick that was killed in the middle is done again; its decision stands in the journal once."""
    ticks = Counter(record["data"]["instant"] for record in story.journal if record["kind"] == "tick")
    completed = Counter(
        (record["data"]["procedure"], record["data"]["instant"])
        for record in story.journal
        if record["kind"] == "run" and record["data"]["outcome"] == "completed"
    )

    assert len(ticks) == 42
    assert set(completed.values()) == {1}


def test_a_second_demo_at_once_is_refused_with_a_remedy(story: Story) -> None:
    """One paragraph on stderr that names the home, who works there, and what to do."""
    said = " ".join(story.second.err.split())

    assert story.second.code == 2
    assert "is in use by process" in said
    assert "work in another folder with --home" in said
    assert "Traceback" not in story.second.err + story.second.out


def test_ctrl_c_ends_everything_in_order(story: Story) -> None:
    """Exit 130, one paragraph, and no process is left of server, exchange and workers."""
    said = " ".join(story.interrupted.err.split())

    assert story.interrupted.code == 130
    assert said.startswith("marketday: stopped by Ctrl-C.")
    assert len(story.interrupted.err.strip().split("\n\n")) == 1
    assert "Traceback" not in story.interrupted.err + story.interrupted.out
    assert not story.orphans


def test_nothing_is_sent_after_a_halt_from_another_terminal(story: Story) -> None:
    """The signals of 17:10 and 17:30 come, are refused with the state, and the exchange hears of nothing."""
    halted = next(
        record for record in story.journal if record["kind"] == "state" and record["data"]["state"] == 3
    )
    later = [
        record["data"]
        for record in story.journal
        if record["kind"] == "verdict" and record["seq"] > halted["seq"]
    ]
    orders = [entry for entry in story.exchange if entry["kind"] == "received" and entry["at"] > HALTED_AT]

    assert story.halt.code == 0
    assert halted["data"]["reason"] == "rumours about the close"
    assert orders == []
    assert {verdict["symbol"] for verdict in later} == {"QQQ", "SPY"}
    assert {verdict["breaches"][0]["limit"] for verdict in later} == {"trading_state"}


def test_a_halt_survives_every_restart_and_status_says_who_and_why(story: Story) -> None:
    """After a kill -9 and a start the desk is still halted, and nobody has to guess the reason."""
    assert "HALTED" in story.status.out
    assert "rumours about the close" in story.status.out
