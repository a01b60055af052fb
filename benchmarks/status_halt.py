"""`marketday status` and `marketday halt`: fresh processes, on a desk with a session behind it."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.rehearsals import Rehearsal, rehearsal
from benchmarks.results import Row, Scale, at_most, note
from benchmarks.timing import ROOT, compile_ours, fresh_in_turn, python

TITLE = "status and halt: wall time of a fresh process"
_SLOW = ("prefect", "great_expectations", "alpaca", "ib_insync", "pandas", "numba", "exchange_calendars")


def measure(scale: Scale) -> list[Row]:
    """Trade a while, then ask and stop from other processes while the exchange still runs."""
    compile_ours()
    marketday = str(Path(sys.executable).with_name("marketday"))
    with rehearsal(2) as running:
        ticks = asyncio.run(_trade(running, scale.pick(10, 390)))
        home = str(running.desk.home)
        found = fresh_in_turn(
            {
                "status": [marketday, "status", "--home", home],
                "halt": [marketday, "halt", "--home", home, "--reason", "benchmark"],
                "python": python("pass"),
            },
            scale.pick(3, 10),
        )
        halted = running.desk.journal.read().state.state.latched
        heavy = _imported(home)
    rows = [
        scale.absolute(f"marketday {verb}, median", statistics.median(walls), "s", at_most(1))
        for verb in ("status", "halt")
        if (walls := [cost.wall for cost in found[verb]])
    ]
    rows += [
        note(f"  {verb}, slowest", max(cost.wall for cost in found[verb]), "s") for verb in ("status", "halt")
    ]
    return [
        *rows,
        note("  Python's own start", statistics.median(cost.wall for cost in found["python"]), "s"),
        note("  ticks in the journal", ticks, "ticks"),
        Scale.exact("  halts that did not halt", 0 if halted else 1, "halts"),
        Scale.exact(f"  slow modules that status imports {' '.join(heavy)}".rstrip(), len(heavy), "modules"),
    ]


async def _trade(running: Rehearsal, ticks: int) -> int:
    from flows.intraday_tick import body
    from tasks.calling import directly

    instants = (await running.begin())[:ticks]
    for instant in instants:
        await running.pacer.wait_until(instant)
        await body(directly, str(running.config), instant, "benchmark")
    return len(instants)


def _imported(home: str) -> list[str]:
    script = (
        "import sys\nfrom pipeline.cli.main import main\n"
        f"sys.argv = ['marketday', 'status', '--home', {home!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(python(script), cwd=ROOT, text=True, capture_output=True, check=True)
    return [name for name in _SLOW if name in ended.stderr.split()]
