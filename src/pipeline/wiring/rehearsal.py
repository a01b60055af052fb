"""The rehearsal exchange of a home: written, started, found."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from pipeline.errors import ConfigurationError, DataInvalid
from pipeline.exchange.process import RunningExchange, start
from pipeline.settings.effective import calendar_code
from pipeline.settings.models.root import Settings
from pipeline.settings.rehearsal import exchange_document
from pipeline.wiring.brokers import EXCHANGE_HOME
from pipeline.wiring.desks import open_calendar

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
    session = open_calendar(home, settings).at_or_after(first_session)
    document = exchange_document(settings, home / "calendar" / f"{code}.json", session.day)
    document["start"] = (session.open - _PLAN_AHEAD).isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1))
    return path


def recorded_days(file: Path, timezone: str = "UTC") -> tuple[tuple[str, ...], tuple[date, ...]]:
    """Return the symbols and days of a file of recorded bars.

    Raises:
        ConfigurationError: it cannot be read, or has a bar that the schema refuses, which is named.
    """
    from pipeline.adapters.schemas import check_recording
    from pipeline.exchange.recorded import contents

    try:
        flaws = check_recording(file, timezone)
    except DataInvalid:
        flaws = ()  # what is wrong with the file as a whole, the market that reads it says
    if flaws:
        first = flaws[0]
        found = f"{first.symbol} at {first.at.isoformat()}: {first.detail} ({len(flaws)} findings)"
        raise ConfigurationError("market.file", str(file), f"{found}; correct the file")
    return contents(file, timezone)


def start_exchange(home: Path, config: Path, port: int = 0, faults: Path | None = None) -> RunningExchange:
    """Start the exchange in ``home``; it dies with this process.

    Raises:
        ConfigurationError, UsageError, BrokerUnavailable: as ``exchange.process.start``.
    """
    return start(home / EXCHANGE_HOME, config, port=port, faults=faults)
