"""Appending to the journal beside a bare write and fsync: one writer, and four.

A chain of hashes has one order, so four writers must take turns: what they are compared with is
four processes that write and fsync one file under a plain, blocking flock. Each thinks for some
milliseconds between two appends, thirty times as often as four busy processes of a desk would
append; without a pause the lock's queue is all that is measured, which is shown, too.
"""

from __future__ import annotations

import fcntl
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.results import Row, Scale, at_most, note
from benchmarks.timing import ROOT, in_turn
from pipeline.domain.journal import Kind, to_line
from pipeline.wiring.desks import open_journal

TITLE = "journal: one append beside a bare write + fsync of the same bytes"
WRITERS = 4
THINK_SECONDS = 0.01
_START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
_SUMMARY = {"recovered": 0, "cancelled": 0, "released": 0, "expired": 0, "state": "NORMAL", "wanted": 0}


def measure(scale: Scale) -> list[Row]:
    """Append what a tick appends, by turns with the bare write; then with four processes each."""
    count = scale.pick(150, 2000)
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as folder:
        one = in_turn({"ours": _appender(Path(folder), "0"), "bare": _writer(Path(folder), "sample")}, count)
        paced = _together(Path(folder), count // WRITERS, THINK_SECONDS)
        pressed = _together(Path(folder), count // WRITERS, 0.0)
    alone, shared = "write + fsync", "the same under a flock"
    return [
        _claim(scale, "append, 1 writer, p50", one, alone),
        _late("  p99", one, alone),
        note(f"append, {WRITERS} writers that pause, p50", *_middle(paced, "ms"), shared),
        _late("  p99", paced, shared),
        note(f"  {WRITERS} writers without a pause, p50", *_middle(pressed, "ms"), shared),
        _late("    p99", pressed, shared),
    ]


def _middle(found: Mapping[str, list[float]], unit: str) -> tuple[float, str, float]:
    return statistics.median(found["ours"]) * 1000, unit, statistics.median(found["bare"]) * 1000


def _claim(scale: Scale, what: str, found: Mapping[str, list[float]], name: str) -> Row:
    ours, unit, bare = _middle(found, "ms")
    return scale.versus(what, ours, bare, unit, (name, at_most(2)))


def _late(what: str, found: Mapping[str, list[float]], name: str) -> Row:
    ours, bare = (statistics.quantiles(found[each], n=100)[98] * 1000 for each in ("ours", "bare"))
    return note(what, ours, "ms", bare, name)


def _appender(folder: Path, worker: str) -> Callable[[], object]:
    """Return what appends one claim of a run, each for another instant."""
    journal, number = open_journal(folder, "a"), 0

    def append() -> None:
        nonlocal number
        number += 1
        at = _START + timedelta(seconds=number)
        key = {"procedure": f"risk-monitor-{worker}", "session": "2026-11-20", "instant": at.isoformat()}
        done = {"driver": "session", "outcome": "completed", "reason": "", "summary": _SUMMARY}
        journal.append(Kind.RUN, key | done, at)

    return append


def _writer(folder: Path, sample: str) -> Callable[[], object]:
    """Return what appends as many bytes to a file that stays open, and waits until they are on the disk."""
    append = _appender(folder / sample, sample)
    append()
    line = to_line(open_journal(folder / sample, "a").records()[-1])
    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write() -> None:
        os.write(file, line)
        os.fsync(file)

    return write


def _locked_writer(folder: Path, worker: int) -> Callable[[], object]:
    """Return the same, to a file that others write to, under a lock that the system queues for."""
    write = _writer(folder, f"sample-{worker}")
    lock = os.open(folder / "bare.lock", os.O_RDWR | os.O_CREAT)

    def locked() -> None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write()
        fcntl.flock(lock, fcntl.LOCK_UN)

    return locked


def _together(folder: Path, count: int, think: float) -> dict[str, list[float]]:
    """Return seconds of every append of four processes that append at once; then of four that just write."""
    found = {}
    for kind in ("ours", "bare"):
        words = [kind, str(folder), str(count), str(think)]
        command, pipe = [sys.executable, "-m", "benchmarks.journal", *words], subprocess.PIPE
        workers = [
            subprocess.Popen([*command, str(n)], cwd=ROOT, stdin=pipe, stdout=pipe) for n in range(WRITERS)
        ]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()  # it is ready
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.close()  # go
        outputs = [worker.stdout.read() if worker.stdout else b"" for worker in workers]
        if any(worker.wait() for worker in workers):
            raise RuntimeError(f"a {kind} writer failed")
        found[kind] = [float(word) for output in outputs for word in output.split()]
    return found


def _work(kind: str, folder: Path, count: int, think: float, worker: int) -> None:
    name = f"{worker}-{think}"
    act = _appender(folder / "four", name) if kind == "ours" else _locked_writer(folder, worker)
    act()
    print("ready", flush=True)
    sys.stdin.read()
    random.seed(worker)
    seconds = []
    for _ in range(count):
        time.sleep(random.expovariate(1 / think) if think else 0)
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    print(*seconds)


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
