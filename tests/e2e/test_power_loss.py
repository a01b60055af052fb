"""All of a desk but the broker loses power in mid-session; `marketday up` resumes from the journal.

The exchange is kept, as a broker would be: its clock runs on while the desk is dead. The desk trades
SPY and QQQ every few minutes, five virtual seconds a second, so that orders are under way when it dies.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.exchange.process import RunningExchange, start
from pipeline.wiring.brokers import EXCHANGE_HOME
from pipeline.wiring.rehearsal import prepare_exchange
from pipeline.wiring.spec import CHECKOUT, DeskSpec
from tests.e2e.demos import MARKETDAY, Entry, alive, all_ended, descendants, records
from tests.e2e.market import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

CONFIG = CHECKOUT / "deployments" / "config"
DAY = date(2026, 11, 20)
READY_SECONDS = 30.0
SPEED = "10"
OFTEN = """
strategies:
  - {type: momentum, name: Often, params: {fast_period: 2, slow_period: 5, signal_threshold: 0.00005}}
execution: {execution_delay_seconds: 0}
"""
"""A strategy that trades within minutes of the open."""


def files(home: Path) -> tuple[Path, ...]:
    """Return the configuration."""
    return CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml", home / "often.yaml"


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        seconds: from the second command to the first tick of the new process, with the books recovered.
        prefect_seconds: from there to the first flow run that a worker carried out.
        left: processes of the first desk that were alive after the power loss.
        before: records when the power went.
        said: the terminals of both.
        asked, watched: what the `prefect` command said before the power loss, and after.
    """

    seconds: float
    prefect_seconds: float
    left: tuple[int, ...]
    before: int
    journal: list[Entry]
    exchange: list[dict[str, Any]]
    said: str
    asked: str
    watched: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    home = tmp_path_factory.mktemp("power") / "home"
    home.mkdir()
    (home / "often.yaml").write_text(OFTEN)
    with kept_exchange(home) as exchange:
        yield lived_through(home, exchange)


@contextmanager
def kept_exchange(home: Path) -> Iterator[RunningExchange]:
    """Run the exchange as a process of ours: the desk finds it, and does not take it along."""
    settings = DeskSpec(tuple(map(str, files(home))), (), str(home)).settings()
    running = start(home / EXCHANGE_HOME, prepare_exchange(home, settings, DAY), die_with_parent=False)
    try:
        yield running
    finally:
        running.stop()


def lived_through(home: Path, exchange: RunningExchange) -> Story:
    """Trade, lose power while a worker's flow run holds its deployment's only slot, and start again."""
    with running_up(home) as desk:
        wait_for_text(home / "up.log", "Run  ")
        wait(home, 0, lambda one: one["kind"] == "fill")
        asked = prefect(home, "deployment run risk-monitor/desk")
        victims = wait_for_leash(desk.pid)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        desk.wait()
        all_ended(victims, 5.0)
        left, before = tuple(filter(alive, victims)), len(records(home))
    began, mark = time.monotonic(), (home / "up.log").stat().st_size
    with running_up(home) as desk:
        wait(home, before, ticked)
        seconds = time.monotonic() - began
        wait(home, before, lambda one: one["kind"] == "claim" and one["data"]["driver"] == "session")
        prefect_seconds = time.monotonic() - began
        wait_for_text(home / "up.log", "Run  ", mark)
        watched = prefect(home, "deployment run risk-monitor/desk --watch")
        desk.send_signal(signal.SIGTERM)
        desk.wait(60)
    said = (home / "up.log").read_text()
    return Story(
        seconds,
        prefect_seconds,
        left,
        before,
        records(home),
        exchange.control().log(),
        said,
        asked,
        watched,
    )


