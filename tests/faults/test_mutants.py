"""The bugs that ``make mutants`` plants still fit the source: one that does not would be planted no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.mutants import misplaced
from tests.faults.planted import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_what_a_bug_replaces_stands_in_the_source_once(mutant: Mutant) -> None:
    assert list(misplaced(mutant, ROOT)) == []
    assert [test for test in mutant.tests if not (ROOT / test).exists()] == []
    assert all(change.old != change.new for change in mutant.changes)


def test_the_twelve_bugs_that_must_be_caught_are_among_them() -> None:
    names = {mutant.name for mutant in MUTANTS}

    assert names >= {
        *("random id", "404 means rejected", "422 duplicate means rejected", "timeout means rejected"),
        *("journal after send", "exposure from fills only", "halt unchecked", "no fencing"),
        *("drift ignored", "stale tick accepted", "empty positions mean flat", "retry on the order task"),
    }
    assert len(names) == len(MUTANTS)
