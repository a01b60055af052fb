"""The journal on disk: JSON lines, hash-chained, fsynced, under a lock of its own, with a head anchor.

Files, for a journal ``NAME.jsonl``: ``NAME.head`` (sequence number, hash and length after the
last append: a file shorter than that has lost its tail), ``NAME.lock`` and ``NAME.reserve``
(room on the disk that is given up for a halt and for cancels when there is no other).
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.domain.codec import encode
from pipeline.domain.guard import check_append
from pipeline.domain.journal import GENESIS, Kind, Record, from_line, seal, to_line
from pipeline.domain.ledger import Ledger
from pipeline.errors import AppendRefused, IllegalTransition, JournalCorrupt
from pipeline.failpoints import reach
from pipeline.ports import Lock

_HEAD_WIDTH = 160
_LOCK_WAIT_SECONDS = 10.0
_RESERVED_BYTES = 65_536
_URGENT = frozenset({Kind.STATE, Kind.CANCEL})
"""What must be written even on a full disk: the kill switch and its cancels."""


@dataclass(frozen=True, slots=True)
class _Files:
    """File descriptors held under the lock."""

    records: int
    head: int


class FileJournal:
    """One account's journal, and the ledger that its records add up to.

    ``lock`` is the journal's own: the same file for every process that opens ``path``.
    Reading is incremental: each call folds in what other processes appended since the last one.
    Safe between threads and processes.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self.ledger = Ledger()
        self.epoch = 0
        self._head_path = path.with_suffix(".head")
        self._reserve_path = path.with_suffix(".reserve")
        self._lock = lock
        self._threads = threading.RLock()
        self._held: _Files | None = None
        self._known: list[tuple[Record, int]] = []
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, kind: Kind, data: Mapping[str, Any], at: datetime) -> Record:
        """Write one record durably; see ``ports.JournalPort.append``. Raises TypeError for a float in it."""
        reach("before_record")
        plain = encode(data)
        with self._exclusive() as files:
            check_append(self.ledger, kind, plain, self.epoch)
            record = seal(Record(self.ledger.seq + 1, at, kind, self.epoch, plain, self.ledger.head, ""))
            line = to_line(record)
            with self._whole():
                # Folded before it is written: what the ledger cannot take must never reach the disk,
                # where it would stand in the way of every later reader.
                self.ledger.apply(record)
                self._write(files, kind, line)
                self._known.append((record, self._offset + len(line)))
            self._anchor(files)
        return record

    def take_lease(self, owner: str, code: str, config: str, at: datetime) -> int:
        """Become the one who may trade, unless ``owner`` already is with this code, and return the epoch."""
        with self._exclusive():
            lease = self.ledger.lease
            if lease.epoch > 0 and (lease.owner, lease.code, lease.config) == (owner, code, config):
                self.epoch = lease.epoch
                return self.epoch
            epoch = lease.epoch + 1
            self.append(Kind.LEASE, {"epoch": epoch, "owner": owner, "code": code, "config": config}, at)
            self.epoch = epoch
        return epoch

    def read(self) -> Ledger:
        """Fold in what is new and return the ledger. Raises JournalCorrupt."""
        with self._exclusive():
            return self.ledger

    def records(self, after: int = 0) -> Sequence[Record]:
        """Return the records with a sequence number above ``after``. Raises JournalCorrupt."""
        with self._exclusive():
            return [record for record, _ in self._known[after:]]

    @property
    def _offset(self) -> int:
        return self._known[-1][1] if self._known else 0

    @contextmanager
    def _exclusive(self) -> Iterator[_Files]:
        """Hold the lock with everything on disk folded in; re-entrant within a thread."""
        with self._threads:
            if self._held is not None:
                yield self._held
                return
            with self._lock.hold(_LOCK_WAIT_SECONDS), self._opened() as files:
                self._catch_up(files)
                self._held = files
                try:
                    yield files
                finally:
                    self._held = None

    @contextmanager
    def _opened(self) -> Iterator[_Files]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        records = os.open(self.path, flags, 0o600)
        try:
            head = os.open(self._head_path, flags, 0o600)
            try:
                yield _Files(records, head)
            finally:
                os.close(head)
        finally:
            os.close(records)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Take a record in completely or, whatever interrupts (a full disk, a signal), not at all."""
        known = len(self._known)
        try:
            yield
        finally:
            if len(self._known) == known:
                before = Ledger()
                for record, _ in self._known:
                    before.apply(record)
                self.ledger.become(before)

    def _catch_up(self, files: _Files) -> None:
        size = os.fstat(files.records).st_size
        if size < self._offset:
            raise self._corrupt(self.ledger.seq, "the file became shorter")
        fresh = os.pread(files.records, size - self._offset, self._offset) if size > self._offset else b""
        whole, _, torn = fresh.rpartition(b"\n")
        for line in whole.split(b"\n") if whole else ():
            self._take_in(line + b"\n")
        self._check_anchor(files)
        if torn:
            # A process died in the middle of a write: that record was never acknowledged to anyone.
            os.ftruncate(files.records, self._offset)

    def _take_in(self, line: bytes) -> None:
        record = self._checked(line)
        with self._whole():
            try:
                self.ledger.apply(record)
            except (KeyError, TypeError, ValueError, IllegalTransition) as error:
                raise self._corrupt(record.seq, f"it contradicts the records before it: {error}") from error
            self._known.append((record, self._offset + len(line)))

    def _checked(self, line: bytes) -> Record:
        expected = self.ledger.seq + 1
        try:
            record = from_line(line)
        except ValueError as error:
            raise self._corrupt(expected, str(error)) from error
        if record.seq != expected or record.prev != self.ledger.head:
            raise self._corrupt(expected, "it does not follow its predecessor")
        return record

    def _corrupt(self, record: int, reason: str) -> JournalCorrupt:
        return JournalCorrupt(str(self.path), record, reason)

    def _write(self, files: _Files, kind: Kind, line: bytes) -> None:
        try:
            if kind is Kind.LEASE:
                self._keep_reserve()
            self._put(files, line)
        except OSError as error:
            if kind in _URGENT and self._reserve_path.exists():
                self._reserve_path.unlink()
                self._write(files, kind, line)
                return
            raise AppendRefused(
                "record", "disk", f"{self.path}: {error}; free space and try again"
            ) from error

    def _put(self, files: _Files, line: bytes) -> None:
        offset = self._offset
        if offset == 0:
            self._begin(files)
        if os.fstat(files.records).st_size != offset:
            # Somebody removed the lock's file, and so two hold it: what another wrote must stay.
            raise AppendRefused(
                "record", "overtaken", f"{self.path}: another process wrote meanwhile; try again"
            )
        try:
            written = os.pwrite(files.records, line, offset)
            if written != len(line):
                raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes written")
            os.fsync(files.records)
        except OSError:
            os.ftruncate(files.records, offset)
            raise

    def _keep_reserve(self) -> None:
        """Set room aside before anybody trades: no lease without it."""
        if self._reserve_path.exists():
            return
        descriptor = os.open(self._reserve_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVED_BYTES)
        finally:
            os.close(descriptor)

    def _begin(self, files: _Files) -> None:
        """Make the anchor and the names of both files durable before the first record is."""
        self._write_anchor(files, 0, GENESIS, 0)
        os.fsync(files.head)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _anchor(self, files: _Files) -> None:
        self._write_anchor(files, self.ledger.seq, self.ledger.head, self._offset)

    def _write_anchor(self, files: _Files, seq: int, head: str, size: int) -> None:
        # One write of a fixed width: never seen half. Not fsynced: after a power loss an older
        # anchor still detects a tail lost from before it, and the chain detects the rest.
        text = json.dumps({"seq": seq, "hash": head, "bytes": size})
        os.pwrite(files.head, text.ljust(_HEAD_WIDTH).encode(), 0)

    def _check_anchor(self, files: _Files) -> None:
        text = os.pread(files.head, _HEAD_WIDTH, 0)
        if not text and not self._known:
            return  # nothing was ever appended
        if not text:
            raise self._corrupt(self.ledger.seq, "its anchor file is missing")
        try:
            anchor = json.loads(text)
            seq, head = int(anchor["seq"]), str(anchor["hash"])
        except (ValueError, KeyError, TypeError) as error:
            raise JournalCorrupt(str(self._head_path), 0, f"the anchor cannot be read: {error}") from error
        if seq > self.ledger.seq:
            raise self._corrupt(self.ledger.seq + 1, f"missing: the anchor knows {seq} records")
        known = self._known[seq - 1][0].hash if seq > 0 else GENESIS
        if head != known:
            raise self._corrupt(seq, "it is not the record that was anchored")
