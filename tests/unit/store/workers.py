"""What the processes of ``test_processes`` do. Run as ``python -m tests.unit.store.workers``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.adapters.duckdb_store.connection import open_database
from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock
from pipeline.domain.market import Timeframe
from tests.unit.store.script import two_days
from tests.unit.store.test_bars import a_bar


def store_in(folder: Path) -> DuckStore:
    """The store of a folder, with a patient wait."""
    return DuckStore(folder / "store.duckdb", FileLock(folder / "store.lock"), wait_seconds=60)


def share(folder: Path, worker: str, commits: str) -> None:
    """Keep bars of one's own symbol and project along with everybody else, one commit at a time."""
    store, records = store_in(folder), two_days()
    for number in range(int(commits)):
        store.record_bars([a_bar(f"W{worker}", number)], Timeframe.ONE_MINUTE)
        store.project(records[: number + 1])


def until_killed(folder: Path) -> None:
    """Project record by record, and say which one was confirmed."""
    store, records = store_in(folder), two_days()
    for number in range(store.projected(), len(records)):
        store.project(records[: number + 1])
        print(number + 1, flush=True)


def die_without_closing(folder: Path) -> None:
    """Commit a row and vanish, so that it is in the log only."""
    with open_database(folder / "store.duckdb") as connection:
        connection.execute("INSERT INTO reports VALUES (99, now(), NULL, 'x', 'y')")
        os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
