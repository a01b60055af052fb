"""Bars kept in the store, keyed by symbol, timeframe and start, without an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.domain.market import Bar, Timeframe
from pipeline.domain.money import PRICE_SCALE, price_decimal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STAGE = "CREATE TEMP TABLE incoming AS SELECT * FROM bars LIMIT 0"
# An anti-join bounded by time: as fast as a key's upsert, at a fifth of the space (PERFORMANCE §4).
_KEEP = """
INSERT INTO bars
SELECT * FROM incoming AS i
WHERE NOT EXISTS (
    SELECT 1 FROM bars AS b
    WHERE b.timeframe = $timeframe AND b.start BETWEEN $first AND $last
        AND b.symbol = i.symbol AND b.start = i.start
)
ORDER BY start, symbol
"""
_LOAD = """
SELECT
    symbol, epoch_us(start) AS start,
    CAST(open * $scale AS BIGINT) AS open, CAST(high * $scale AS BIGINT) AS high,
    CAST(low * $scale AS BIGINT) AS low, CAST(close * $scale AS BIGINT) AS close, volume
FROM bars
WHERE timeframe = $timeframe AND start >= $first AND start < $end AND symbol IN (SELECT unnest($symbols))
ORDER BY symbol, start
"""


def insert_bars(connection: DuckDBPyConnection, bars: Sequence[Bar], timeframe: Timeframe) -> None:
    """Keep the bars that are not kept yet, in one transaction. ``bars`` must not be empty."""
    once = {(bar.symbol, bar.start): bar for bar in reversed(bars)}.values()
    rows = [
        (
            bar.symbol,
            timeframe.value,
            bar.start,
            *map(price_decimal, (bar.open, bar.high, bar.low, bar.close)),
            bar.volume,
        )
        for bar in once
    ]
    starts = [bar.start for bar in once]
    connection.execute("BEGIN")
    connection.execute(_STAGE)
    appender = connection.appender("incoming")
    appender.append_rows(rows)
    appender.flush()
    bounds = {"timeframe": timeframe.value, "first": min(starts), "last": max(starts)}
    connection.execute(_KEEP, bounds)
    connection.execute("COMMIT")


def select_bars(
    connection: DuckDBPyConnection,
    symbols: Sequence[str],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> Mapping[str, Sequence[Bar]]:
    """Return bars in ``[start, end)`` by symbol, oldest first; every symbol asked for is a key."""
    wanted = {
        "scale": PRICE_SCALE,
        "timeframe": timeframe.value,
        "first": start,
        "end": end,
        "symbols": list(symbols),
    }
    columns = connection.execute(_LOAD, wanted).fetchnumpy()
    found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
    starts: dict[int, datetime] = {}
    names = ("symbol", "start", "open", "high", "low", "close", "volume")
    for symbol, at, *values in zip(*(columns[name].tolist() for name in names), strict=True):
        moment = starts.get(at)
        if moment is None:
            moment = starts[at] = _EPOCH + timedelta(microseconds=at)
        found[symbol].append(Bar(symbol, moment, *values))
    return found
