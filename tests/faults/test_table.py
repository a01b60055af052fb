"""The table of faults is whole: every fault, every threat, each with tests that exist."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.catalogue.model import Proof
from tests.faults.catalogue.table import AREAS, PARTS, THREATS, load

ROOT = Path(__file__).resolve().parents[2]
MAY_WAIT = {"F26", *(f"F{n}" for n in (*range(53, 61), *range(98, 102))), "T6", "T7", "T8"}


def rows() -> list[tuple[str, Proof]]:
    """Return every row of every area that is there."""
    found = [(area, load(area)) for area in (*AREAS, THREATS)]
    return [
        (f"{'T' if area == THREATS else 'F'}{n}", proof) for area, one in found for n, proof in one.items()
    ]


@pytest.mark.parametrize("area", AREAS)
def test_an_area_names_each_of_its_faults_once(area: str) -> None:
    """A number that is missing, or stands in another area's file, is a fault nobody looks after."""
    assert sorted(load(area)) == sorted(AREAS[area])


def test_every_fault_and_every_threat_has_one_row() -> None:
    """F1…F118, T1…T18."""
    names = [name for name, _ in rows()]
    wanted = [f"F{n}" for n in range(1, 119)] + [f"T{n}" for n in range(1, 19)]

    assert sorted(names) == sorted(wanted)


def test_only_what_comes_with_an_unbuilt_part_may_wait() -> None:
    """Each names the part that it waits for. Half a fault may wait: its other half names its tests."""
    waiting = {name: proof.awaits for name, proof in rows() if proof.awaits}

    assert sorted(set(waiting) - MAY_WAIT) == []
    assert [name for name, why in waiting.items() if not any(part in why for part in PARTS)] == []


def test_every_test_that_the_table_names_exists() -> None:
    """As a function of that name in that file: what pytest would collect."""
    named = {test for _, proof in rows() for test in proof.tests}

    assert [test for test in sorted(named) if not _exists(test)] == []


def _exists(test: str) -> bool:
    path, *names = test.split("::")
    return bool(names) and not names[-1].endswith("]") and names[-1] in _tests_of(path)


@cache
def _tests_of(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.exists():
        return frozenset()
    tree = ast.walk(ast.parse(file.read_text("utf-8")))
    functions = (node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in functions if name.startswith("test"))
