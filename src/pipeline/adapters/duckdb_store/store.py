"""The store: results that people and reports ask for. Everything but bars can be rebuilt from the journal.

One process at a time, and never for long: each method locks, opens, works, closes. Nobody else may
open the file, not even to copy it (that drops DuckDB's own lock, FAULTS K12).
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.duckdb_store.bars import insert_bars, select_bars
from pipeline.adapters.duckdb_store.connection import StoreCorrupt, StoreHeld, open_database
from pipeline.adapters.duckdb_store.projection import apply_records, load_digests, load_watermark
from pipeline.adapters.duckdb_store.query import select_rows
from pipeline.domain.journal import Record
from pipeline.domain.market import Bar, Timeframe
from pipeline.errors import LockBusy, StoreUnavailable
from pipeline.ports import Lock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 20_000
"""Records in one transaction of a rebuild."""
_JITTER = 0.02, 0.1
"""Seconds between two attempts to open a file that another program has open."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: records projected, bars kept, and where an unreadable old file went."""

    records: int
    bars: int
    quarantined: Path | None


@dataclass(frozen=True, slots=True)
class Verification:
    """The store against the journal. ``differences`` are sentences about what was projected."""

    projected: int
    records: int
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the store holds exactly what the journal says, as far as it was projected."""
        return not self.differences

    @property
    def behind(self) -> int:
        """How many records are not projected yet: the desk projects only now and then."""
        return max(0, self.records - self.projected)


class DuckStore:
    """A ``ports.Store`` in one DuckDB file.

    Args:
        path: the database file; made at the first use.
        lock: on a file of its own, the same for every process that opens ``path``.
        wait_seconds: how long any call waits for other processes.

    Every method may raise ``StoreUnavailable``: held by another process, disk full, or the file was
    corrupt and has just been set aside (ask ``projected`` again: the watermark is lower now).
    """

    def __init__(self, path: Path, lock: Lock, wait_seconds: float = 5.0) -> None:
        self.path = path
        self._lock = lock
        self._wait_seconds = wait_seconds
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def project(self, records: Sequence[Record]) -> int:
        """Apply records above the watermark in one transaction; see ``ports.Store.project``.

        Raises:
            StoreMismatch: a gap before the first new record, another journal, or a record without rows.
        """
        if not records:
            return 0
        with self._opened() as connection:
            return apply_records(connection, records, str(self.path))

    def projected(self) -> int:
        """Return the number of the last record applied, 0 when none."""
        if not self.path.exists():
            return 0
        with self._opened() as connection:
            return load_watermark(connection).seq

    def record_bars(self, bars: Sequence[Bar], timeframe: Timeframe) -> None:
        """Keep bars; those already kept stay as they are."""
        if not bars:
            return
        with self._opened() as connection:
            insert_bars(connection, bars, timeframe)

    def load_bars(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> Mapping[str, Sequence[Bar]]:
        """Return kept bars in ``[start, end)`` by symbol, oldest first; no bars is an empty sequence."""
        with self._opened() as connection:
            return select_bars(connection, symbols, timeframe, start, end)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Mapping[str, object], ...]:
        """Return the rows of a read-only statement: numbers as Decimal or int, instants in UTC.

        Raises:
            UsageError: DuckDB refuses the statement.
        """
        with self._opened() as connection:
            return select_rows(connection, sql, parameters)

    def rebuild(self, records: Sequence[Record]) -> Rebuilt:
        """Make the store anew from every record of the journal, keep its bars, and swap it in at once.

        Until the swap the old file is untouched; afterwards it is gone, or quarantined when unreadable.

        Raises:
            StoreMismatch: a record without rows, or ``records`` does not begin with the first.
        """
        with tempfile.TemporaryDirectory(prefix=".rebuild-", dir=self.path.parent) as folder:
            fresh = Path(folder) / self.path.name
            with open_database(fresh) as connection:
                for start in range(0, len(records), _BATCH):
                    apply_records(connection, records[start : start + _BATCH], str(fresh))
            with self._locked():
                bars, quarantined = self._carry_bars(fresh)
                fresh.replace(self.path)
                _sync_folder(self.path.parent)
        return Rebuilt(len(records), bars, quarantined)

    def _carry_bars(self, fresh: Path) -> tuple[int, Path | None]:
        if not self.path.exists():
            return 0, None
        try:
            with open_database(self.path):
                pass  # folds a log that a dead process left behind into the file, so that the file is all
            with open_database(fresh, files=True) as connection:
                old = str(self.path).replace("'", "''")
                connection.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
                moved = connection.execute("INSERT INTO bars BY NAME SELECT * FROM old.bars").fetchall()
                connection.execute("DETACH old")
                return int(moved[0][0]), None
        except StoreCorrupt as error:
            kept = self._set_aside(error)
            return (self._carry_bars(fresh)[0], kept) if error.in_log else (0, kept)

    def verify(self, records: Sequence[Record]) -> Verification:
        """Compare the store with a projection of every record of the journal, made in memory."""
        with self._opened() as connection:
            mark, stored = load_watermark(connection), load_digests(connection)
        differences = []
        if mark.seq > len(records):
            differences.append(f"record {mark.seq} was projected, the journal ends with {len(records)}")
        elif mark.seq and records[mark.seq - 1].hash != mark.head:
            differences.append(f"record {mark.seq} is not the one that was projected")
        with open_database(None) as memory:
            apply_records(memory, records[: mark.seq], "in memory")
            wanted = load_digests(memory)
        for table, digest in wanted.items():
            found = stored[table]
            if found.rows != digest.rows:
                differences.append(f"{table} has {found.rows} rows, the journal gives {digest.rows}")
            elif found != digest:
                differences.append(f"{table} has rows that differ from the journal's")
        return Verification(mark.seq, len(records), tuple(differences))

    def quarantined(self) -> tuple[Path, ...]:
        """Return the files that were set aside as corrupt, oldest first."""
        return tuple(sorted(self.path.parent.glob(f"{self.path.name}.corrupt-*")))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._lock.hold(self._wait_seconds):
                yield
        except LockBusy as error:
            raise StoreUnavailable(str(self.path), str(error)) from error

    @contextmanager
    def _opened(self) -> Iterator[DuckDBPyConnection]:
        with self._locked():
            try:
                with ExitStack() as stack:
                    yield self._connected(stack)
            except StoreCorrupt as error:
                kept = self._set_aside(error)
                lost = "the bars kept last" if error.in_log else "all bars"
                reason = (
                    f"{error.reason}. It was set aside as {kept.name}: try again, the next projection "
                    f"restores what the journal knows; {lost} may have to be fetched again"
                )
                raise StoreUnavailable(str(self.path), reason) from error

    def _connected(self, stack: ExitStack) -> DuckDBPyConnection:
        """Open the file; wait, with jitter, for a program that does not know our lock."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return stack.enter_context(open_database(self.path))
            except StoreHeld:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(random.uniform(*_JITTER))

    def _set_aside(self, error: StoreCorrupt) -> Path:
        """Rename what is corrupt, the log alone or the file with its log, to the first free name."""
        names = (self.path.with_name(f"{self.path.name}.corrupt-{n:03d}") for n in count(1))
        kept = next(name for name in names if not any(map(Path.exists, (name, _log_of(name)))))
        if not error.in_log:
            self.path.rename(kept)
        if _log_of(self.path).exists():
            _log_of(self.path).rename(_log_of(kept))
        return _log_of(kept) if error.in_log else kept


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