def prefect(home: Path, words: str) -> str:
    """Use the `prefect` command as `marketday up` says, in a shell, and return what it said."""
    python = shlex.quote(sys.executable)
    env = shlex.join([*MARKETDAY, "env", "--home", str(home)])
    done = subprocess.run(
        ["bash", "-c", f'eval "$({env})"; {python} -m prefect {words}'],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return f"exit code {done.returncode}: {done.stdout}{done.stderr}"


def wait_for_leash(pid: int, patience: float = 60.0) -> tuple[int, ...]:
    """Return every process of the desk as soon as a flow run of its worker is among them."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = descendants(pid)
        for one in found:
            with suppress(OSError):
                if b"pipeline.cli.leash" in Path(f"/proc/{one}/cmdline").read_bytes():
                    return (pid, *found)
        time.sleep(0.02)
    raise AssertionError("the worker started no flow run")


def ticked(record: Entry) -> bool:
    """Tell whether a record is the end of a tick or monitor pass that was carried out."""
    return (
        record["kind"] == "run"
        and record["data"]["procedure"] in ("intraday-tick", "risk-monitor")
        and record["data"]["outcome"] == "completed"
    )


@contextmanager
def running_up(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `marketday up` in ``home``; whatever is left of it ends with the block."""
    words = ["up", *map(str, files(home)), "--home", str(home), "--port", "0", "--speed", SPEED]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with (home / "up.log").open("ab") as output:
        process = subprocess.Popen(
            [*MARKETDAY, *words],
            cwd=ROOT,
            env=environment | {"COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                if process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
        process.wait()


def wait(home: Path, seen: int, wanted: Callable[[Entry], bool], patience: float = 120.0) -> None:
    """Return when a record after the first ``seen`` is ``wanted``."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if any(map(wanted, records(home)[seen:])):
            return
        time.sleep(0.05)
    raise AssertionError(f"it never happened; the desk said: {(home / 'up.log').read_text()[-2000:]}")


def wait_for_text(path: Path, text: str, mark: int = 0, patience: float = 120.0) -> None:
    """Return when a file holds a text after its first ``mark`` bytes."""
    deadline = time.monotonic() + patience
    while text.encode() not in path.read_bytes()[mark:]:
        assert time.monotonic() < deadline, path.read_text()[-2000:]
        time.sleep(0.1)


def test_trading_resumes_within_30_seconds(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command to the first pass that was carried out, imports and all."""
    with capsys.disabled():
        print(
            f"\npower loss: trading after {story.seconds:.1f} s, Prefect after {story.prefect_seconds:.1f} s"
        )

    assert story.seconds <= READY_SECONDS


def test_no_process_of_the_dead_desk_is_left(story: Story) -> None:
    """Server, worker, flow runs and session: none trades on."""
    assert story.left == ()


def test_it_goes_on_in_the_same_journal_with_a_new_lease(story: Story) -> None:
    """The chain is whole over the gap; what came after was written by another owner."""
    owners = [one["data"]["owner"] for one in story.journal if one["kind"] == "lease"]

    assert [one["seq"] for one in story.journal] == list(range(1, len(story.journal) + 1))
    assert all(after["prev"] == before["hash"] for before, after in pairwise(story.journal))
    assert len(set(owners)) >= 2
    assert len(story.journal) > story.before


def test_every_intent_that_was_sent_is_at_the_exchange_once(story: Story) -> None:
    """From the exchange's own log, over both lives."""
    sent = {one["data"]["intent_id"] for one in story.journal if one["kind"] == "sending"}
    received = Counter(one["client_order_id"] for one in story.exchange if one["kind"] == "received")

    assert received == dict.fromkeys(sent, 1)
    assert sent


def test_no_slot_is_wedged_and_prefect_takes_over_again(story: Story) -> None:
    """Runs of the dead are ended in Prefect's books; then sessions' passes are flow runs again."""
    drivers = [one["data"]["driver"] for one in story.journal[story.before :] if one["kind"] == "claim"]

    assert "session" in drivers
    assert story.asked.startswith("exit code 0"), story.asked
    assert "of ended processes marked as crashed" in story.said
    assert story.watched.startswith("exit code 0"), story.watched
    assert "did not come up" not in story.said


def test_it_ends_in_order_when_asked(story: Story) -> None:
    """SIGTERM, as `marketday down` sends it, is not an unexpected error."""
    assert "Traceback" not in story.said
    assert "unexpected error" not in story.said
