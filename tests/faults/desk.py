"""A desk in memory: the real journal, locks, operations and flow bodies; broker, prices and time are ours.

A process dies by :class:`Killed`, which nothing catches, and begins again from what is on the disk. One
tick costs a few milliseconds, so that a thousand days can go wrong in every way within a minute.
"""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import failpoints
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.adapters.reports import render_html, render_markdown
from pipeline.adapters.schemas import SchemaInspector
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.market import Bar, Timeframe
from pipeline.domain.session import Session, SessionTable
from pipeline.domain.signals import Signal
from pipeline.domain.timetable import Rhythm
from pipeline.operations import projecting
from pipeline.operations.desk import Desk
from pipeline.operations.passes import moment, urgent_pass
from pipeline.operations.reconciliation import reconcile
from pipeline.settings.effective import risk_limits
from pipeline.settings.models.root import Settings
from pipeline.wiring import desks as composition
from pipeline.wiring.spec import CHECKOUT, DeskSpec
from tasks.calling import directly
from tests.faults.broker import Answer, Line, Venue

DAY = date(2026, 11, 20)
NEXT_DAY = date(2026, 11, 23)
ACCOUNT = "rehearsal"
CONFIG = CHECKOUT / "deployments" / "config"


class Killed(BaseException):
    """The process ends here, as by kill -9: nobody catches it, nobody cleans up."""


def at(clock: str, day: date = DAY) -> datetime:
    """Return "15:00" or "15:00:30" UTC of a day."""
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


@dataclass(frozen=True, slots=True)
class Wishes:
    """A strategy that wants what it is told to want, at the end of a bar."""

    wanted: dict[tuple[str, datetime], int]
    name: str = "wishes"
    lookback: int = 2

    def decide(self, bars: Sequence[Bar]) -> Signal:
        """Return the wish for the instant at which the last bar ends."""
        last = bars[-1]
        direction = self.wanted.get((last.symbol, last.start + timedelta(minutes=1)), 0)
        return Signal(last.symbol, self.name, direction, 1_000, last.close)


class MemoryStore:
    """A ``ports.Store`` that only counts."""

    def __init__(self) -> None:
        self.seen = 0

    def project(self, records: Sequence[Record]) -> int:
        fresh = [record for record in records if record.seq > self.seen]
        self.seen = max([self.seen, *(record.seq for record in fresh)])
        return len(fresh)

    def projected(self) -> int:
        return self.seen

    def record_bars(self, bars: Sequence[Bar], timeframe: Timeframe) -> None:
        """Keep nothing."""

    def load_bars(self, symbols: Sequence[str], *_rest: Any) -> Mapping[str, Sequence[Bar]]:
        return dict.fromkeys(symbols, ())

    def query(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Mapping[str, object], ...]:
        return ()


class AtOnce:
    """An executor without a thread: who dies in the background dies here."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done


class NoLock:
    """The lock of a host that shares no disk with the other: it keeps nobody out."""

    @contextmanager
    def hold(self, wait_seconds: float) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class VenueClock:
    """A ``ports.Clock`` that shows the venue's time."""

    venue: Venue

    def now(self) -> datetime:
        return self.venue.now


def sessions() -> SessionTable:
    """Return three weeks of full weekdays: no calendar to compute."""
    days = [date(2026, 11, 9) + timedelta(days=n) for n in range(30)]
    table = tuple(Session(day, at("14:30", day), at("21:00", day)) for day in days if day.weekday() < 5)
    return SessionTable("XNYS", "America/New_York", days[0], days[-1], table)


@cache
def _settings() -> Settings:
    files = ("live_momentum_strategy.yaml", "rehearsal.yaml")
    overrides = ("execution.execution_delay_seconds=0",)
    return DeskSpec(tuple(str(CONFIG / name) for name in files), overrides, str(CHECKOUT)).settings()


