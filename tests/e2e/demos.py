"""``marketday demo`` as a process of its own: started, watched through its journal, killed, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.exchange.process import attach, start
from pipeline.wiring.brokers import EXCHANGE_HOME
from tests.e2e.market import ROOT

MARKETDAY = (sys.executable, "-c", "from pipeline.cli.main import main; main()")
JOURNAL = "journal/rehearsal.jsonl"
_PATIENCE = 150.0

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs, in a session of its own, as in a terminal of its own."""

    process: subprocess.Popen[str]
    home: Path

    def wait_for(self, wanted: Callable[[Entry], bool]) -> Entry:
        """Return the first record journalled from now on, or already there, that is ``wanted``."""
        deadline, seen = time.monotonic() + _PATIENCE, 0
        while time.monotonic() < deadline and self.process.poll() is None:
            found = records(self.home)
            for record in found[seen:]:
                if wanted(record):
                    return record
            seen = len(found)
            time.sleep(0.02)
        raise AssertionError(f"it never happened; exit code {self.process.poll()}")

    def kill(self) -> None:
        """End it, and nothing else, with kill -9."""
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> Outcome:
        """Press Ctrl-C: the whole foreground group hears it."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.finish(40.0)

    def finish(self, patience: float = _PATIENCE) -> Outcome:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=patience)
        return Outcome(self.process.returncode, out, err)


@contextmanager
def running_demo(home: Path, *options: str) -> Iterator[Demo]:
    """Start a demo in ``home``; whatever is left of it ends with the block."""
    process = subprocess.Popen(
        [*MARKETDAY, "demo", "--home", str(home), "--port", "0", *options],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Demo(process, home)
    finally:
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                if process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
        if process.poll() is None:
            process.communicate()


def marketday(home: Path, *words: str) -> Outcome:
    """Run another command on the same home and return what it said."""
    done = subprocess.run(
        [*MARKETDAY, *words, "--home", str(home)],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {"COLUMNS": "100"}


def records(home: Path) -> list[Entry]:
    """Return the journal's whole records, read without a lock."""
    path = home / JOURNAL
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def at_or_after(instant: str) -> Callable[[Entry], bool]:
    """Return what wants the first record of a virtual instant."""
    moment = datetime.fromisoformat(instant)
    return lambda record: datetime.fromisoformat(record["at"]) >= moment


def descendants(pid: int) -> tuple[int, ...]:
    """Return the processes that a process has started, and theirs, from /proc."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            stat = (folder / "stat").read_text()
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return tuple(found)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_ended(pids: tuple[int, ...], patience: float = 10.0) -> bool:
    """Return whether every process ended within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def exchange_log(home: Path) -> list[dict[str, Any]]:
    """Return the log of a home's exchange; one that has ended is started again to be asked."""
    place = home / EXCHANGE_HOME
    running = attach(place)
    if running is not None:
        return running.control().log()
    started = start(place, place / "config.json")
    try:
        return started.control().log()
    finally:
        started.stop()
