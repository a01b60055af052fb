"""The journal among processes that die, compete and run out of disk."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.file_lock import FileLock
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused, LockBusy
from tests.unit.domain.making import T0
from tests.unit.journal.test_journal import state
from tests.unit.journal.worker import opened

ROOT = Path(__file__).parents[3]


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.journal.worker", *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def output_of(process: subprocess.Popen[str]) -> list[str]:
    said, _ = process.communicate(timeout=60)
    return said.splitlines()


def test_what_was_acknowledged_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    """kill -9, twenty times, into one journal."""
    path, dice = tmp_path / "demo.jsonl", random.Random(20)
    acked: list[str] = []
    for number in range(20):
        process = started("append", path, f"P{number}", 0)
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(dice.random() * 0.04)
        process.kill()
        said += process.communicate(timeout=10)[0]
        acked.extend(line.strip() for line in said.splitlines(keepends=True) if line.endswith("\n"))
    kept = {f"{one.seq} {one.data['symbol']} {one.data['reason']}" for one in opened(path).records()}

    assert len(acked) > 40
    assert set(acked) - kept == set()


def test_four_processes_write_one_contiguous_chain(tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl"
    processes = [started("append", path, f"P{number}", 50) for number in range(4)]
    acked = [line for process in processes for line in output_of(process)]
    records = opened(path).records()

    assert sorted(int(line.split()[0]) for line in acked) == list(range(1, 201))
    assert [record.seq for record in records] == list(range(1, 201))
    for number in range(4):
        own = [record.data["reason"] for record in records if record.data["symbol"] == f"P{number}"]
        assert own == [str(each) for each in range(50)]


def test_a_halt_from_another_process_is_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl"
    trader = started("plan", path, "S")
    assert trader.stdout is not None
    assert trader.stdout.readline().startswith("sent")
    person = opened(path)
    halt = {"state": int(TradingState.HALTED), "reason": "test", "by": "tester", "resume": False}
    person.append(Kind.STATE, halt, T0)

    assert output_of(trader)[-1] == "refused halted"
    ledger, after = Ledger(), 0
    for record in person.records():
        after += record.kind in (Kind.INTENT, Kind.SENDING) and ledger.state.state.latched
        ledger.apply(record)
    assert after == 0


def test_a_halt_does_not_starve_behind_a_process_that_never_stops_writing(tmp_path: Path) -> None:
    """Twenty appends against a loop of appends: how many records get in before ours, in the median?

    One or two with a door; about fifty without, and thousands at worst.
    """
    path = tmp_path / "demo.jsonl"
    with started("append", path, "BUSY", 0) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        reader = threading.Thread(target=writer.stdout.read)
        reader.start()
        journal, overtaken = opened(path), []
        for _ in range(20):
            time.sleep(0.03)  # the writer is at full speed again
            before = path.read_bytes().count(b"\n")
            record = journal.append(Kind.LOCK, {"symbol": "X", "reason": "urgent"}, T0)
            overtaken.append(record.seq - before)
        writer.kill()
        reader.join()

    assert sorted(overtaken)[10] < 10, overtaken


def test_a_full_disk_refuses_the_record_and_keeps_the_journal(tmp_path: Path) -> None:
    """The file may grow to 3,000 bytes: the record that would cross is refused, partly written or not."""
    path = tmp_path / "demo.jsonl"
    said = output_of(started("fill_up", path, 3_000))
    acked = sum(line.startswith("acked") for line in said)

    assert acked > 5
    assert said[-1] == f"refused disk {acked} {acked}"
    journal = opened(path)
    assert len(journal.read().locks) == acked
    journal.append(Kind.LOCK, {"symbol": "AGAIN", "reason": "there is room"}, T0)
    assert opened(path).read().seq == acked + 1


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl"
    holder = started("hold", path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    lock = FileLock(path.with_suffix(".lock"))
    with pytest.raises(LockBusy, match=f"held by process {holder.pid}"), lock.hold(0.05):
        pass
    holder.kill()
    holder.communicate(timeout=10)
    with lock.hold(0.0):
        assert lock.holder().startswith("process")


def test_a_lock_whose_file_was_removed_is_not_held_beside_the_new_one(tmp_path: Path) -> None:
    """Somebody tidies up while one process holds it: the file that has the name now is the lock."""
    lock = FileLock(tmp_path / "demo.lock")
    with lock.hold(1.0):
        (tmp_path / "demo.lock").unlink()
        with lock.hold(1.0), pytest.raises(LockBusy):
            lock.hold(0.0).__enter__()


def test_a_record_is_never_written_over_another_when_two_hold_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's files vanish during an append: the halt that another process wrote meanwhile stays."""
    path = tmp_path / "demo.jsonl"
    slow, person = opened(path), opened(path)
    slow.take_lease("trader", "code", "config", T0)
    put = slow._put

    def put_late(files: Any, line: bytes) -> None:
        for file in (*tmp_path.glob("*.lock*"), *tmp_path.glob("*.door")):
            file.unlink()
        state(person, TradingState.HALTED)
        put(files, line)

    monkeypatch.setattr(slow, "_put", put_late)
    with pytest.raises(AppendRefused, match="another process wrote"):
        state(slow, TradingState.CAUTIOUS)

    assert opened(path).read().state.state is TradingState.HALTED
