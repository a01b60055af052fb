"""Questions to the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.adapters.duckdb_store.connection import refusals
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def select_rows(
    connection: DuckDBPyConnection, sql: str, parameters: Sequence[object]
) -> tuple[Mapping[str, object], ...]:
    """Return the rows by column name, in order: numbers as Decimal or int, instants in UTC.

    Raises:
        UsageError: DuckDB refuses the statement; one that writes is always refused.
    """
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
    except refusals() as error:
        raise UsageError(f"the query was refused: {str(error).strip().splitlines()[0]}") from error
    return tuple(dict(zip(names, map(_in_utc, row), strict=True)) for row in rows)


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else value
