"""The frame of every flow: open the desk, claim the instant, say when the body begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prefect.runtime import flow_run

from pipeline.operations.desk import Desk
from pipeline.operations.passes import Pass, plain_pass, trading_pass, urgent_pass
from pipeline.wiring.desks import open_desk

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
    """Run the block as a pass that may send orders: lock, lease, claim, record."""
    desk = open_desk(config)
    with _watched(procedure, instant), trading_pass(desk, procedure, due(desk, instant), driver) as run:
        yield desk, run
    _tell(procedure, instant, run)


@contextmanager
def plain(procedure: str, config: str, instant: datetime | None, driver: str) -> Iterator[tuple[Desk, Pass]]:
    """Run the block as a pass that sends no orders: claim and record."""
    desk = open_desk(config)
    with _watched(procedure, instant), plain_pass(desk, procedure, due(desk, instant), driver) as run:
        yield desk, run
    _tell(procedure, instant, run)


@contextmanager
def urgent(procedure: str, config: str) -> Iterator[tuple[Desk, Pass]]:
    """Run the block for something a person asked for: lock and lease, whenever it comes."""
    desk = open_desk(config)
    with urgent_pass(desk, procedure, "person") as run:
        yield desk, run


def due(desk: Desk, instant: datetime | None) -> datetime:
    """Return the instant a run stands for: the one given, else its scheduled start, floored to a bar.

    In rehearsal the market's time is the exchange's own, so a schedule in real time means "now" there.
    """
    if instant is not None:
        return instant.astimezone(UTC)
    scheduled = desk.clock.now() if desk.virtual else flow_run.scheduled_start_time
    at = (scheduled or desk.clock.now()).astimezone(UTC)
    length = desk.timeframe.length
    start = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return start + (at - start) // length * length if length < timedelta(days=1) else at


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
