from __future__ import annotations

import errno
import os
import random
import threading
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused, LockBusy
from tests.unit.domain.making import SHARE, T0, a_fill, an_intent
from tests.unit.journal.worker import opened


@pytest.fixture
def journal(tmp_path: Path) -> FileJournal:
    journal = opened(tmp_path / "demo.jsonl")
    journal.take_lease("trader", "code", "config", T0)
    return journal


def lock(journal: FileJournal, symbol: str, reason: str = "test") -> None:
    journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason}, T0)


def state(journal: FileJournal, to: TradingState, resume: bool = False) -> None:
    data = {"state": int(to), "reason": "test", "by": "tester", "resume": resume}
    journal.append(Kind.STATE, data, T0)


def test_every_object_on_one_file_adds_up_to_the_same_ledger(journal: FileJournal) -> None:
    """Whoever wrote, and whoever comes later: fold once or fold again."""
    other = opened(journal.path)
    intent = an_intent(quantity=SHARE)
    journal.append(Kind.INTENT, encode(intent), T0)
    lock(other, "SPY")
    journal.append(Kind.SENDING, {"intent_id": intent.id, "quantity": SHARE}, T0)
    other.append(Kind.FILL, encode(a_fill(intent, SHARE)), T0)
    ledgers = [journal.read(), other.read(), opened(journal.path).read()]

    assert asdict(ledgers[0]) == asdict(ledgers[1]) == asdict(ledgers[2])
    assert [record.seq for record in opened(journal.path).records()] == [1, 2, 3, 4, 5]
    assert [record.seq for record in other.records(after=3)] == [4, 5]


def test_what_is_remembered_is_what_was_written_not_what_the_caller_keeps_changing(
    journal: FileJournal,
) -> None:
    payload = {"symbol": "SPY", "reason": "first", "more": [1]}
    record = journal.append(Kind.LOCK, payload, T0)
    payload["reason"] = "second"
    payload["more"].append(2)  # type: ignore[attr-defined]

    assert record == opened(journal.path).records()[-1]
    assert record.data == {"symbol": "SPY", "reason": "first", "more": [1]}


