"""What commands need that connect to nothing: time, the calendar's cache, a report from the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pipeline.adapters.calendar import refresh_calendar
from pipeline.adapters.clocks import SystemClock
from pipeline.adapters.reports import render_html, render_markdown
from pipeline.domain.reports import Scope, SessionReport
from pipeline.domain.session import OutsideCalendar, SessionTable
from pipeline.errors import BrokerUnavailable, UsageError
from pipeline.exchange.control import ExchangeControl
from pipeline.operations.desk import BADGES
from pipeline.operations.report_data import load_report
from pipeline.ports import Store
from pipeline.settings.connection import mode
from pipeline.settings.effective import calendar_code, fingerprint, risk_limits
from pipeline.settings.effective import timeframe as bar_length
from pipeline.settings.models.root import Settings
from pipeline.wiring.brokers import exchange_place
from pipeline.wiring.desks import account_label, open_calendar

_PATIENCE_SECONDS = 0.5
"""How long a stop waits for the exchange's time before it goes on without."""


@dataclass(frozen=True, slots=True)
class Page:
    """A session report in both of its forms."""

    report: SessionReport
    html: str
    markdown: str


def wall_time() -> datetime:
    """Return this machine's time, UTC."""
    return SystemClock().now()


def exchange_time(home: Path) -> datetime | None:
    """Return the virtual time of the home's rehearsal exchange, or None when it does not answer at once."""
    try:
        return ExchangeControl(exchange_place(home)["control_url"], _PATIENCE_SECONDS).now()
    except (BrokerUnavailable, UsageError):
        return None


def cached_calendar(home: Path, settings: Settings) -> SessionTable | None:
    """Return the session table if it lies in the home: computing one takes a second, reading one nothing."""
    if not _calendar_file(home, settings).exists():
        return None
    return open_calendar(home, settings)


def refresh_sessions(home: Path, settings: Settings) -> SessionTable:
    """Compute the session table anew, replace the cached one at once, and return it."""
    refresh_calendar(_calendar_file(home, settings).parent, calendar_code(settings))
    return open_calendar(home, settings)


def _calendar_file(home: Path, settings: Settings) -> Path:
    return home / "calendar" / f"{calendar_code(settings)}.json"


def session_report(home: Path, settings: Settings, store: Store, day: date, as_of: datetime) -> Page:
    """Return a session's report from the store alone: the broker need not be there.

    Raises:
        UsageError: the exchange has no session that day.
        OutsideCalendar: the calendar does not reach that day.
        StoreUnavailable: the store is held by another process.
    """
    sessions = open_calendar(home, settings)
    session = sessions.on(day)
    if session is None:
        before = sessions.before(day).day
        raise UsageError(f"the exchange had no session on {day}: the last one before was {before}")
    scope = Scope(
        session=session,
        mode=BADGES[mode(settings).value],
        account=account_label(settings),
        symbols=tuple(settings.data.symbols),
        timeframe=bar_length(settings),
        config=fingerprint(settings),
        zone=sessions.timezone,
    )
    try:
        tomorrow = sessions.following(day, 2)[1]
    except OutsideCalendar:
        tomorrow = None
    report = load_report(store, scope, risk_limits(settings), as_of, tomorrow)
    return Page(report, render_html(report), render_markdown(report))
