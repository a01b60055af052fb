"""Journal records into tables: what was stored, what is new, and the watermark, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from pipeline.adapters.duckdb_store.carried import Carried
from pipeline.adapters.duckdb_store.connection import StoreMismatch, refusals
from pipeline.adapters.duckdb_store.facts import rows_of
from pipeline.adapters.duckdb_store.trips import Book
from pipeline.domain.journal import Kind, Record
from pipeline.domain.money import to_money, to_qty
from pipeline.domain.portfolio import Position

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ONCE = {
    Kind.FILL: ("fills", "id"),
    Kind.EXTERNAL: ("external_fills", "id"),
    Kind.BUST: ("busts", "fill_id"),
    Kind.SPLIT: ("splits", "activity_id"),
    Kind.CASH: ("cash_flows", "id"),
    Kind.ALERT: ("alerts", "id"),
}
"""Kinds that may be journalled twice under one id: where the first one is, and what the id is called."""

_MOVE_SHARES = frozenset({Kind.FILL, Kind.OPENING, Kind.ADOPTED, Kind.BALANCED, Kind.BUST, Kind.SPLIT})

_RESEARCH = {"backtests", "backtest_equity", "backtest_fills"}
_NOT_PROJECTED = frozenset({"bars", "projection", "migrations", *_RESEARCH})

_SESSIONS = "SELECT open, session FROM sessions ORDER BY seq"
_BOOK = """
SELECT
    symbol, max(trip), arg_max(quantity, seq * 2 + leg), arg_max(cost, seq * 2 + leg),
    arg_max(opened_at, seq * 2 + leg)
FROM position_changes GROUP BY symbol
"""
_WATERMARK = "SELECT projected, head FROM projection"
_ADVANCE = "UPDATE projection SET projected = ?, head = ?"


@dataclass(frozen=True, slots=True)
class Watermark:
    """The last record projected: its number and hash."""

    seq: int
    head: str


def load_watermark(connection: DuckDBPyConnection) -> Watermark:
    """Return the last record projected; number 0 and the genesis hash when none."""
    return Watermark(*connection.execute(_WATERMARK).fetchall()[0])


def apply_records(connection: DuckDBPyConnection, records: Sequence[Record], name: str) -> int:
    """Write the rows of the records above the watermark and advance it; return how many records.

    Args:
        records: by number, without gaps; those already projected are passed over.
        name: the store's, for messages.

    Raises:
        StoreMismatch: a gap, another journal, or a record that has no rows; nothing was written.
    """
    connection.execute("BEGIN")
    done = load_watermark(connection)
    fresh = [record for record in records if record.seq > done.seq]
    if not fresh:
        connection.execute("ROLLBACK")
        return 0
    _check_follows(done, records, fresh[0], name)
    _append(connection, _rows(connection, fresh, name), name)
    connection.execute(_ADVANCE, [fresh[-1].seq, fresh[-1].hash])
    connection.execute("COMMIT")
    return len(fresh)


def _check_follows(done: Watermark, records: Sequence[Record], first: Record, name: str) -> None:
    if first.seq != done.seq + 1:
        raise StoreMismatch(name, f"records {done.seq + 1} to {first.seq - 1} are missing")
    if first.prev != done.head or any(r.seq == done.seq and r.hash != done.head for r in records):
        raise StoreMismatch(name, f"it was projected from another journal, up to record {done.seq}")


def _rows(
    connection: DuckDBPyConnection, fresh: Sequence[Record], name: str
) -> dict[str, list[tuple[object, ...]]]:
    carried = _load_carried(connection, fresh)
    tables: dict[str, list[tuple[object, ...]]] = {}
    for record in fresh:
        try:
            for table, row in rows_of(carried, record):
                tables.setdefault(table, []).append(row)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"record {record.seq} ({record.kind}) has no rows: {error!r}"
            raise StoreMismatch(name, reason) from error
    return tables


def _append(connection: DuckDBPyConnection, tables: dict[str, list[tuple[object, ...]]], name: str) -> None:
    # The appender is 100 times faster than executemany and needs neither pandas nor Arrow (PERFORMANCE §4).
    for table, rows in tables.items():
        appender = connection.appender(table)
        try:
            appender.append_rows(rows)
            appender.flush()
        except refusals() as error:
            raise StoreMismatch(name, f"{table} cannot take a record: {error}") from error


def _load_carried(connection: DuckDBPyConnection, fresh: Sequence[Record]) -> Carried:
    opens = [(at.astimezone(UTC), day) for at, day in connection.execute(_SESSIONS).fetchall()]
    kinds = {record.kind for record in fresh}
    book = _load_book(connection) if kinds & _MOVE_SHARES else Book()
    known = {("sessions", day.isoformat()) for _, day in opens}
    for kind in kinds & _ONCE.keys():
        table, key = _ONCE[kind]
        ids = [record.data[key] for record in fresh if record.kind is kind]
        found = connection.execute(f"SELECT {key} FROM {table} WHERE {key} IN (SELECT unnest(?))", [ids])  # noqa: S608
        known |= {(table, told) for (told,) in found.fetchall()}
    return Carried(opens[-1][1] if opens else None, sorted(opens), book, known)


def _load_book(connection: DuckDBPyConnection) -> Book:
    latest = connection.execute(_BOOK).fetchall()
    positions = {
        symbol: Position(symbol, to_qty(quantity), to_money(cost), opened_at.astimezone(UTC))
        for symbol, _, quantity, cost, opened_at in latest
        if quantity
    }
    return Book(positions, {symbol: trip for symbol, trip, *_ in latest})


@dataclass(frozen=True, slots=True)
class Digest:
    """What a table holds, independent of the order of its rows."""

    rows: int
    content: int


def load_digests(connection: DuckDBPyConnection) -> dict[str, Digest]:
    """Return a digest of every projected table."""
    names = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
    digests = {}
    for name in (name for (name,) in names if name not in _NOT_PROJECTED):
        found = connection.execute(f"SELECT count(*), coalesce(sum(hash(t)), 0) FROM {name} AS t")  # noqa: S608
        digests[name] = Digest(*found.fetchall()[0])
    return digests
