"""The tick beside an empty flow with as many task runs, on the same Prefect server, by turns."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.rehearsals import Rehearsal, prefect_server, rehearsal
from benchmarks.results import Row, Scale, at_most, note
from pipeline.operations.projecting import wait_projected

if TYPE_CHECKING:
    from tasks.calling import Call  # imports Prefect, which must first hear where its server is

TITLE = "tick overhead: wall time of a tick beside an empty flow with the same task runs"
_Turn = tuple[list[float], Callable[[], Awaitable[Any]]]
_STEPS = ("recover_orders", "fetch_market", "keep_limits", "close_tick")
_BREAKDOWN_EVERY = 4
"""Every fourth tick runs without Prefect, to see what each of its steps costs by itself."""


def measure(scale: Scale) -> list[Row]:
    """Measure 2 and 500 symbols."""
    with prefect_server():
        return [
            *_symbols(scale, 2, scale.pick(12, 120), at_most(1.5)),
            *_symbols(scale, 500, scale.pick(6, 60), None),
        ]


def _symbols(scale: Scale, count: int, ticks: int, target: Any) -> list[Row]:
    with rehearsal(count) as running:
        ours, floor, steps = asyncio.run(_alternate(running, ticks))
    what, name = f"tick, {count} symbols, median", "empty flow, empty tasks"
    tick, empty = (statistics.median(each) * 1000 for each in (ours, floor))
    if target is None:
        rows = [note(what, tick, "ms", empty, name)]
    else:
        rows = [scale.versus(what, tick, empty, "ms", (name, target))]
    rows.append(note("  slowest", max(ours) * 1000, "ms", max(floor) * 1000, name))
    middle = {step: statistics.median(each) * 1000 for step, each in steps.items()}
    rows.append(note("  without Prefect, whole body", middle.pop("body"), "ms"))
    return rows + [note(f"    {step}", value, "ms") for step, value in middle.items()]


async def _alternate(
    running: Rehearsal, ticks: int
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    from flows.intraday_tick import body, intraday_tick

    instants = (await running.begin())[: ticks + ticks // _BREAKDOWN_EVERY + 2]
    config = str(running.config)
    ours: list[float] = []
    floor: list[float] = []
    steps: dict[str, list[float]] = defaultdict(list)
    empty = _empty_flow(0)

    async def tick(instant: datetime) -> None:
        _did_it(await intraday_tick(config, instant, "benchmark"))

    for number, instant in enumerate(instants):
        await running.pacer.wait_until(instant)
        if number == 0:  # opens connections, asks for instruments, and shows how many tasks there are
            once: dict[str, list[float]] = defaultdict(list)
            _did_it(await body(_timing(once), config, instant, "benchmark"))
            empty = _empty_flow(sum(map(len, once.values())))
        elif number == 1:
            await tick(instant)
            await empty()
        elif number % (_BREAKDOWN_EVERY + 1) == 0:
            began = time.perf_counter()
            _did_it(await body(_timing(steps), config, instant, "benchmark"))
            steps["body"].append(time.perf_counter() - began)
            began = time.perf_counter()
            wait_projected(running.desk)
            steps["(the store, in the background)"].append(time.perf_counter() - began)
        else:
            turns: list[_Turn] = [(ours, partial(tick, instant)), (floor, empty)]
            for seconds, call in turns if number % 2 else reversed(turns):
                seconds.append(await _timed(call))
                # The store follows in the background; it must not slow the other contestant.
                wait_projected(running.desk)
    steps["decide, claim, locks, record"] = [
        whole - sum(each[at] for step, each in steps.items() if step in _STEPS)
        for at, whole in enumerate(steps["body"])
    ]
    return ours, floor, dict(steps)


async def _timed(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _did_it(summary: dict[str, int | str]) -> None:
    if "skipped" in summary:
        raise RuntimeError(f"the tick did nothing: {summary['skipped']}")


def _timing(steps: dict[str, list[float]]) -> Call:
    async def call(task: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return await task.fn(*arguments)
        finally:
            steps[task.name].append(time.perf_counter() - began)

    return call


def _empty_flow(tasks: int) -> Callable[[], Awaitable[Any]]:
    """Return what Prefect alone costs: a flow with the tick's options and task runs, and no work."""
    from prefect import flow, task

    from tasks.calling import reads

    @task(**reads())
    async def nothing() -> None:
        pass

    @flow(name="empty", timeout_seconds=50)
    async def empty() -> None:
        for _ in range(tasks):
            await nothing()

    return empty
