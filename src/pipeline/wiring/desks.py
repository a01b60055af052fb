"""A desk file → a desk, opened once per process."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from pipeline import failpoints
from pipeline.adapters.calendar import CachedCalendar
from pipeline.adapters.clocks import HurryingPacer, SleepingPacer, VirtualPacer
from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.adapters.reports import render_html, render_markdown
from pipeline.adapters.schemas import SchemaInspector
from pipeline.domain.money import to_ppm
from pipeline.domain.session import SessionTable
from pipeline.domain.timetable import Procedure, Rhythm
from pipeline.operations.desk import Desk, Plan
from pipeline.ports import OrderUpdates, Pacer
from pipeline.settings import timetable
from pipeline.settings.connection import Mode, broker, mode
from pipeline.settings.effective import (
    calendar_code,
    emergency_plan,
    fingerprint,
    risk_limits,
    strategy_setups,
)
from pipeline.settings.effective import timeframe as bar_length
from pipeline.settings.models.root import Settings
from pipeline.strategies.registry import build_strategy
from pipeline.wiring.brokers import EXCHANGE_HOME, Connection, connect
from pipeline.wiring.redaction import redacted
from pipeline.wiring.spec import CHECKOUT, DeskSpec, code_fingerprint, load_spec


def open_desk(config: str | Path) -> Desk:
    """Return the desk of a desk file or configuration file; the same one while nothing changes.

    Raises:
        ConfigurationError: it cannot be used.
        BrokerUnavailable: the rehearsal exchange is not running.
    """
    return _opened(config).desk


def open_pacer(config: str | Path, speed: float | None = None) -> Pacer:
    """Return what lets the desk's time pass.

    ``speed`` is for a rehearsal whose clock runs by itself; without it a rehearsal's clock is moved.
    """
    opened = _opened(config).connection
    if speed is None or not isinstance(opened.pacer, VirtualPacer):
        return opened.pacer
    return HurryingPacer(opened.clock, opened.pacer, SleepingPacer(opened.clock, speed))


def open_updates(config: str | Path) -> OrderUpdates | None:
    """Return what hints at changes at the desk's broker, not started; None where there is nothing."""
    return _opened(config).connection.updates


class _Renderer:
    """A ``ports.ReportRenderer`` of the two renderers."""

    html = staticmethod(render_html)
    markdown = staticmethod(render_markdown)


class _Opened:
    """A desk with the connection it was built on."""

    def __init__(self, desk: Desk, connection: Connection) -> None:
        self.desk = desk
        self.connection = connection


def _opened(config: str | Path) -> _Opened:
    path = CHECKOUT / config
    spec = load_spec(path)
    place = spec.folder / EXCHANGE_HOME / "exchange.json"
    # A restarted exchange has other ports; a changed configuration is another desk.
    stamps = tuple(file.stat().st_mtime_ns for file in (path, place) if file.exists())
    return _build(spec, stamps)


@lru_cache(maxsize=4)
def _build(spec: DeskSpec, _stamps: tuple[int, ...]) -> _Opened:
    settings = spec.settings()
    failpoints.refuse_nonsense()
    if mode(settings) is Mode.LIVE:
        failpoints.refuse_with_real_money()
    connection = connect(settings, spec.folder)
    return _Opened(_desk(spec, settings, connection), connection)


def _desk(spec: DeskSpec, settings: Settings, connection: Connection) -> Desk:
    setups = strategy_setups(settings)
    home, current = spec.folder, mode(settings)
    account = account_label(settings)
    arming = settings.live_arming if current is Mode.LIVE else None
    return Desk(
        account=account,
        mode=current.value,
        symbols=tuple(settings.data.symbols),
        timeframe=bar_length(settings),
        strategies=tuple(build_strategy(found.type, found.name, found.params) for found in setups),
        allocations={found.name: found.allocation for found in setups},
        limits=risk_limits(settings),
        plan=plan_of(settings),
        sessions=open_calendar(home, settings),
        broker=connection.broker,
        data=connection.data,
        clock=connection.clock,
        journal=open_journal(home, account),
        store=open_store(home),
        lock=FileLock(_locks(home) / f"{account}.lock"),
        renderer=_Renderer(),
        inspector=SchemaInspector(),
        home=home,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        code=code_fingerprint(),
        config=fingerprint(settings),
        virtual=current is Mode.REHEARSAL,
        armed_account=arming.account if arming else "",
        armed_until=arming.valid_until if arming else None,
        hide=redacted,
    )


def account_label(settings: Settings) -> str:
    """Return the name of the account's files: broker and mode."""
    current = mode(settings)
    return "rehearsal" if current is Mode.REHEARSAL else f"{broker(settings)}-{current.value}"


def plan_of(settings: Settings) -> Plan:
    """Return the session's plan in domain words."""
    daily = timetable.daily_timetable(settings)
    conditions = settings.monitoring.alert_conditions
    muted = frozenset(name for name, wanted in conditions.model_dump().items() if not wanted)
    return Plan(
        procedures=tuple(
            Procedure(found.name, found.anchor is timetable.Anchor.CLOSE, found.offset, tuple(found.steps))
            for found in daily
        ),
        rhythm=Rhythm(
            bar=bar_length(settings).length,
            monitor=max(timetable.monitoring_period(settings), timedelta(seconds=1)),
            check=timetable.intraday_period(settings),
        ),
        checks=tuple(settings.daily_operations.intraday.procedures),
        muted=muted,
        reconcile_every=timetable.period(settings.monitoring.reconciliation.frequency),
        residual_limit=to_ppm(settings.monitoring.reconciliation.residual_limit),
        emergency=emergency_plan(settings),
    )


def open_calendar(home: Path, settings: Settings) -> SessionTable:
    """Return the session table, from its cache."""
    closures = settings.data.market_hours.closures
    return CachedCalendar(home / "calendar").load(calendar_code(settings), closures)


def journal_path(home: Path, account: str) -> Path:
    """Return where an account's journal lies."""
    return home / "journal" / f"{account}.jsonl"


def open_journal(home: Path, account: str) -> FileJournal:
    """Return an account's journal. Raises JournalCorrupt at the first reading."""
    path = journal_path(home, account)
    return FileJournal(path, FileLock(path.with_suffix(".lock")))


def open_store(home: Path) -> DuckStore:
    """Return the store of a home."""
    return DuckStore(home / "marketday.duckdb", FileLock(_locks(home) / "store.lock"))


def home_lock(home: Path) -> FileLock:
    """Return the lock of whoever runs the sessions of a home."""
    return FileLock(_locks(home) / "home.lock")


def _locks(home: Path) -> Path:
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
