"""A recorded market: one-minute bars from a CSV or Parquet file, holes kept as holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from pipeline.domain.market import SYMBOL
from pipeline.domain.money import PRICE_SCALE
from pipeline.domain.session import Session
from pipeline.errors import ConfigurationError
from pipeline.exchange.bars import COLUMNS, EMPTY, MINUTE, Bars
from pipeline.exchange.config import MarketConfig, SymbolProfile

WANTED = ("symbol", "ts", "open", "high", "low", "close", "volume")
"""Columns of the file; ``ts`` is the start of the minute. Others are ignored."""

_READERS = {".csv": "read_csv", ".parquet": "read_parquet"}

_BARS = """
    SELECT symbol, epoch_us({ts}) // 1000000 AS start,
           round(open * {scale})::BIGINT AS open, round(high * {scale})::BIGINT AS high,
           round(low * {scale})::BIGINT AS low, round(close * {scale})::BIGINT AS close,
           volume::BIGINT AS volume
    FROM {reader}(?) ORDER BY symbol, start
"""


class RecordedMarket:
    """Bars from a file, all in memory."""

    def __init__(self, config: MarketConfig, timezone: str) -> None:
        """Read the file.

        Args:
            config: kind ``recorded``.
            timezone: of the exchange; a session's bars are those of its calendar day there.

        Raises:
            ConfigurationError: the file cannot be read, misses columns, or holds bars that cannot be true.
        """
        if config.file is None:
            raise ConfigurationError("market.file", None, "is missing; name a .csv or .parquet file")
        self._zone = ZoneInfo(timezone)
        self._series = _read(config.file, config.timezone)
        unknown = sorted(set(config.symbols) - set(self._series))
        if unknown:
            remedy = f"is not in the file, which has {', '.join(self._series)}"
            raise ConfigurationError("market.symbols", unknown[0], remedy)
        listed = {s: config.symbols.get(s, SymbolProfile(s)) for s in self._series}
        self.profiles: Mapping[str, SymbolProfile] = {
            s: replace(p, price=int(self._series[s].open[0])) for s, p in listed.items()
        }
        self._days: dict[tuple[str, datetime], Bars] = {}

    def bars(self, symbol: str, session: Session) -> Bars:
        """Return the bars of the session's calendar day, extended hours included."""
        key = (symbol, session.open)
        if key not in self._days:
            midnight = datetime.combine(session.day, time(), self._zone)
            following = datetime.combine(session.day + timedelta(days=1), time(), self._zone)
            series = self._series[symbol]
            first, last = series.at(int(midnight.timestamp())), series.at(int(following.timestamp()))
            self._days[key] = series.slice(first, last) if first < last else EMPTY
        return self._days[key]


def _read(path: Path, timezone: str) -> dict[str, Bars]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError("market.file", str(path), "must end in .csv or .parquet")
    try:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            types = _columns(connection, reader, path)
            return _split(_select(connection, reader, path, _instant(types["ts"], timezone)), path)
    except duckdb.Error as error:
        raise ConfigurationError("market.file", str(path), f"cannot be read: {error}") from error


def _columns(connection: duckdb.DuckDBPyConnection, reader: str, path: Path) -> dict[str, str]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {reader}(?)", [str(path)]).fetchall()  # noqa: S608
    found = {str(row[0]): str(row[1]) for row in rows}
    if not found.keys() >= set(WANTED):
        remedy = f"has columns {', '.join(found)}; wanted are {', '.join(WANTED)}"
        raise ConfigurationError("market.file", str(path), remedy)
    return found


def _instant(kind: str, timezone: str) -> str:
    """Return the SQL of a bar's start as an instant: a naive time is one of ``timezone``."""
    if "TIME ZONE" in kind:
        return "ts"
    return f"timezone('{timezone}', ts::TIMESTAMP)"


def _select(connection: duckdb.DuckDBPyConnection, reader: str, path: Path, ts: str) -> dict[str, Any]:
    query = _BARS.format(reader=reader, ts=ts, scale=PRICE_SCALE)
    return dict(connection.execute(query, [str(path)]).fetchnumpy())


def _split(columns: dict[str, Any], path: Path) -> dict[str, Bars]:
    """Return the bars by symbol. Raises ConfigurationError for bars that cannot be true."""
    names = np.asarray(columns["symbol"], dtype=str)
    values = [columns[name] for name in COLUMNS]
    if not len(names) or any(np.ma.is_masked(v) for v in values):
        raise ConfigurationError("market.file", str(path), "has no rows, or rows with missing values")
    everything = Bars(*(np.asarray(v, np.int64) for v in values))
    symbols, firsts = np.unique(names, return_index=True)
    bounds = [*firsts.tolist(), len(names)]
    series = {str(s): everything.slice(bounds[i], bounds[i + 1]) for i, s in enumerate(symbols)}
    for symbol, bars in series.items():
        if problem := _problem(symbol, bars):
            raise ConfigurationError("market.file", str(path), f"{symbol}: {problem}")
    return series


def _problem(symbol: str, bars: Bars) -> str:
    body_low, body_high = np.minimum(bars.open, bars.close), np.maximum(bars.open, bars.close)
    checks = {
        "is not a symbol, as in 'SPY'": SYMBOL.match(symbol) is not None,
        "bars do not start at full minutes": not np.any(bars.start % MINUTE),
        "two bars start at the same minute": bool(np.all(np.diff(bars.start) > 0)),
        "prices are out of order or not above zero": bool(
            np.all((bars.low > 0) & (bars.low <= body_low) & (body_high <= bars.high))
        ),
        "volume is negative": bool(np.all(bars.volume >= 0)),
    }
    return next((text for text, fine in checks.items() if not fine), "")


def contents(file: Path, timezone: str) -> tuple[tuple[str, ...], tuple[date, ...]]:
    """Return the symbols of a file of bars, sorted, and the days it has bars of, oldest first.

    Raises:
        ConfigurationError: the file cannot be read, misses columns, or holds bars that cannot be true.
    """
    series = _read(file, timezone)
    zone = ZoneInfo("America/New_York")
    days = {
        datetime.fromtimestamp(int(start), zone).date()
        for held in series.values()
        for start in held.start[::30]
    }
    return tuple(series), tuple(sorted(days))
