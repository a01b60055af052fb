"""`marketday backtest`: what it prints, keeps and refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.duckdb_store.connection import open_database
from tests.cli.homes import marketday

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def written(path: Path, closes: Mapping[str, Sequence[float]], skipped: frozenset[int] = frozenset()) -> Path:
    """Write one-minute bars from the open on: each opens at the close before it."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["symbol", "ts", "open", "high", "low", "close", "volume"])
        for symbol, prices in closes.items():
            for i, close in enumerate(prices):
                if i not in skipped:
                    opened = prices[i - 1] if i else close
                    stamp = f"{OPEN + i * timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"
                    row = [symbol, stamp, opened, max(opened, close), min(opened, close), close, 10_000]
                    out.writerow(row)
    return path


def waves(count: int) -> list[float]:
    return [100 + (i % 40 if i % 80 < 40 else 40 - i % 40) / 10 for i in range(count)]


def told(*words: str) -> Any:
    done = marketday("backtest", *words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_same_backtest_again_is_the_same_bytes_and_one_row(tmp_path: Path) -> None:
    """One synthetic session; the tear sheet has both plots and every number is in the store."""
    words = ("--synthetic", "7", "--set", "data.timeframe=5m", "--out", str(tmp_path))

    first = told(*words)
    page = Path(first["report"]).read_bytes()
    second = told(*words)
    with open_database(Path(first["store"])) as connection:
        kept = connection.execute("SELECT id, sessions, digest FROM backtests").fetchall()
        equity = connection.execute("SELECT equity::DOUBLE FROM backtest_equity").fetchall()

    assert first == second
    assert page == Path(second["report"]).read_bytes()
    assert page.count(b"<svg") == 2
    assert kept == [(first["id"], 1, first["digest"])]
    assert [row[0] for row in equity] == [first["equity"][-1]["equity"]]


def test_prices_that_wave_are_bought_and_sold_again(tmp_path: Path) -> None:
    file = written(tmp_path / "bars.csv", {"SPY": waves(390)})
    strategy = (
        "strategies=[{type: momentum, name: M, params: {fast_period: 3, slow_period: 8}, allocation: 1.0}]"
    )

    found = told("--data", str(file), "--set", strategy, "--out", str(tmp_path))
    done = marketday("backtest", "--data", file, "--set", strategy, "--out", tmp_path)

    assert found["metrics"]["trades"] >= 4
    assert found["metrics"]["trades"] == len(found["trades"])
    assert "Sharpe" in done.stdout
    assert "known already" in done.stdout


def test_gaps_are_told_with_their_numbers(tmp_path: Path) -> None:
    file = written(tmp_path / "bars.csv", {"SPY": waves(390)}, skipped=frozenset(range(100, 107)))

    found = told("--data", str(file), "--out", str(tmp_path))

    assert found["notes"] == ["SPY: 7 bars of 390 missing, at most 7 in a row"]


@pytest.mark.parametrize(
    ("closes", "words", "sentence"),
    [
        ({"SPY": waves(20)}, (), "SPY has 20 bars, the strategies look back 29"),
        ({"SPY": [100.0] * 390}, (), "its price never moves: 100.00 in all 390 bars"),
        ({"SPY": waves(390)}, ("--set", "data.symbols=[SPY, QQQ]"), "the data has SPY"),
        ({"SPY": waves(390)}, ("--from", "2026-11-23"), "the data covers 2026-11-20 to 2026-11-20"),
        ({"SPY": waves(390)}, ("--from", "soon"), "give a date as in 2026-11-20"),
        ({"SPY": waves(390)}, ("--synthetic", "7"), "not both"),
        ({"SPY": [*waves(20), -1.0]}, (), "is not above zero"),
    ],
    ids=["too little", "constant", "missing symbol", "no session", "no date", "two sources", "impossible"],
)
def test_data_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, closes: dict[str, list[float]], words: tuple[str, ...], sentence: str
) -> None:
    file = written(tmp_path / "bars.csv", closes)

    done = marketday("backtest", "--data", file, "--out", tmp_path, *words)

    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())
