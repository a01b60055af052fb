"""Run benchmarks, print what they found, and fail when a target is missed.

``python -m benchmarks [--quick] [NAME…]``. Each runs in a process of its own: imports, caches and
Prefect's settings of one must not colour the next.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

from benchmarks.results import Row, Scale, Target, show
from benchmarks.timing import ROOT

NAMES = (
    "import_cost",
    "bytecode",
    "calendar_table",
    "journal",
    "store_writes",
    "store_safety",
    "status_halt",
    "tick_overhead",
    "first_decision",
    "naive_retry",
    "recovery",
)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="see that they work, in a minute")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the numbers as JSON")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    names = asked.names or NAMES
    scale = Scale(asked.quick)
    found = {names[0]: _here(names[0], scale)} if len(names) == 1 else _apart(names, scale)
    if asked.save:
        asked.save.write_text(json.dumps({k: [dataclasses.asdict(r) for r in v] for k, v in found.items()}))
    missed = [
        f"{name}: {row.what.strip()}" for name, rows in found.items() for row in rows if row.met is False
    ]
    for one in missed:
        print(f"missed: {one}", file=sys.stderr)
    return 1 if missed else 0


def _here(name: str, scale: Scale) -> list[Row]:
    module = import_module(f"benchmarks.{name}")
    rows: list[Row] = module.measure(scale)
    show(module.TITLE, rows, Console(width=130))
    return rows


def _apart(names: Sequence[str], scale: Scale) -> dict[str, list[Row]]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            saved = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", "benchmarks", name, "--save", str(saved)]
            ended = subprocess.run(
                command + ["--quick"] * scale.quick, cwd=ROOT, check=False, stderr=subprocess.PIPE
            )
            if not saved.exists():
                sys.stderr.write(ended.stderr.decode(errors="replace"))
                found[name] = [Row(f"did not finish: exit code {ended.returncode}", 0, "", met=False)]
            else:
                found[name] = [_row(raw) for raw in json.loads(saved.read_text())[name]]
    return found


def _row(raw: dict[str, object]) -> Row:
    target = raw.pop("target")
    return Row(**raw, target=Target(**target) if target else None)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
