"""The session's driver: every planned run at its instant, as a Prefect run, or without Prefect if need be.

One of the two places outside ``flows`` and ``tasks`` that know Prefect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import tags

from pipeline.cli.operator import Operator
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.timetable import RANK
from pipeline.domain.trading_state import Trigger
from pipeline.errors import MarketdayError
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.hints import Hints, StreamWatch
from pipeline.operations.stopping import stop
from pipeline.operations.telling import tell
from pipeline.ports import Pacer
from pipeline.wiring.desks import open_desk, open_pacer, open_updates
from pipeline.wiring.redaction import redacted
from tasks.calling import directly
from tasks.running import WATCHES, Summary, Watch

log = logging.getLogger(__name__)

PLAN = "plan-session"
BEGIN_SECONDS = 3.0
"""How long after its instant a Prefect run may take to begin before its body is run without it."""
_WELL_AGAIN = 3
"""How many runs in a row must begin in time before a new outage of Prefect is told: one that is merely
slow now and then is one outage, not one for each time."""
_SETTLE_SECONDS = 0.5
_FAREWELL_SECONDS = 15.0
_STREAM_GRACE, _STREAM_PATIENCE = 30.0, 60.0
"""Real seconds: how much later than asking an update may come, and how long the stream may be down."""
_MOVED_GRACE = 2.0

Told = Callable[[str, datetime, Summary], None]


@dataclass(frozen=True, slots=True)
class Operation:
    """A flow and its body."""

    flow: Callable[..., Awaitable[Any]]
    body: Callable[..., Coroutine[Any, Any, Summary]]


@cache
def operation(name: str) -> Operation:
    """Return the operation of a procedure."""
    if name not in RANK:
        raise KeyError(name)
    module = import_module(f"flows.{name.replace('-', '_')}")
    return Operation(getattr(module, name.replace("-", "_")), module.body)


@dataclass(slots=True)
class Driver:
    """Drives one desk through its sessions.

    Attributes:
        config: path of the desk file.
        reachable: asks whether Prefect answers; quick.
        told: hears of every run and what it did.
        speed: of a rehearsal's clock when it runs by itself.
        operator: in a rehearsal with a fault script, who does what it has a person do.
        in_time: runs in a row that Prefect began in time.
    """

    config: Path
    reachable: Callable[[], bool]
    told: Told
    speed: float | None = None
    operator: Operator | None = None
    in_time: int = _WELL_AGAIN
    late: set[asyncio.Future[Any]] = field(default_factory=set)

    async def run_session(self, day: date) -> None:
        """Plan the session of ``day`` and carry out what is planned and not yet done, in order."""
        desk, pacer = open_desk(self.config), open_pacer(self.config, self.speed)
        if desk.journal.read().session != desk.sessions.at_or_after(day).day:
            await pacer.wait_until(self.planned_at(day))
            await self.run(PLAN, self.planned_at(day))
        hints = self._listen(desk)
        try:
            await self._carry_out(desk, pacer, hints)
        finally:
            if hints is not None:
                hints.stop()

    async def _carry_out(self, desk: Desk, pacer: Pacer, hints: Hints | None) -> None:
        for name, instant in desk.journal.read().planned:
            if desk.journal.read().runs.get((name, instant)) in ("completed", "skipped"):
                continue
            if self.operator is not None:
                async for act in self.operator.until(instant):
                    await pacer.wait_until(act)
            await (hints.until(desk, pacer, instant) if hints else pacer.wait_until(instant))
            await self.run(name, instant)
            if hints:
                hints.judge(desk)

    def _listen(self, desk: Desk) -> Hints | None:
        """Begin to listen to the broker's updates, where it has such."""
        updates = open_updates(self.config)
        if updates is None:
            return None
        # A rehearsal whose clock is moved has no time to hurry in, and minutes of it pass in no time.
        flows = not desk.virtual or self.speed is not None
        grace, patience = (_STREAM_GRACE, _STREAM_PATIENCE) if flows else (_MOVED_GRACE, float("inf"))
        hints = Hints(updates, flows, StreamWatch(updates, grace, patience))
        hints.start(desk)
        return hints

    def planned_at(self, day: date) -> datetime:
        """Return the instant at which the session of ``day`` is planned."""
        desk = open_desk(self.config)
        plan = next(found for found in desk.plan.procedures if found.name == PLAN)
        return plan.at(desk.sessions.at_or_after(day))

    async def run(self, name: str, instant: datetime) -> None:
        """Carry out one run. Whatever goes wrong in it is journalled; the session goes on."""
        desk = open_desk(self.config)
        with tags(f"env:{desk.mode}", f"account:{desk.account}", f"session:{instant.date()}"):
            outcome = await self._orchestrated(desk, name, instant)
        if isinstance(outcome, MarketdayError):
            log.warning("%s %s: %s", name, instant, outcome)
            self.told(name, instant, {"failed": redacted(str(outcome))})
        elif isinstance(outcome, BaseException):
            reason = redacted(f"system error in {name}: {type(outcome).__name__}: {outcome}")
            log.error(reason, exc_info=outcome)
            stop(desk, Trigger.SYSTEM_ERROR, reason, "session driver", desk.clock.now())
            tell(desk)
            self.told(name, instant, {"failed": reason})
        else:
            self.told(name, instant, outcome)

    async def _orchestrated(self, desk: Desk, name: str, instant: datetime) -> Summary | BaseException:
        found = operation(name)
        if not await asyncio.to_thread(self.reachable):
            self._degrade(desk, name, instant, "Prefect does not answer")
            return await self._directly(found, instant)
        watch = WATCHES[name, instant] = Watch()
        run = asyncio.ensure_future(found.flow(str(self.config), instant, "session"))
        try:
            if not await _within(BEGIN_SECONDS, watch.begun, run):
                self._keep(run)
                self._degrade(desk, name, instant, f"its run did not begin within {BEGIN_SECONDS:.0f} s")
                return await self._directly(found, instant)
            self.in_time += 1
            await _within(None, watch.done, run)
            # The work is done; how Prefect takes the news must not hold up the next instant.
            await asyncio.wait({run}, timeout=_SETTLE_SECONDS)
            self._keep(run)
            return watch.error or watch.result or _failure(run)
        finally:
            del WATCHES[name, instant]

    async def _directly(self, found: Operation, instant: datetime) -> Summary | BaseException:
        run = asyncio.ensure_future(
            found.body(directly, str(self.config), instant, "session, without Prefect")
        )
        await asyncio.wait({run})
        return run.exception() or run.result()

    async def finish(self) -> None:
        """Give Prefect a while to take the news of runs that are done."""
        if not self.late:
            return
        if await asyncio.to_thread(self.reachable):
            await asyncio.wait(self.late, timeout=_FAREWELL_SECONDS)

    def _keep(self, run: asyncio.Future[Any]) -> None:
        """Hold on to a run that Prefect has not finished with, so that its end is heard."""
        if run.done():
            return
        self.late.add(run)
        run.add_done_callback(self._heard)

    def _heard(self, run: asyncio.Future[Any]) -> None:
        self.late.discard(run)
        if not run.cancelled() and run.exception() is not None:
            log.info("Prefect ended a run late: %s", run.exception())

    def _degrade(self, desk: Desk, name: str, instant: datetime, reason: str) -> None:
        if self.in_time >= _WELL_AGAIN:
            text = f"{reason}; {name} and what follows run without it, under the same claims."
            raise_alert(desk.journal, alert("orchestration_degraded", "Prefect", text, instant, desk.badge))
        self.in_time = 0


async def _within(seconds: float | None, event: asyncio.Event, run: asyncio.Future[Any]) -> bool:
    """Return whether ``event`` was set before the time was over; the run's own end counts as its answer."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting, run}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return event.is_set()


def _failure(run: asyncio.Future[Any]) -> BaseException:
    if run.done() and run.exception() is not None:
        return run.exception() or RuntimeError("unknown")
    return RuntimeError("the run ended without a result")
