"""P9: a tick's bars written and read back at once, beside one by one."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.bars import FIRST, MINUTE, bars_at, names
from benchmarks.rehearsals import rehearsal
from benchmarks.results import Row, Scale, at_least, at_most, note
from benchmarks.timing import in_turn
from pipeline.adapters.duckdb_store import store as store_module
from pipeline.adapters.duckdb_store.bars import insert_bars, select_bars
from pipeline.adapters.duckdb_store.connection import open_database
from pipeline.domain.market import Bar, Timeframe
from pipeline.domain.money import price_decimal
from pipeline.wiring.desks import open_store

TITLE = "store (P9): 500 symbols at once beside one by one"
_ONE_MINUTE = Timeframe.ONE_MINUTE
_WINDOW = 100
_INSERT = "INSERT INTO by_row VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def measure(scale: Scale) -> list[Row]:
    """Write ticks of 500 symbols and read the last 100 bars of each."""
    symbols = names(scale.pick(100, 500))
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as folder:
        home = Path(folder)
        with open_database(home / "held.duckdb") as connection:
            rows = [*_writes(scale, connection, symbols), *_reads(scale, connection, symbols)]
        store, ticks = open_store(home), iter(range(1_000))
        whole = in_turn(
            {"ours": lambda: store.record_bars(bars_at(FIRST + next(ticks) * MINUTE, symbols), _ONE_MINUTE)}, 7
        )
    rows.append(note("the same write with lock, open and close", _ms(whole["ours"]), "ms"))
    return [*rows, *_opens(scale)]


def _writes(scale: Scale, connection: duckdb.DuckDBPyConnection, symbols: Sequence[str]) -> list[Row]:
    connection.execute("CREATE TABLE by_row AS SELECT * FROM bars LIMIT 0")
    ticks = [bars_at(FIRST + number * MINUTE, symbols) for number in range(_WINDOW)]
    for tick in ticks:
        _at_once(connection, tick)
    following = iter([bars_at(FIRST + (_WINDOW + n) * MINUTE, symbols) for n in range(20)])
    again = iter([bars_at(FIRST + (_WINDOW + n) * MINUTE, symbols) for n in range(20)])
    found = in_turn(
        {
            "ours": lambda: _at_once(connection, next(following)),
            "theirs": lambda: _one_by_one(connection, next(again)),
        },
        scale.pick(3, 7),
    )
    ours, theirs = _ms(found["ours"]), _ms(found["theirs"])
    kept = connection.execute("SELECT count(*) FROM by_row ANTI JOIN bars USING (symbol, start)").fetchall()
    what = f"write a tick of {len(symbols)} symbols, connection held"
    return [
        scale.versus(what, ours, theirs, "ms", ("executemany in one transaction", at_least(50))),
        Scale.exact("  rows that only executemany wrote", int(kept[0][0]), "rows"),
    ]


def _at_once(connection: duckdb.DuckDBPyConnection, bars: Sequence[Bar]) -> None:
    insert_bars(connection, bars, _ONE_MINUTE)
    connection.execute("DROP TABLE incoming")


def _one_by_one(connection: duckdb.DuckDBPyConnection, bars: Sequence[Bar]) -> None:
    connection.execute("BEGIN")
    connection.executemany(
        _INSERT,
        [
            (
                b.symbol,
                _ONE_MINUTE.value,
                b.start,
                *map(price_decimal, (b.open, b.high, b.low, b.close)),
                b.volume,
            )
            for b in bars
        ],
    )
    connection.execute("COMMIT")


def _reads(scale: Scale, connection: duckdb.DuckDBPyConnection, symbols: Sequence[str]) -> list[Row]:
    end = FIRST + _WINDOW * MINUTE

    def at_once() -> dict[str, Sequence[Bar]]:
        return dict(select_bars(connection, symbols, _ONE_MINUTE, FIRST, end))

    def by_symbol() -> dict[str, Sequence[Bar]]:
        found: dict[str, Sequence[Bar]] = {}
        for symbol in symbols:
            found |= select_bars(connection, [symbol], _ONE_MINUTE, FIRST, end)
        return found

    same = at_once() == by_symbol()
    found = in_turn({"ours": at_once, "theirs": by_symbol}, scale.pick(2, 5))
    what = f"last {_WINDOW} bars of {len(symbols)} symbols, as values"
    claim = ("one query a symbol", at_least(50))
    return [
        scale.versus(what, _ms(found["ours"]), _ms(found["theirs"]), "ms", claim),
        Scale.exact("  answers that differ", 0 if same else 1, "answers"),
    ]


def _opens(scale: Scale) -> list[Row]:
    """Count how often the tick opens the database: it must not be more than once."""
    opened: list[int] = []
    real = store_module.open_database

    def counting(*arguments: object, **options: object) -> object:
        opened.append(1)
        return real(*arguments, **options)  # type: ignore[arg-type]

    async def ticks() -> int:
        from flows.intraday_tick import body
        from tasks.calling import directly

        most = 0
        instants = await running.begin()
        for instant in instants[: scale.pick(3, 40)]:
            await running.pacer.wait_until(instant)
            opened.clear()
            await body(directly, str(running.config), instant, "benchmark")
            most = max(most, len(opened))
        return most

    with rehearsal(2) as running:
        store_module.open_database = counting  # type: ignore[assignment]
        most = asyncio.run(ticks())
        store_module.open_database = real
    return [scale.absolute("most opens of the database in one tick", most, "opens", at_most(1))]


def _ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000
