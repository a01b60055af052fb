"""One open of the database file: configured, migrated, closed, and its errors in our words.

Call only while holding the store's lock (PERFORMANCE §0.1: DuckDB 2.0.0 reads its headers before
it locks, so two processes that open one file by turns lose committed rows without it).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import StoreUnavailable, Terminal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # it would try the network
    "autoload_known_extensions": False,
    # A commit writes a block for each table it touches; below 64 KB bars take three times the space.
    "default_block_size": "65536",
    "debug_abort_on_wal_failure": "true",  # else a flipped bit silently drops committed rows (FAULTS K10)
}
_IN_LOG = "replaying WAL"
_CORRUPT = (
    _IN_LOG,
    "Corrupt database file",
    "not a valid DuckDB database file",
    "Could not read enough bytes from file",
    "Serialization Error",
)
_HELD = "Could not set lock on file"
_MIGRATIONS = Path(__file__).parent / "migrations"


class StoreCorrupt(Terminal):
    """The database is not what was written. The store sets it aside and says so.

    ``in_log``: only its write-ahead log; the file itself is a consistent earlier state.
    """

    def __init__(self, path: str, reason: str, in_log: bool = False) -> None:
        super().__init__(path, reason, in_log)
        self.path = path
        self.reason = reason
        self.in_log = in_log

    def __str__(self) -> str:
        return f"the store {self.path} is corrupt: {self.reason}"


class StoreHeld(StoreUnavailable):
    """Another program, which does not know our lock, has the file open: a DuckDB shell, a notebook."""


class StoreMismatch(StoreUnavailable):
    """The store and what it is given do not belong together; nothing was written.

    A rebuild mends it. Until then it is as unavailable as a locked one: trading goes on, the store lags.
    """

    def __str__(self) -> str:
        return f"the store {self.path} does not fit: {self.reason}. Run `marketday store rebuild`."


@contextmanager
def open_database(path: Path | None, files: bool = False) -> Iterator[DuckDBPyConnection]:
    """Open, bring the tables up to date, and close.

    Args:
        path: the file, or None for a database in memory.
        files: whether statements may read other files.

    Raises:
        StoreCorrupt: the file is not what was written.
        StoreHeld: another program has the file open.
        StoreUnavailable: the disk, a statement, or a file that a newer Marketday made.
    """
    import duckdb

    name = ":memory:" if path is None else str(path)
    try:
        connection = duckdb.connect(name, config={**_CONFIG, "enable_external_access": files})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            _migrate(connection, name)
            yield connection
        finally:
            connection.close()
    except duckdb.Error as error:
        raise _translated(name, error) from error


def refusals() -> tuple[type[Error], ...]:
    """Return the errors with which DuckDB refuses a statement or a value, never a file."""
    import duckdb

    return (
        duckdb.ProgrammingError,
        duckdb.DataError,
        duckdb.IntegrityError,
        duckdb.NotSupportedError,
        duckdb.PermissionException,
        duckdb.TransactionException,
    )


def _translated(name: str, error: Error) -> StoreCorrupt | StoreUnavailable:
    reason = str(error).strip().split("\n")[0]
    # A refusal may quote any words, those about a corrupt file too.
    if _HELD in reason:
        return StoreHeld(name, reason)
    if isinstance(error, refusals()) or not any(mark in reason for mark in _CORRUPT):
        return StoreUnavailable(name, reason)
    return StoreCorrupt(name, reason, _IN_LOG in reason)


def _migrate(connection: DuckDBPyConnection, name: str) -> None:
    """Apply the numbered migrations that the file does not have yet, each in one transaction."""
    import duckdb

    try:
        done = int(connection.execute("SELECT max(version) FROM migrations").fetchall()[0][0])
    except duckdb.CatalogException:
        done = 0
    known = sorted(_MIGRATIONS.glob("*.sql")) if done < LATEST else []
    if done > LATEST:
        reason = f"a newer Marketday made it (schema {done}, this one knows {LATEST}): run that one"
        raise StoreUnavailable(name, reason)
    for script in known[done:]:
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL)"
        )
        connection.execute(script.read_text(encoding="utf-8"))
        connection.execute("INSERT INTO migrations VALUES (?, ?)", [int(script.stem[:4]), script.stem])
        connection.execute("COMMIT")


LATEST = len(list(_MIGRATIONS.glob("*.sql")))
"""The newest migration's number; they are numbered without gaps."""
