"""Several processes, dead processes, and damaged files."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock
from pipeline.domain.market import Timeframe
from pipeline.errors import StoreUnavailable, UsageError
from tests.unit.store.script import two_days
from tests.unit.store.test_bars import START, a_bar

RECORDS = two_days()
ROOT = Path(__file__).parents[3]


def start(name: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start one of the workers."""
    command = [sys.executable, "-m", "tests.unit.store.workers", name, str(folder), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_processes_that_take_turns_lose_no_commit(store: DuckStore, tmp_path: Path) -> None:
    """4 processes, 20 rounds of two commits each; without the lock DuckDB 2.0.0 loses some."""
    workers = [start("share", tmp_path, str(number), "20") for number in range(4)]
    outcomes = [(worker.communicate(), worker.returncode)[1] for worker in workers]

    assert outcomes == [0, 0, 0, 0]
    kept = store.load_bars(["W0", "W1", "W2", "W3"], Timeframe.ONE_MINUTE, START, START + timedelta(hours=1))
    assert {symbol: len(bars) for symbol, bars in kept.items()} == {"W0": 20, "W1": 20, "W2": 20, "W3": 20}
    assert store.verify(RECORDS[:20]).ok


def test_a_killed_process_loses_nothing_it_confirmed(store: DuckStore, tmp_path: Path) -> None:
    """Five times kill -9 at a random moment: what is there is exactly a prefix of the journal."""
    moments = random.Random(7)
    for _ in range(5):
        worker = start("until_killed", tmp_path)
        assert worker.stdout is not None
        confirmed = int(worker.stdout.readline())
        time.sleep(moments.uniform(0, 0.1))
        worker.kill()
        confirmed = max([confirmed, *map(int, worker.communicate()[0].split())])

        assert store.projected() >= confirmed
        assert store.verify(RECORDS[: store.projected()]).ok


def test_a_store_held_elsewhere_is_unavailable_within_the_wait(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "store.lock")
    store = DuckStore(tmp_path / "store.duckdb", lock, wait_seconds=0.05)
    began = time.monotonic()

    with lock.hold(0), pytest.raises(StoreUnavailable, match=r"held by process \d+"):
        store.project(RECORDS)
    assert time.monotonic() - began < 1
    assert store.projected() == 0


def test_a_corrupt_file_is_set_aside_and_restored_from_the_journal(store: DuckStore) -> None:
    """Said once, loudly; the evidence is kept."""
    store.project(RECORDS)
    damaged = bytearray(store.path.read_bytes())
    damaged[4_100] ^= 1
    damaged[8_200] ^= 1
    store.path.write_bytes(damaged)

    with pytest.raises(StoreUnavailable, match=r"set aside as store\.duckdb\.corrupt-001:"):
        store.query("SELECT 1")
    assert [path.read_bytes() for path in store.quarantined()] == [bytes(damaged)]
    assert store.projected() == 0
    store.project(RECORDS)
    assert store.verify(RECORDS).ok


def test_a_rebuild_replaces_a_corrupt_file_and_says_where_it_went(store: DuckStore) -> None:
    store.path.write_bytes(b"not a database" * 1_000)

    rebuilt = store.rebuild(RECORDS)

    assert rebuilt.quarantined == store.path.with_name("store.duckdb.corrupt-001")
    assert store.verify(RECORDS).ok


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_corrupt_log_costs_only_the_log(store: DuckStore, tmp_path: Path, rebuild: bool) -> None:
    """The file is the state of the last clean close: its bars and its watermark still stand."""
    store.project(RECORDS[:20])
    store.record_bars([a_bar("SPY")], Timeframe.ONE_MINUTE)
    start("die_without_closing", tmp_path).communicate()
    log = tmp_path / "store.duckdb.wal"
    damaged = bytearray(log.read_bytes())
    damaged[-20] ^= 1
    log.write_bytes(damaged)

    if rebuild:
        assert store.rebuild(RECORDS).bars == 1
    else:
        with pytest.raises(StoreUnavailable, match=r"set aside as store\.duckdb\.corrupt-001\.wal:"):
            store.projected()
        assert store.projected() == 20
        store.project(RECORDS)
    assert [path.name for path in store.quarantined()] == ["store.duckdb.corrupt-001.wal"]
    assert store.load_bars(["SPY"], Timeframe.ONE_MINUTE, START, START + timedelta(days=1)) == {
        "SPY": [a_bar("SPY")]
    }
    assert store.verify(RECORDS).ok


def test_a_query_reads_only_and_its_words_are_never_taken_for_damage(store: DuckStore) -> None:
    store.project(RECORDS)

    for refused in (
        "DELETE FROM fills",
        "COPY fills TO 'fills.csv'",
        "SELECT nothing",
        "SELECT CAST('Corrupt database file' AS INTEGER)",
    ):
        with pytest.raises(UsageError, match="the query was refused"):
            store.query(refused)
    assert store.quarantined() == ()
    assert store.query("SELECT count(*) AS n FROM fills WHERE symbol = ?", ["QQQ"]) == ({"n": 2},)


def test_importing_the_store_imports_neither_duckdb_nor_pandas() -> None:
    """The tick and the kill switch pay for them only when they use them."""
    vendors = "{'duckdb', 'pandas', 'numpy'} & set(sys.modules)"
    script = f"import sys, pipeline.adapters.duckdb_store.store; print({vendors})"

    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"
