"""Bars of any length from a CSV or Parquet file: what the research commands read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.domain.market import SYMBOL, row_problem
from pipeline.domain.money import PRICE_SCALE
from pipeline.errors import ConfigurationError
from pipeline.research.history import Series

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READERS = {".csv": "read_csv", ".parquet": "read_parquet"}
_PRICES = ("open", "high", "low", "close")
_WANTED = ("symbol", *_PRICES, "volume")
_STARTS = {"ts": "", "ts_utc": "UTC", "ts_et": "America/New_York"}
"""Columns that may hold a bar's start, and the zone that the name tells; "" is the zone asked for."""

_EXACT = ", ".join(f"round({name} * {PRICE_SCALE})::BIGINT AS {name}" for name in _PRICES)


def read_bars(path: Path, timezone: str) -> Mapping[str, Series]:
    """Return the bars of a file by symbol, sorted.

    Args:
        path: .csv or .parquet with symbol, open, high, low, close, volume, and a bar's start in ``ts``,
            ``ts_utc`` or ``ts_et``.
        timezone: of a ``ts`` that carries none.

    Raises:
        ConfigurationError: it cannot be read, misses columns, or holds bars that cannot be true.
    """
    import duckdb

    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError("--data", str(path), "must end in .csv or .parquet")
    if not path.is_file():
        raise ConfigurationError("--data", str(path), "there is no such file")
    try:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            start = _start(connection, reader, path, timezone)
            query = f"""
                SELECT symbol, epoch_us({start}) // 1000000 AS start, {_EXACT}, volume::BIGINT AS volume
                FROM {reader}(?) ORDER BY symbol, start
            """  # noqa: S608 - names of ours only; the path is a parameter
            found = dict(connection.execute(query, [str(path)]).fetchnumpy())
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError("--data", str(path), f"cannot be read: {reason}") from error
    return _by_symbol(found, path)


def _start(connection: DuckDBPyConnection, reader: str, path: Path, timezone: str) -> str:
    """Return the SQL of a bar's start as an instant. Raises ConfigurationError for missing columns."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {reader}(?)", [str(path)]).fetchall()  # noqa: S608
    kinds = {str(row[0]): str(row[1]) for row in rows}
    name = next((one for one in _STARTS if one in kinds), None)
    if name is None or not kinds.keys() >= set(_WANTED):
        remedy = f"has columns {', '.join(kinds)}; wanted are ts, {', '.join(_WANTED)}"
        raise ConfigurationError("--data", str(path), remedy)
    if "TIME ZONE" in kinds[name]:
        return name
    return f"timezone('{_STARTS[name] or timezone}', {name}::TIMESTAMP)"


def _by_symbol(columns: dict[str, Any], path: Path) -> dict[str, Series]:
    names = [str(name) for name in columns["symbol"].tolist()]
    if not names or any(getattr(column, "mask", False) is not False for column in columns.values()):
        raise ConfigurationError("--data", str(path), "has no rows, or rows with missing values")
    values = [columns[name].tolist() for name in ("start", *_PRICES, "volume")]
    found: dict[str, Series] = {}
    first = 0
    for last in range(1, len(names) + 1):
        if last == len(names) or names[last] != names[first]:
            start, *others = (column[first:last] for column in values)
            found[names[first]] = Series(_length(start), start, *others)
            _check(names[first], found[names[first]], path)
            first = last
    return found


def _length(start: list[int]) -> int:
    """Return the usual distance between two starts, seconds; a minute with fewer than two bars."""
    steps = Counter(later - earlier for earlier, later in pairwise(start))
    return steps.most_common(1)[0][0] if steps else 60


def _check(symbol: str, bars: Series, path: Path) -> None:
    if not SYMBOL.match(symbol):
        raise ConfigurationError("--data", str(path), f"{symbol!r} is not a symbol, as in 'SPY'")
    before = None
    rows = zip(bars.start, bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes, strict=True)
    for start, opened, high, low, close, volume in rows:
        problem = row_problem((opened, high, low, close), volume)
        if start % 60:
            problem = "it does not start at a full minute"
        elif start == before:
            problem = "two bars start then"
        if problem:
            raise ConfigurationError("--data", str(path), f"{symbol} at {start} s since 1970: {problem}")
        before = start


def symbols_in(path: Path) -> tuple[str, ...]:
    """Return the symbols of a file of bars, sorted, without reading the bars.

    Raises:
        ConfigurationError: it cannot be read.
    """
    import duckdb

    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise ConfigurationError("--data", str(path), "must be a .csv or .parquet file that exists")
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT DISTINCT symbol FROM {reader}(?)", [str(path)]).fetchall()  # noqa: S608
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError("--data", str(path), f"cannot be read: {reason}") from error
    return tuple(sorted(str(row[0]) for row in rows))
