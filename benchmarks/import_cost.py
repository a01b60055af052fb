"""P10: importing the tick's flow module beside importing Prefect, in fresh processes by turns."""

from __future__ import annotations

import subprocess

from benchmarks.results import Row, Scale, at_most, note
from benchmarks.timing import ROOT, best_cpu, best_wall, compile_ours, fresh_in_turn, python

TITLE = "import cost (P10): the tick's flow module beside Prefect alone, fresh processes"
PREFECT = "from prefect import flow, task"
OURS = "import flows.intraday_tick"
FORBIDDEN = ("numba", "great_expectations", "exchange_calendars", "pandas", "alpaca", "duckdb", "slack_sdk")


def measure(scale: Scale) -> list[Row]:
    """Measure processor time: wall time on a busy machine says little about an import."""
    compile_ours()
    found = fresh_in_turn({"prefect": python(PREFECT), "ours": python(OURS)}, scale.pick(1, 5))
    ours, prefect = found["ours"], found["prefect"]
    modules = imported()
    heavy = [name for name in FORBIDDEN if name in modules]
    added = [name for name in modules if "." not in name]
    return [
        scale.versus(OURS, best_cpu(ours), best_cpu(prefect), "ms CPU", (PREFECT, at_most(1.2))),
        note("  wall", best_wall(ours), "ms", best_wall(prefect), PREFECT),
        Scale.exact(f"forbidden modules imported {' '.join(heavy)}".strip(), len(heavy), "modules"),
        note(
            f"  other top-level modules beyond Prefect's: {', '.join(added) or 'none'}", len(added), "modules"
        ),
    ]


def imported() -> list[str]:
    """Return what the flow module imports beyond Prefect's modules, our own and the standard library."""
    script = (
        f"import sys\n{PREFECT}\nbefore = set(sys.modules)\n{OURS}\n"
        "own = {'flows', 'tasks', 'pipeline'}\n"
        "names = sorted(n for n in set(sys.modules) - before if n.partition('.')[0] not in own)\n"
        "print('\\n'.join(n for n in names if n.partition('.')[0] not in sys.stdlib_module_names))"
    )
    return subprocess.check_output(python(script), cwd=ROOT, text=True).split()
