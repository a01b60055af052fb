"""Simulations in a store of their own: research never makes a trading store wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.duckdb_store.connection import open_database
from pipeline.domain.money import money_decimal, price_decimal, qty_decimal
from pipeline.errors import LockBusy, StoreUnavailable
from pipeline.ports import Lock
from pipeline.research.metrics import Metrics
from pipeline.research.results import Result

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PATIENCE_SECONDS = 30.0
_KNOWN = "SELECT count(*) FROM backtests WHERE id = ?"


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """What makes a simulation another one than the last: fingerprints of code, configuration and data."""

    id: str
    code: str
    config: str
    data: str
    symbols: tuple[str, ...]
    timeframe: str


def record_backtest(
    place: tuple[Path, Lock], row: BacktestRow, result: Result, metrics: Metrics, now: datetime
) -> bool:
    """Keep a simulation; return whether it is new: the same one again is the same row.

    Args:
        place: the database file, and the lock that everybody takes who opens it.

    Raises:
        StoreUnavailable: held by another process, or the disk.
    """
    path, lock = place
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock.hold(_PATIENCE_SECONDS), open_database(path) as connection:
            if connection.execute(_KNOWN, [row.id]).fetchall()[0][0]:
                return False
            _insert(connection, row, (result, metrics), now)
            return True
    except LockBusy as error:
        raise StoreUnavailable(str(path), str(error)) from error


def _insert(
    connection: DuckDBPyConnection, row: BacktestRow, found: tuple[Result, Metrics], now: datetime
) -> None:
    result, measured = found
    closes = result.closes()
    state = result.curve[-1].state.name if result.curve else "NORMAL"
    values: list[object] = [
        *(row.id, now, row.code, row.config, row.data, ", ".join(row.symbols), row.timeframe),
        *(result.sessions[0], result.sessions[-1], len(result.sessions)),
        *(money_decimal(amount) for amount in (result.cash, closes[-1], measured.fees)),
        *(measured.total_return, measured.cagr, measured.volatility, measured.sharpe, measured.sortino),
        *(measured.max_drawdown, measured.calmar, measured.turnover, measured.exposure),
        *(measured.trades, measured.orders, state, result.digest()),
    ]
    connection.execute("BEGIN")
    _append(connection, "backtests", [values])
    days = zip(result.sessions, closes, strict=True)
    _append(connection, "backtest_equity", [[row.id, day, money_decimal(close)] for day, close in days])
    _append(
        connection,
        "backtest_fills",
        [
            [
                *(row.id, one.fill.at, one.fill.intent_id, one.fill.symbol, one.fill.side.value),
                *(qty_decimal(one.fill.quantity), price_decimal(one.fill.price), money_decimal(one.fee)),
            ]
            for one in result.executions
        ],
    )
    connection.execute("COMMIT")


def _append(connection: DuckDBPyConnection, table: str, rows: list[list[object]]) -> None:
    if not rows:
        return
    appender = connection.appender(table)
    appender.append_rows(rows)
    appender.flush()
