"""``make faults``: provoke every fault of the table, sweep every crash, and show what came of it.

``python -m tests.faults [--table]``: with ``--table`` only the table, without running anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from tests.faults.catalogue.model import Proof
from tests.faults.catalogue.table import whole
from tests.faults.reporting import FOLDER, FULL

ROOT = Path(__file__).resolve().parents[2]
WHOLE = ("tests/faults/test_sweep.py", "tests/faults/test_machine.py", "tests/faults/test_table.py")
EXAMPLES = "300"
SCREEN = Console(width=int(os.environ.get("COLUMNS", "118")), highlight=False)


def main(arguments: Sequence[str]) -> int:
    """Run everything and print it; 1 when anything is not as it should be."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--table", action="store_true", help="show the table, run nothing")
    asked = parser.parse_args(arguments)
    rows = whole()
    if asked.table:
        show_table(rows, None)
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, codes = _run(rows, Path(folder))
        fine = show_table(rows, outcomes)
        fine = show_sweep(_found(Path(folder), "sweep")) and fine
        show_machine(_found(Path(folder), "machine"))
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    SCREEN.print(f"in {minutes} min {seconds} s on {os.cpu_count()} processors", style="dim")
    return 0 if fine and not any(codes) else 1


def _run(rows: Mapping[str, Proof], folder: Path) -> tuple[dict[str, str], list[int]]:
    """Run the sweep and the machine, then every test that is named; return outcomes by test, exit codes."""
    tests = {test for proof in rows.values() for test in proof.tests if not test.startswith(WHOLE)}
    named = sorted(tests, key=_position)  # as they stand in their files: some share a day that goes on
    asked = {FULL: "full", FOLDER: str(folder), "MARKETDAY_FAULTS_EXAMPLES": EXAMPLES}
    stages: tuple[tuple[str, list[str], dict[str, str]], ...] = (
        ("the crash sweep and the machine", ["-n", "2", "--dist", "load", *WHOLE], asked),
        ("what the table names", ["-n", "2", "--dist", "loadfile", "-m", "not slow", *named], {}),
        ("and what needs a server, one by one", ["-m", "slow", *named], {}),
    )
    outcomes: dict[str, str] = {}
    codes = []
    for number, (title, words, extra) in enumerate(stages):
        SCREEN.print(f"— {title}", style="bold")
        told = folder / f"{number}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={told}", *words]
        ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **extra}, check=False)
        codes.append(0 if ended.returncode == _NOTHING_TO_RUN else ended.returncode)
        if told.exists():
            outcomes |= _outcomes(told)
    return outcomes, codes


_NOTHING_TO_RUN = 5


def _position(test: str) -> tuple[str, int]:
    """Return where a test stands: its file, and the line of its function."""
    path, _, name = test.partition("::")
    text = (ROOT / path).read_text("utf-8")
    return path, text.find(f"def {name.rpartition('::')[2]}(")


def _outcomes(told: Path) -> dict[str, str]:
    """Return passed, failed or skipped by test, its parameters taken together."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in ElementTree.parse(told).iter("testcase"):
        module, name = str(case.get("classname")), str(case.get("name")).partition("[")[0]
        tags = {child.tag for child in case}
        word = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        found[f"{module.replace('.', '/')}.py::{name}"].add(word)
    return {
        test: "failed" if "failed" in words else "passed" if "passed" in words else "skipped"
        for test, words in found.items()
    }


def show_table(rows: Mapping[str, Proof], outcomes: Mapping[str, str] | None) -> bool:
    """Print every fault with its mark; return whether each is shown or may wait."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "fault", "", "tests"):
        table.add_column(heading)
    marks: Counter[str] = Counter()
    for name, proof in rows.items():
        mark, shown = _mark(proof, outcomes)
        marks[mark] += 1
        table.add_row(name, proof.title, _COLOURED[mark], shown)
    SCREEN.print(table)
    counts = ", ".join(f"{marks[mark]} {words}" for mark, words in _WORDS.items() if marks[mark])
    SCREEN.print(f"{len(rows)} faults and threats: {counts}\n", style="bold")
    return not marks["✗"]


_WORDS = {"✓": "shown ✓", "✗": "not shown ✗", "later": "come with parts not built yet", "·": "not run"}
_COLOURED = {"✓": "[green]✓[/green]", "✗": "[red]✗[/red]", "later": "[yellow]later[/yellow]", "·": "·"}


def _mark(proof: Proof, outcomes: Mapping[str, str] | None) -> tuple[str, str]:
    where = ", ".join(sorted({test.partition("::")[0].removeprefix("tests/") for test in proof.tests}))
    awaited = f"with: {proof.awaits}" if proof.awaits else ""
    shown = "; ".join(
        part for part in (f"{len(proof.tests)} in {where}" if proof.tests else "", awaited) if part
    )
    if not proof.tests:
        return "later", shown
    if outcomes is None:
        return "·", shown
    wrong = [test for test in proof.tests if outcomes.get(test) != "passed"]
    if wrong:
        return "✗", f"{outcomes.get(wrong[0], 'did not run')}: {wrong[0].rpartition('::')[2]}"
    return "✓", shown


def _found(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}*.json"))]


def show_sweep(parts: Sequence[Mapping[str, Any]]) -> bool:
    """Print the sweep's counts; return whether there are some, and no violation."""
    seen: Counter[str] = Counter()
    for part in parts:
        seen.update(part["seen"])
    scenarios, crashes = (sum(part[key] for part in parts) for key in ("scenarios", "crashes"))
    violations = [violation for part in parts for violation in part["violations"]]
    SCREEN.print(
        f"crash sweep: {scenarios} scenarios, {crashes} crashes, {len(violations)} violations", style="bold"
    )
    places = sorted(name.removeprefix("died ") for name in seen if name.startswith("died "))
    SCREEN.print(f"  died at {len(places)} places: {', '.join(places)}", style="dim")
    ends = ", ".join(
        f"{seen[key]} {key.removeprefix('ended ')}" for key in sorted(seen) if key.startswith("ended ")
    )
    SCREEN.print(
        f"  {seen['orders']} orders at the broker, {seen['unknown']} answers unheard, "
        f"{seen['sent again']} sent again under the same id; {ends}\n",
        style="dim",
    )
    for violation in violations[:20]:
        SCREEN.print(f"  ✗ {violation}", style="red", markup=False)
        SCREEN.print(f"    python -m tests.faults.sweep '{violation.partition(':')[0]}'", style="dim")
    return bool(scenarios) and not violations


def show_machine(parts: Sequence[Mapping[str, int]]) -> None:
    """Print what came about in the machine's run."""
    counts = parts[0] if parts else {}
    SCREEN.print(
        f"state machine: {counts.get('examples', 0)} days in which anything may happen", style="bold"
    )
    told = [f"{count} {name}" for name, count in sorted(counts.items()) if name != "examples"]
    SCREEN.print(f"  {', '.join(told)}", style="dim")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