def test_a_record_that_the_ledger_cannot_take_never_reaches_the_disk(journal: FileJournal) -> None:
    """Half a fill on disk would stop every later reader, HALT included."""
    before, size = asdict(journal.read()), journal.path.stat().st_size
    for kind, data in (
        (Kind.FILL, {"id": "half"}),
        (Kind.STATE, {"state": 3, "resume": False}),
        (Kind.SNAPSHOT, {"equity": float("nan")}),
        (Kind.SESSION, {"day": "tomorrow"}),
        (Kind.FILL, encode(a_fill(an_intent(), 5)) | {"quantity": 0}),
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            journal.append(kind, data, T0)

    assert journal.path.stat().st_size == size
    assert asdict(journal.read()) == asdict(opened(journal.path).read()) == before


def test_a_ledger_once_handed_out_is_kept_up_to_date(journal: FileJournal) -> None:
    """Also after a failed append, which folds everything again."""
    ledger = journal.read()
    with pytest.raises(TypeError):
        journal.append(Kind.FILL, {"id": "half"}, T0)
    state(opened(journal.path), TradingState.HALTED)
    journal.read()

    assert ledger.state.state is TradingState.HALTED


@pytest.mark.parametrize("moment", ["fold", "write", "sync"])
def test_a_signal_in_the_middle_of_an_append_loses_and_doubles_nothing(
    journal: FileJournal, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Ctrl-C at the worst moments: the record is then on disk, or it is not, for everybody alike."""

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    intent = an_intent(quantity=SHARE)
    with monkeypatch.context() as patch:
        if moment == "fold":
            patch.setattr("pipeline.domain.booking.cash_of", interrupt)
            journal.append(Kind.OPENING, {"cash": 10**9, "positions": {}}, T0)
        else:
            patch.setattr(os, {"write": "pwrite", "sync": "fsync"}[moment], interrupt)
        with pytest.raises(KeyboardInterrupt):
            journal.append(Kind.FILL, encode(a_fill(intent, SHARE)), T0)
    journal.append(Kind.FILL, encode(a_fill(intent, SHARE)), T0)

    assert journal.read().positions["SPY"].quantity == SHARE
    assert asdict(journal.read()) == asdict(opened(journal.path).read())


def test_a_record_that_could_not_be_made_durable_was_never_there(
    journal: FileJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write went well, the fsync did not: refused means gone, for every reader."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(AppendRefused, match="input/output error"):
            lock(journal, "SPY")

    assert journal.read().locks == opened(journal.path).read().locks == {}


def test_the_kill_switch_works_on_a_full_disk(journal: FileJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the room set aside is left: no order gets it, the halt and its cancels do."""
    reserve, really = journal.path.with_suffix(".reserve"), os.pwrite
    intent = an_intent()
    journal.append(Kind.INTENT, encode(intent), T0)

    def write(descriptor: int, data: bytes, offset: int) -> int:
        full = reserve.exists() and os.fstat(descriptor).st_ino == journal.path.stat().st_ino
        if full:
            raise OSError(errno.ENOSPC, "no space left on device")
        return really(descriptor, data, offset)

    assert reserve.stat().st_blocks * 512 >= 65_536
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        with pytest.raises(AppendRefused, match="free space"):
            journal.append(Kind.SENDING, {"intent_id": intent.id, "quantity": intent.quantity}, T0)
        state(journal, TradingState.HALTED)
        journal.append(Kind.CANCEL, {"intent_id": intent.id, "reason": "halt"}, T0)
    ledger = opened(journal.path).read()

    assert (ledger.state.state, ledger.lives[intent.id].cancel_requested) == (TradingState.HALTED, True)
    assert not reserve.exists()
    journal.take_lease("successor", "code", "config", T0)
    assert reserve.exists()


def test_a_lease_is_kept_by_its_owner_and_lost_to_another_or_to_other_code(journal: FileJournal) -> None:
    same, other = opened(journal.path), opened(journal.path)
    assert same.take_lease("trader", "code", "config", T0) == 1
    assert other.take_lease("another", "code", "config", T0) == 2
    with pytest.raises(AppendRefused, match="epoch 1 gave way to 2"):
        journal.append(Kind.INTENT, encode(an_intent()), T0)
    state(journal, TradingState.HALTED)  # a stop needs no lease

    assert other.read().state.state is TradingState.HALTED
    assert other.take_lease("another", "code", "config 2", T0) == 3
    assert same.read().lease.config == "config 2"


def test_one_record_can_be_written_while_another_is_prepared(journal: FileJournal) -> None:
    """The journal is re-entrant within a thread, and its records may be read while it grows."""
    for record in journal.records():
        lock(journal, f"S{record.seq}")
    with journal._exclusive():
        lock(journal, "INSIDE")

    assert list(journal.read().locks) == ["S1", "INSIDE"]


def test_threads_on_one_object_and_on_their_own_write_one_chain(journal: FileJournal) -> None:
    def write(to: FileJournal, name: str) -> None:
        for number in range(25):
            lock(to, f"{name}{number}")

    writers = [(journal, "A"), (journal, "B"), (opened(journal.path), "C"), (opened(journal.path), "D")]
    threads = [threading.Thread(target=write, args=each) for each in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(opened(journal.path).read().locks) == 100
    assert [record.seq for record in journal.records()] == list(range(1, 102))


def test_a_held_lock_is_reported_with_its_holder_and_freed_with_it(tmp_path: Path) -> None:
    path = tmp_path / "demo.lock"
    holder = FileLock(path)
    held_by_us = pytest.raises(LockBusy, match=f"held by process {os.getpid()}")
    with holder.hold(0.0), held_by_us, FileLock(path).hold(0.02):
        pass
    with FileLock(path).hold(0.0):
        assert path.exists()


def test_only_the_owner_may_read_the_journal(journal: FileJournal) -> None:
    for suffix in (".jsonl", ".head", ".lock"):
        assert journal.path.with_suffix(suffix).stat().st_mode & 0o777 == 0o600


def test_halt_against_an_order_in_a_race_never_lets_an_order_follow(tmp_path: Path) -> None:
    """100 rounds, two threads with their own objects: asked before the append, one leaked (FAULTS F115)."""
    path = tmp_path / "demo.jsonl"
    trader, person = opened(path), opened(path)
    trader.take_lease("trader", "code", "config", T0)
    sent, dice = 0, random.Random(115)
    for round_ in range(100):
        barrier = threading.Barrier(2)
        stop = threading.Thread(target=_halt_at, args=(person, barrier, dice.random() * 0.005))
        stop.start()
        barrier.wait()
        sent += _trade_until_refused(trader, round_)
        stop.join()
        trader.append(Kind.RECONCILED, {"session": "2026-11-20", "clean": True, "discrepancies": []}, T0)
        state(trader, TradingState.NORMAL, resume=True)

    assert _sent_while_halted(trader) == 0
    assert sent > 0


def _halt_at(journal: FileJournal, barrier: threading.Barrier, delay: float) -> None:
    barrier.wait()
    time.sleep(delay)
    state(journal, TradingState.HALTED)


def _trade_until_refused(journal: FileJournal, round_: int) -> int:
    """Plan, send, veto: return the sends; the last append is refused by the halt."""
    for leg in range(1_000):
        intent = an_intent(Side.BUY, SHARE, Purpose.ENTRY, round_ * 1_000 + leg)
        try:
            journal.append(Kind.INTENT, encode(intent), T0 + timedelta(minutes=round_))
            journal.append(Kind.SENDING, {"intent_id": intent.id, "quantity": SHARE}, T0)
        except AppendRefused as error:
            _end(journal, intent.id)
            return leg if error.code == "halted" else -1_000_000
        _end(journal, intent.id)
    return 1_000


def _end(journal: FileJournal, intent_id: str) -> None:
    life = journal.read().lives.get(intent_id)
    if life is not None and not life.state.at_broker:
        journal.append(Kind.VETOED, {"intent_id": intent_id, "reason": "test"}, T0)
    elif life is not None:
        journal.append(Kind.REJECTED, {"intent_id": intent_id, "code": "c", "reason": "test"}, T0)


def _sent_while_halted(journal: FileJournal) -> int:
    ledger, count = Ledger(), 0
    for record in journal.records():
        count += record.kind in (Kind.INTENT, Kind.SENDING) and ledger.state.state.latched
        ledger.apply(record)
    return count
