"""P9: a tick's bars written and read back at once, beside one by one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.bars import FIRST, MINUTE, bars_at, names
from benchmarks.rehearsals import rehearsal
from benchmarks.results import Row, Scale, at_least, at_most, note
from benchmarks.timing import in_turn
from pipeline.adapters.duckdb_store.bars import insert_bars, select_bars, select_columns
from pipeline.adapters.duckdb_store.connection import open_database
from pipeline.domain.market import Bar, Timeframe
from pipeline.domain.money import price_decimal
from pipeline.operations.projecting import wait_projected
from pipeline.wiring.desks import open_store

TITLE = "store (P9): 500 symbols at once beside one by one"
_ONE_MINUTE = Timeframe.ONE_MINUTE
_WINDOW = 100
_INSERT = "INSERT INTO by_row VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
# What our write promises, too: a bar that is kept stays as it is.
_KEEP = """
INSERT INTO kept_by_row SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE NOT EXISTS (SELECT 1 FROM kept_by_row WHERE timeframe = $2 AND start = $3 AND symbol = $1)
"""


def measure(scale: Scale) -> list[Row]:
    """Write ticks of 500 symbols and read the last 100 bars of each."""
    symbols = names(500)
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as folder:
        home = Path(folder)
        with open_database(home / "held.duckdb") as connection:
            rows = [*_writes(scale, connection, symbols), *_reads(scale, connection, symbols)]
        store, ticks = open_store(home), iter(range(1_000))
        whole = in_turn(
            {"ours": lambda: store.record_bars(bars_at(FIRST + next(ticks) * MINUTE, symbols), _ONE_MINUTE)},
            7,
        )
    rows.append(note("the same write with lock, open and close", _ms(whole["ours"]), "ms"))
    return [*rows, *_opens(scale)]


def _writes(scale: Scale, connection: duckdb.DuckDBPyConnection, symbols: Sequence[str]) -> list[Row]:
    for table in ("by_row", "kept_by_row"):
        connection.execute(f"CREATE TABLE {table} AS SELECT * EXCLUDE (feed) FROM bars LIMIT 0")
    ticks = [bars_at(FIRST + number * MINUTE, symbols) for number in range(_WINDOW)]
    for tick in ticks:
        insert_bars(connection, tick, _ONE_MINUTE)
    rounds = scale.pick(3, 7)
    fresh = [bars_at(FIRST + (_WINDOW + number) * MINUTE, symbols) for number in range(rounds)]
    for_us, for_them, for_plain = iter(fresh), iter(fresh), iter(fresh)
    found = in_turn(
        {
            "ours": lambda: insert_bars(connection, next(for_us), _ONE_MINUTE),
            "theirs": lambda: _one_by_one(connection, _KEEP, next(for_them)),
            "plain": lambda: _one_by_one(connection, _INSERT, next(for_plain)),
        },
        rounds,
    )
    ours, theirs = _ms(found["ours"]), _ms(found["theirs"])
    kept = connection.execute(
        "SELECT count(*) FROM kept_by_row ANTI JOIN bars USING (symbol, start)"
    ).fetchall()
    what = f"write a tick of {len(symbols)} symbols, connection held"
    return [
        scale.versus(what, ours, theirs, "ms", ("executemany, as careful", at_least(50))),
        note(
            "  beside an executemany that writes bars twice", ours, "ms", _ms(found["plain"]), "executemany"
        ),
        Scale.exact("  rows that only executemany wrote", int(kept[0][0]), "rows"),
    ]


def _one_by_one(connection: duckdb.DuckDBPyConnection, statement: str, bars: Sequence[Bar]) -> None:
    connection.execute("BEGIN")
    connection.executemany(
        statement,
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

    def at_once() -> dict[str, list[object]]:
        return _listed([select_columns(connection, symbols, _ONE_MINUTE, FIRST, end)])

    def by_symbol() -> dict[str, list[object]]:
        return _listed(
            [select_columns(connection, [one], _ONE_MINUTE, FIRST, end) for one in sorted(symbols)]
        )

    same = at_once() == by_symbol()
    found = in_turn(
        {
            "ours": lambda: select_columns(connection, symbols, _ONE_MINUTE, FIRST, end),
            "theirs": lambda: [select_columns(connection, [s], _ONE_MINUTE, FIRST, end) for s in symbols],
            "values": lambda: select_bars(connection, symbols, _ONE_MINUTE, FIRST, end),
        },
        scale.pick(2, 5),
    )
    what = f"last {_WINDOW} bars of {len(symbols)} symbols, as arrays"
    claim = ("one query a symbol", at_least(50))
    return [
        scale.versus(what, _ms(found["ours"]), _ms(found["theirs"]), "ms", claim),
        note(f"  the same as {_WINDOW * len(symbols):,} checked values", _ms(found["values"]), "ms"),
        Scale.exact("  answers that differ", 0 if same else 1, "answers"),
    ]


def _listed(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[object]]:
    return {name: [value for part in parts for value in part[name].tolist()] for name in parts[0]}


def _opens(scale: Scale) -> list[Row]:
    """Count how often the tick opens the database: it must not be more than once."""
    opened: list[int] = []
    module: Any = import_module("pipeline.adapters.duckdb_store.store")
    real = module.open_database

    def counting(*arguments: Any, **options: Any) -> Any:
        opened.append(1)
        return real(*arguments, **options)

    async def ticks() -> int:
        from flows.intraday_tick import body
        from tasks.calling import directly

        most = 0
        instants = await running.begin()
        for instant in instants[: scale.pick(3, 40)]:
            await running.pacer.wait_until(instant)
            opened.clear()
            await body(directly, str(running.config), instant, "benchmark")
            wait_projected(running.desk)
            most = max(most, len(opened))
        return most

    with rehearsal(2) as running:
        module.open_database = counting
        most = asyncio.run(ticks())
        module.open_database = real
    return [scale.absolute("most opens of the database in one tick", most, "opens", at_most(1))]


def _ms(seconds: Sequence[float]) -> float:
    """Return the best round, milliseconds: what it takes when nobody disturbs it."""
    return min(seconds) * 1000
