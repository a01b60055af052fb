"""From a tick's instant to its first decision in the journal, with Prefect's server well, mute and dead.

The instant is when the session's driver is told that it has come; virtual time brings the next one
as soon as a tick is done. The server is stopped (SIGSTOP: it holds connections and says nothing)
and later killed (SIGKILL), each time in the middle of a tick.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from benchmarks.rehearsals import Rehearsal, Server, prefect_server, rehearsal
from benchmarks.results import Row, Scale, at_most
from pipeline.adapters.journal import FileJournal
from pipeline.cli.servers import healthy
from pipeline.domain.journal import Kind, Record

TITLE = "first decision: delay from a tick's instant to its decision in the journal"
_MEDIAN, _WORST = at_most(0.5), at_most(5)


@dataclass(slots=True)
class _Heard:
    """When each instant was told to the driver, and when its decision was in the journal; seconds."""

    told: dict[str, float] = field(default_factory=dict)
    decided: dict[str, float] = field(default_factory=dict)
    failed: int = 0

    def delays(self, instants: Sequence[datetime]) -> list[float]:
        """Return the delay of every decision; a tick without one took for ever."""
        names = [instant.isoformat() for instant in instants]
        return [self.decided.get(name, float("inf")) - self.told[name] for name in names]

    def listen(self, journal: FileJournal) -> None:
        """Note every decision that the journal takes in, from now on."""
        append = journal.append

        def heard(kind: Kind, data: Mapping[str, Any], at: datetime) -> Record:
            record = append(kind, data, at)
            if kind is Kind.TICK:
                self.decided[data["instant"]] = time.perf_counter()
            return record

        journal.append = heard  # type: ignore[method-assign]

    def outcome(self, _name: str, _instant: datetime, summary: Mapping[str, int | str]) -> None:
        """Count runs that failed or did nothing."""
        self.failed += "failed" in summary or "skipped" in summary


def measure(scale: Scale) -> list[Row]:
    """Drive one session through the three conditions."""
    many, few = scale.pick(6, 60), scale.pick(3, 12)
    heard = _Heard()
    with prefect_server() as server, rehearsal(2) as running:
        found = asyncio.run(_session(running, server, heard, {"well": many, "mute": few, "dead": many}))
    rows = []
    for condition, delays in found.items():
        ours = statistics.median(delays)
        rows.append(scale.absolute(f"server {condition}: median of {len(delays)} ticks", ours, "s", _MEDIAN))
        rows.append(scale.absolute(f"server {condition}: worst", max(delays), "s", _WORST))
    return [*rows, Scale.exact("ticks that failed or were skipped", heard.failed, "ticks")]


async def _session(
    running: Rehearsal, server: Server, heard: _Heard, wanted: Mapping[str, int]
) -> dict[str, list[float]]:
    from pipeline.cli.session import Driver

    instants = iter(await running.begin())
    assert isinstance(running.desk.journal, FileJournal)
    heard.listen(running.desk.journal)
    driver = Driver(running.config, partial(healthy, server.port), heard.outcome)
    moments = random.Random(7)
    pid = server.child.process.pid

    async def ticks(count: int, sent: signal.Signals | None = None) -> list[datetime]:
        """Run ticks; in the middle of the first one, send the server a signal."""
        chosen = [next(instants) for _ in range(count)]
        for number, instant in enumerate(chosen):
            await running.pacer.wait_until(instant)
            if sent is not None and number == 0:
                threading.Timer(moments.uniform(0, 0.1), os.kill, (pid, sent)).start()
            heard.told[instant.isoformat()] = time.perf_counter()
            await driver.run("intraday-tick", instant)
        return chosen

    await ticks(2)  # imports, connections
    well = await ticks(wanted["well"])
    mute = await ticks(wanted["mute"], signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    await ticks(3)
    dead = await ticks(wanted["dead"], signal.SIGKILL)
    for late in driver.late:
        late.cancel()
    return {name: heard.delays(each) for name, each in (("well", well), ("mute", mute), ("dead", dead))}
