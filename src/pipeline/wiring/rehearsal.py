"""The rehearsal exchange of a home: written, started, found."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

from pipeline.adapters.calendar import CachedCalendar
from pipeline.domain.session import SessionTable
from pipeline.exchange.control import ExchangeControl
from pipeline.exchange.process import RunningExchange, start
from pipeline.settings.effective import calendar_code
from pipeline.settings.models.root import Settings
from pipeline.settings.rehearsal import exchange_document
from pipeline.wiring.brokers import EXCHANGE_HOME, exchange_place

_PLAN_AHEAD = timedelta(minutes=150)
"""A rehearsal's clock starts when its first session is planned: this long before the open."""


def prepare_exchange(home: Path, settings: Settings, first_session: date) -> Path:
    """Write the exchange's configuration unless it is there, and return its path.

    A rehearsal that has begun keeps its market: a second start continues it.
    """
    path = home / EXCHANGE_HOME / "config.json"
    if path.exists():
        return path
    code = calendar_code(settings)
    session = sessions_of(home, settings).at_or_after(first_session)
    document = exchange_document(settings, home / "calendar" / f"{code}.json", session.day)
    document["start"] = (session.open - _PLAN_AHEAD).isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1))
    return path


def sessions_of(home: Path, settings: Settings) -> SessionTable:
    """Return the session table, building it at the first use."""
    return CachedCalendar(home / "calendar").load(calendar_code(settings))


def recorded_days(file: Path, timezone: str = "UTC") -> tuple[tuple[str, ...], tuple[date, ...]]:
    """Return the symbols and days of a file of recorded bars. Raises ConfigurationError."""
    from pipeline.exchange.recorded import contents

    return contents(file, timezone)


def start_exchange(home: Path, config: Path, port: int = 0) -> RunningExchange:
    """Start the exchange in ``home``; it dies with this process.

    Raises:
        ConfigurationError, UsageError, BrokerUnavailable: as ``exchange.process.start``.
    """
    return start(home / EXCHANGE_HOME, config, port=port)


def exchange_now(home: Path) -> datetime:
    """Return the virtual time of the exchange that runs in ``home``. Raises BrokerUnavailable."""
    return ExchangeControl(exchange_place(home)["control_url"]).now()
