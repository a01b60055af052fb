"""The frame of every flow: open the desk, claim the instant, say when the body begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prefect.runtime import flow_run

from pipeline.operations.desk import Desk
from pipeline.operations.passes import GRACE, Pass, trading_pass, urgent_pass
from pipeline.wiring.desks import open_desk
from pipeline.wiring.redaction import Hiding

Summary = dict[str, int | str]


@dataclass(slots=True)
class Watch:
    """What a driver in the same process learns of a body, without waiting for Prefect."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    result: Summary | None = None
    error: BaseException | None = None


WATCHES: dict[tuple[str, datetime], Watch] = {}
"""Bodies that a driver in this process waits for, by procedure and instant."""


@contextmanager
def trading(
    procedure: str, config: str, instant: datetime | None, driver: str
) -> Iterator[tuple[Desk, Pass]]:
    """Run the block as a pass: lock, lease, claim, record. Only who holds the lease may claim."""
    desk = open_desk(config)
    with (
        _watched(procedure, instant),
        Hiding(),
        trading_pass(desk, procedure, due(desk, procedure, instant), driver) as run,
    ):
        yield desk, run
    _tell(procedure, instant, run)


@contextmanager
def urgent(procedure: str, config: str) -> Iterator[tuple[Desk, Pass]]:
    """Run the block for something a person asked for: lock and lease, whenever it comes."""
    desk = open_desk(config)
    with Hiding(), urgent_pass(desk, procedure, "person") as run:
        yield desk, run


def due(desk: Desk, procedure: str, instant: datetime | None) -> datetime:
    """Return the instant a run stands for: the one given, else what its scheduled start means.

    A procedure of the plan means its newest planned instant: on a half-day the close at 16:00 stands
    for the one at 13:00. A tick means the bar that ended last. In rehearsal, time is the exchange's.
    """
    if instant is not None:
        return instant.astimezone(UTC)
    scheduled = desk.clock.now() if desk.virtual else flow_run.scheduled_start_time
    at = (scheduled or desk.clock.now()).astimezone(UTC)
    if procedure not in GRACE:
        planned = [when for name, when in desk.journal.read().planned if name == procedure and when <= at]
        same_day = [when for when in planned if at - when < timedelta(hours=12)]
        return same_day[-1] if same_day else at
    step = desk.timeframe.length if procedure == "intraday-tick" else desk.plan.rhythm.monitor
    midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return midnight + (at - midnight) // step * step


@contextmanager
def _watched(procedure: str, instant: datetime | None) -> Iterator[None]:
    watch = WATCHES.get((procedure, instant)) if instant is not None else None
    if watch is None:
        yield
        return
    watch.begun.set()
    try:
        yield
    except BaseException as error:
        watch.error = error
        raise
    finally:
        if watch.error is not None:
            watch.done.set()


def _tell(procedure: str, instant: datetime | None, run: Pass) -> None:
    watch = WATCHES.get((procedure, instant)) if instant is not None else None
    if watch is not None:
        watch.result = run.result()
        watch.done.set()


def named(procedure: str) -> Callable[[], str]:
    """Return what names a flow run in Prefect's pages: the procedure and the instant it stands for."""

    def name() -> str:
        given = flow_run.parameters
        instant = given.get("tick") or given.get("at") or flow_run.scheduled_start_time
        return f"{procedure} {instant:%Y-%m-%d %H:%M:%S}Z" if instant else procedure

    return name