@dataclass
class World:
    """One account's journal and broker, and the process that trades it, which may die and begin again.

    Attributes:
        wanted: direction by symbol and tick.
        answers: what becomes of each request to submit.
        reached: how often each failpoint was passed.
    """

    folder: Path
    venue: Venue
    wanted: dict[tuple[str, datetime], int] = field(default_factory=dict)
    answers: Callable[[Any], Answer] = lambda _intent: Answer.OK
    processes: int = 0
    owners: str = "host"

    def __post_init__(self) -> None:
        self.table = sessions()
        self.desk = self.process()

    def process(self, owner: str = "") -> Desk:
        """Return the desk of a new process: it knows what is on the disk, and nothing else."""
        self.processes += 1
        settings = _settings()
        plan = composition.plan_of(settings)
        hour = timedelta(hours=1)
        line = Line(self.venue, self.table, self.answers)
        path = self.folder / f"{ACCOUNT}.jsonl"
        return Desk(
            account=ACCOUNT,
            mode="rehearsal",
            symbols=("SPY", "QQQ"),
            timeframe=Timeframe.ONE_MINUTE,
            strategies=(Wishes(self.wanted),),
            allocations={"wishes": 1_000_000},
            limits=replace(risk_limits(settings), review_hold_seconds=0),
            plan=replace(plan, rhythm=Rhythm(hour, hour, hour)),
            sessions=self.table,
            broker=line,
            data=line,
            clock=VenueClock(self.venue),
            journal=FileJournal(path, FileLock(path.with_suffix(".lock"))),
            store=MemoryStore(),
            lock=FileLock(self.folder / "account.lock"),
            renderer=SimpleNamespace(html=render_html, markdown=render_markdown),
            inspector=SchemaInspector(),
            home=self.folder,
            owner=owner or f"{self.owners}:{self.processes}",
            code="code",
            config="config",
            virtual=True,
        )

    @property
    def line(self) -> Line:
        """The connection of the process that trades."""
        broker: Any = self.desk.broker
        assert isinstance(broker, Line)
        return broker

    @property
    def ledger(self) -> Ledger:
        """What the journal adds up to."""
        return self.desk.journal.read()

    def records(self, *kinds: Kind) -> list[Record]:
        """Return the journal's records of these kinds, all without one."""
        return [record for record in self.desk.journal.records() if not kinds or record.kind in kinds]

    def restart(self) -> None:
        """Begin again from the disk, a second later."""
        self.venue.to(self.venue.now + timedelta(seconds=1))
        self.desk = self.process()

    def run(self, procedure: str, instant: datetime) -> Any:
        """Let time pass to the instant and run the flow's body for it."""
        self.venue.to(instant)
        return self.call(procedure, instant, "test")

    def call(self, procedure: str, *arguments: Any, desk: Desk | None = None) -> Any:
        """Run the body of a flow, without Prefect, on this desk."""
        with _opening(desk or self.desk):
            return _driven(_body(procedure)(directly, "desk", *arguments))

    def reconcile(self) -> None:
        """Hold the broker against the ledger, as after the close."""
        with urgent_pass(self.desk, "post-market", "test") as run:
            reconcile(self.desk, "test", moment(self.desk, run))

    def morning(self, day: date = DAY) -> None:
        """Plan the session, check everything, and open."""
        session = self.table.at_or_after(day)
        self.run("plan-session", session.open - timedelta(minutes=150))
        for name in ("pre-market", "market-open"):
            due = next(when for planned, when in self.ledger.planned if planned == name)
            self.run(name, due)


def _body(procedure: str) -> Callable[..., Any]:
    body: Callable[..., Any] = importlib.import_module(f"flows.{procedure.replace('-', '_')}").body
    return body


def _driven(body: Any) -> Any:
    """Run a coroutine that waits for nothing: no event loop, so that one may run within another."""
    try:
        body.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a body without Prefect waits for something")


@contextmanager
def _opening(desk: Desk) -> Iterator[None]:
    """Have every ``open_desk`` return this desk."""
    before = composition._opened
    composition._opened = lambda _config: SimpleNamespace(desk=desk)  # type: ignore[assignment, return-value]
    try:
        yield
    finally:
        composition._opened = before


@contextmanager
def one_process(armed: bool = False) -> Iterator[None]:
    """Within it, what a desk does in the background it does at once; logs of what is provoked are quiet.

    ``armed``: leave what the environment has armed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projecting, "_BACKGROUND", AtOnce())
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            if not armed:
                failpoints.arm(None)
            logging.disable(logging.NOTSET)


@cache
def morning_files() -> Mapping[str, bytes]:
    """Trade the morning once; every world begins with its journal."""
    with fast_folder() as folder:
        world = World(folder, Venue(at("11:00")))
        world.morning()
        if not world.ledger.entries_enabled:
            reasons = [record.data["reason"] for record in world.records(Kind.ENABLED)]
            raise AssertionError(f"the morning did not end with GO: {reasons}")
        return {
            path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".jsonl", ".head")
        }


@contextmanager
def opened_world() -> Iterator[World]:
    """Yield a world at 14:59 of a session that may trade, in a folder of its own."""
    files = morning_files()
    with fast_folder() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        yield World(folder, Venue(at("14:59")))


@contextmanager
def fast_folder() -> Iterator[Path]:
    """Yield a folder in memory where the system has one: an fsync then costs nothing."""
    shared = Path("/dev/shm")
    place = str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="marketday-faults-", dir=place) as name:
        yield Path(name)
