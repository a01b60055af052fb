"""The benchmarks run. What they measure is judged by ``make bench``, on a machine that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results import Scale, at_least, at_most

ROOT = Path(__file__).parents[2]
_JUDGED = ("store_safety", "store_writes", "calendar_table", "journal", "naive_retry", "recovery")
_COUNTS = ("commits", "rows", "minutes", "opens", "scenarios", "violations", "intents", "orders")


def test_a_ratio_is_ours_to_theirs_when_it_should_be_small_and_the_other_way_when_large() -> None:
    """30 beside 20: 1.5 times as slow, two thirds as fast; a quick run allows three times as much."""
    careful, quick = Scale(quick=False), Scale(quick=True)

    slower = careful.versus("x", 30, 20, "ms", ("theirs", at_most(1.2)))
    assert (slower.value, slower.met) == (1.5, False)
    assert quick.versus("x", 30, 20, "ms", ("theirs", at_most(1.2))).met
    faster = careful.versus("x", 2, 100, "ms", ("theirs", at_least(50)))
    assert (faster.value, faster.met) == (50, True)
    assert not quick.exact("lost", 1, "rows").met


@pytest.mark.slow
@pytest.mark.parametrize("name", [*_JUDGED])
def test_a_quick_benchmark_measures_what_it_is_about(name: str, tmp_path: Path) -> None:
    """Only counts are judged: times on a shared machine are not."""
    saved = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", name, "--save", str(saved)]
    subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    rows = json.loads(saved.read_text())[name]

    assert any(row["target"] for row in rows)
    assert [row for row in rows if row["unit"] in _COUNTS and row["met"] is False] == []
