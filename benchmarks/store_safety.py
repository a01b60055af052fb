"""P7, P8: what the store has confirmed is there, whoever else writes and whenever a writer dies."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.bars import FIRST, MINUTE, bars_at, names
from benchmarks.results import Row, Scale, note
from benchmarks.timing import ROOT
from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.journal import Kind
from pipeline.domain.market import Timeframe
from pipeline.wiring.desks import open_journal

TITLE = "store safety (P7, P8): commits of many processes, and of killed ones"
_PROCESSES = 8
_SYMBOLS = names(5)
"""Each commit keeps one bar of each: a commit that is there in part shows."""
_PATIENCE_SECONDS = 120.0


def measure(scale: Scale) -> list[Row]:
    """Write from eight processes at once, then kill writers at random moments."""
    return [*_many(scale.pick(8, 380)), *_killed(scale.pick(4, 42))]


def _store(folder: Path) -> DuckStore:
    return DuckStore(folder / "store.duckdb", FileLock(folder / "store.lock"), _PATIENCE_SECONDS)


def _start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.store_safety", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _many(commits: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as name:
        folder, began = Path(name), time.perf_counter()
        workers = [_start("write", name, str(number), str(commits)) for number in range(_PROCESSES)]
        confirmed = {word for worker in workers for word in worker.communicate()[0].split()}
        seconds = time.perf_counter() - began
        failed = sum(worker.returncode != 0 for worker in workers)
        kept = _kept(_store(folder))
    lost = [word for word in confirmed if kept.get(datetime.fromisoformat(word)) != len(_SYMBOLS)]
    return [
        Scale.exact(
            f"lost of {len(confirmed):,} commits confirmed to {_PROCESSES} processes", len(lost), "commits"
        ),
        Scale.exact("  processes that failed", failed, "processes"),
        note("  commits a second, all together", len(confirmed) / seconds, "a second"),
    ]


def _kept(store: DuckStore) -> dict[datetime, int]:
    """Return how many bars each instant has."""
    rows = store.query("SELECT start, count(*) AS n FROM bars GROUP BY start")
    return {row["start"].astimezone(UTC): int(row["n"]) for row in rows}  # type: ignore[attr-defined, call-overload]


def _killed(times: int) -> list[Row]:
    """Kill a process that journals and projects, at a random moment after its first confirmation."""
    lost = differing = partial = confirmed = 0
    moments = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as name:
        folder = Path(name)
        for _ in range(times):
            worker = _start("until_killed", name)
            assert worker.stdout is not None
            said = [worker.stdout.readline()]
            time.sleep(moments.uniform(0, 0.3))
            worker.kill()
            said += worker.communicate()[0].splitlines(keepends=True)
            done = [int(word) for word in said if word.endswith("\n")]
            confirmed += len(done)
            store, records = _store(folder), open_journal(folder, "a").records()
            projected = store.projected()
            lost += projected < done[-1] or len(records) < done[-1]
            differing += not store.verify(records[:projected]).ok
            partial += sum(count != len(_SYMBOLS) for count in _kept(store).values())
    return [
        Scale.exact(f"kill -9, {times} times: lost of {confirmed:,} confirmed", lost, "times"),
        Scale.exact("  times the store was not exactly a beginning of the journal", differing, "times"),
        Scale.exact("  commits there in part", partial, "commits"),
    ]


def _write(folder: str, worker: str, commits: str) -> None:
    """Keep bars of instants of one's own, and say each that is confirmed."""
    store, first = _store(Path(folder)), FIRST + int(worker) * timedelta(days=30)
    for number in range(int(commits)):
        at = first + number * MINUTE
        store.record_bars(bars_at(at, _SYMBOLS), Timeframe.ONE_MINUTE)
        print(at.isoformat(), flush=True)


def _until_killed(folder: str) -> None:
    """Journal a tick, project it into several tables, keep bars; say what is confirmed."""
    store, journal = _store(Path(folder)), open_journal(Path(folder), "a")
    journal.take_lease(f"process {os.getpid()}", "code", "config", FIRST)
    while True:
        number = journal.read().seq
        at = FIRST + (number + 1) * MINUTE
        key = {"procedure": "intraday-tick", "session": "2026-11-20", "instant": at.isoformat()}
        journal.append(Kind.CLAIM, key | {"driver": "benchmark"}, at)
        _tick(journal, at)
        done = {"driver": "benchmark", "outcome": "completed", "reason": "", "summary": {}}
        last = journal.append(Kind.RUN, {**key, **done}, at)
        store.project(journal.records(store.projected()))
        store.record_bars(bars_at(at, _SYMBOLS), Timeframe.ONE_MINUTE)
        print(last.seq, flush=True)


def _tick(journal: FileJournal, at: datetime) -> None:
    signal = {"symbol": "SPY", "strategy": "m", "direction": 1, "confidence": 700_000, "price": 1_000_000}
    tick = {"session": "2026-11-20", "instant": at.isoformat(), "driver": "benchmark", "inputs": "f00d"}
    seen = {"symbols": 2, "asked": 2, "signals": [signal], "intents": 0, "state": "NORMAL"}
    journal.append(Kind.TICK, {**tick, **seen}, at)


def main(words: Sequence[str]) -> None:
    """Be one of the processes."""
    if words[0] == "write":
        _write(*words[1:])
    else:
        _until_killed(*words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
