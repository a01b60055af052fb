"""Every place where a process can die × every answer of a broker × a second death: at most one order each."""

from __future__ import annotations

import os

import pytest

from pipeline.failpoints import PLACES
from tests.faults.reporting import FIRST_ONLY, is_full, keep
from tests.faults.sweep import scenarios, sweep

SHARDS = 6 if is_full() else 1
SECOND_DEATHS = 3
QUICK_STRIDE = 19


@pytest.mark.timeout(400)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_pair_of_crashes_and_no_answer_breaks_a_promise(shard: int) -> None:
    """The quick run takes every 19th scenario, which still dies at every place."""
    wanted = scenarios(SECOND_DEATHS)
    enough = 1 if os.environ.get(FIRST_ONLY) else 25
    found = sweep(wanted[shard::SHARDS] if is_full() else wanted[::QUICK_STRIDE], enough)
    keep(f"sweep-{shard}", found.counts())

    assert found.violations == []
    assert [place for place in PLACES if not found.seen[f"passed {place}"]] == []
    assert found.crashes > found.scenarios / 2
    assert found.seen["sent again"] > 0
