"""`marketday strategy …` as people type it; some of these start a second process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.wiring.strategy_bars import recorded_bars, synthetic_bars
from tests.cli.homes import marketday, printed_json
from tests.cli.test_command import RUN
from tests.unit.strategies.offering import Shelf
from tests.unit.strategies.test_causality import a_walk


def recorded(folder: Path, length: int) -> Path:
    """Write a walk of one-minute bars as CSV."""
    file = folder / "bars.csv"
    rows = [
        f"{bar.symbol},{bar.start:%Y-%m-%d %H:%M:%S},{bar.close / 10_000},{bar.close / 10_000},"
        f"{bar.close / 10_000},{bar.close / 10_000},{bar.volume}"
        for bar in a_walk(length)
    ]
    file.write_text("\n".join(["symbol,ts,open,high,low,close,volume", *rows, ""]), "utf-8")
    return file


def test_the_list_shows_ours_and_plug_ins_and_says_what_is_wrong_with_them(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "KIND", "momentum": "KIND", "broken": "NOTHING", "high-low": "KIND"})

    listed = {(one["name"], one["origin"]): one for one in printed_json("strategy", "list")}
    shown = marketday("strategy", "list", columns=200)

    assert [parameter["name"] for parameter in listed["momentum", "built in"]["parameters"]] == [
        "fast_period",
        "slow_period",
        "signal_threshold",
    ]
    assert listed["breakout", "acme 1.2"]["parameters"] == [
        {"name": "channel", "meaning": "bars", "example": 20, "default": None, "values": "2 to 10,000 bars"}
    ]
    assert listed["momentum", "acme 1.2"]["problem"].startswith("NEVER USED")
    assert "letters, digits" in listed["high-low", "acme 1.2"]["problem"]
    assert "`pip uninstall acme`" in listed["broken", "acme 1.2"]["problem"]
    assert shown.exit_code == 0
    assert "3 strategies of ours, 4 plug-ins" in shown.stdout


def test_the_list_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, "strategy", "list"], capture_output=True, text=True, check=True
    )

    assert done.stderr.split() == ["[]", "0"]


@pytest.mark.parametrize("name", ["mean_reversion", "momentum", "moving_average"])
def test_ours_pass_on_synthetic_bars_and_trade_there(name: str) -> None:
    found = printed_json("strategy", "check", name, "--rows", "1000")

    assert [one["name"] for one in found["report"]["checks"] if not one["passed"]] == []
    assert found["report"]["buys"] > 0 < found["report"]["sells"]
    assert (found["symbol"], found["bars"]) == ("SYN", 1_000)


def test_parameters_and_a_file_can_be_given(tmp_path: Path) -> None:
    """300 bars, of which the newest 100 are asked about: with 8 + 1 bars of look-back, 92 decisions."""
    words = ("--params", "short_window=3,long_window=8", "--data", recorded(tmp_path, 300), "--rows", "100")

    found = printed_json("strategy", "check", "moving_average", *words)

    assert found["strategy"]["params"] == {"short_window": 3, "long_window": 8, "use_ml": False}
    assert (found["symbol"], found["bars"]) == ("SPY", 100)
    assert (found["report"]["lookback"], found["report"]["decisions"]) == (9, 92)


def test_the_newest_bars_of_a_file_are_asked_about_over_several_days(tmp_path: Path) -> None:
    file, walk = recorded(tmp_path, 3_000), a_walk(3_000)

    assert recorded_bars(file, None, 2_000, "UTC") == tuple(walk[-2_000:])
    assert len(recorded_bars(file, "SPY", 5_000, "UTC")) == 3_000


def test_synthetic_bars_are_the_same_for_the_same_seed_and_longer_ones_begin_alike() -> None:
    assert synthetic_bars(900, 7)[:500] == synthetic_bars(500, 7)
    assert synthetic_bars(500, 8) != synthetic_bars(500, 7)


def test_a_strategy_that_remembers_the_future_exits_1_and_shows_the_row(shelf: Shelf) -> None:
    shelf.put("acme", {"peeking": "peeking"})

    result = marketday("strategy", "check", "peeking", "--rows", "500", columns=200)

    assert result.exit_code == 1
    assert "causality     FAILED" in result.stdout
    assert "causality: row 3, the bar of 2026-01-05 14:33Z: leave SYN at" in result.stdout
    assert "but asked again: buy SYN at" in result.stdout


def test_an_answer_that_depends_on_the_order_of_sets_is_found_by_a_second_process(shelf: Shelf) -> None:
    """Python gives text another hash in every process."""
    shelf.put("acme", {"hashing": "hashing"})

    result = marketday("strategy", "check", "hashing", "--rows", "50", columns=200)

    assert result.exit_code == 1
    assert "determinism   FAILED" in result.stdout
    assert "a second process gives other answers" in result.stdout
    assert "It never wanted to buy here" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("momentun",), "did you mean 'momentum'?"),
        (("momentum", "--params", "fast_period"), "write it as fast_period=12"),
        (("momentum", "--params", "fast_period=[1]"), "one number, true, false or text"),
        (("momentum", "--params", "fast_period=28"), "fast_period = 28: must be shorter than slow_period"),
        (("moving_average", "--params", "use_ml=true"), "use_ml = True: no trained model"),
        (("momentum", "--data", "/no/such.parquet"), "--data"),
    ],
)
def test_what_cannot_be_checked_as_written_exits_2_with_the_remedy(words: tuple[str, ...], said: str) -> None:
    result = marketday("strategy", "check", *words, columns=200)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_file_that_is_too_short_or_lacks_the_symbol_exits_2(tmp_path: Path) -> None:
    file = recorded(tmp_path, 20)

    short = marketday("strategy", "check", "momentum", "--data", file)
    other = marketday("strategy", "check", "momentum", "--data", file, "--symbol", "QQQ")

    assert (short.exit_code, other.exit_code) == (2, 2)
    assert "20 bars are too few: momentum looks back 29 bars" in " ".join(short.stderr.split())
    assert "has no QQQ; --symbol can be SPY" in " ".join(other.stderr.split())
