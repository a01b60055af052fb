"""``make mutants``: plant safety bugs in a copy of the product, one at a time, and see them caught.

``python -m tests.faults.mutants [NAME…]``. Each bug is an exact replacement of source: when the source has
moved on, that is an error here, not a bug that is no longer planted. The tests that are to catch the bugs
must pass without one first, or their failing would say nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.desk import fast_folder
from tests.faults.planted import MUTANTS, Mutant
from tests.faults.reporting import FIRST_ONLY, FULL

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "flows", "tasks", "tests", "deployments", "pyproject.toml", "prefect.yaml", "bootstrap.py")
PATIENCE_SECONDS = 300
SCREEN = Console(width=int(os.environ.get("COLUMNS", "118")), highlight=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one bug: the test that caught it, "" when none did; why it could not be planted."""

    mutant: Mutant
    caught_by: str
    seconds: float
    error: str = ""


def main(arguments: Sequence[str]) -> int:
    """Plant what was asked for; 1 when one survives, 2 when one could not be planted."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    known = {mutant.name: mutant for mutant in MUTANTS}
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - set(known))
    if unknown:
        parser.error(f"no bug is called {', '.join(unknown)}; there are: {', '.join(known)}")
    wanted = [known[name] for name in asked.names] or list(MUTANTS)
    stale = [problem for mutant in wanted for problem in misplaced(mutant, ROOT)]
    if stale:
        SCREEN.print("\n".join(stale), style="red", markup=False)
        return 2
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=2) as workers:
        unharmed = workers.submit(_pass_unharmed, wanted)
        results = list(workers.map(_plant, wanted))
        complaint = unharmed.result()
    show(results)
    SCREEN.print(f"in {time.monotonic() - began:.0f} s", style="dim")
    if complaint:
        SCREEN.print(f"without any bug, a test fails already: {complaint}", style="red", markup=False)
        return 1
    return 0 if all(result.caught_by for result in results) else 1


def misplaced(mutant: Mutant, root: Path) -> Iterator[str]:
    """Yield what of a bug's replacement the source does not hold exactly once."""
    for change in mutant.changes:
        found = (root / change.path).read_text("utf-8").count(change.old)
        if found != 1:
            yield f"{mutant.name}: {change.path} holds {found} times what is to be replaced: {change.old!r}"


def _plant(mutant: Mutant) -> Result:
    began = time.monotonic()
    with copied() as tree:
        for change in mutant.changes:
            file = tree / change.path
            file.write_text(file.read_text("utf-8").replace(change.old, change.new), "utf-8")
        caught = _first_failure(tree, mutant.tests)
    return Result(mutant, caught, time.monotonic() - began)


def _pass_unharmed(mutants: Sequence[Mutant]) -> str:
    """Run every chosen test once on an unharmed copy; return the one that fails, "" when none does."""
    with copied() as tree:
        return _first_failure(tree, sorted({test for mutant in mutants for test in mutant.tests}))


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a copy of the product and its tests, in memory where the system has some."""
    with fast_folder() as folder:
        ignored = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.egg-info")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        (folder / "data").mkdir()
        yield folder


def _first_failure(tree: Path, tests: Sequence[str]) -> str:
    """Return the first test that fails in a tree, "" when none does within the time there is."""
    paths = os.pathsep.join([str(tree / "src"), str(tree)])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", FIRST_ONLY: "1"}
    environment.pop(FULL, None)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    try:
        ended = subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""  # a busy machine is no proof: it counts as not caught
    if ended.returncode == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ended.stdout, re.MULTILINE)
    return failed.group(1) if failed else f"pytest itself: {ended.stdout[-400:]}{ended.stderr[-400:]}"


def show(results: Sequence[Result]) -> None:
    """Print which test caught which bug."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("bug", "", "caught by", "s"):
        table.add_column(heading)
    for result in results:
        mark = "[green]✓[/green]" if result.caught_by else "[red]✗[/red]"
        caught = result.caught_by.removeprefix("tests/") or "survived"
        table.add_row(result.mutant.name, mark, caught, f"{result.seconds:.0f}")
    SCREEN.print(table)
    caught_count = sum(bool(result.caught_by) for result in results)
    SCREEN.print(f"{caught_count} caught / {len(results)} planted", style="bold")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
