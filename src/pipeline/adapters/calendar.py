"""Exchange sessions from a cached table, which ``exchange_calendars`` fills once.

Computing a calendar costs half a second and 180 MB; reading the table costs milliseconds
(PERFORMANCE P13), so the live path only reads.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path

from pipeline.domain.session import Session, SessionTable
from pipeline.errors import ConfigurationError

TYPE_CHECKING = False  # importing ``typing`` costs more than reading the table; type checkers know this name
if TYPE_CHECKING:
    from typing import Any

FIRST_DAY = date(2010, 1, 1)

_NAME_IT = "use an ISO market identifier code, as in XNYS"
_REBUILD = "delete the file; it is rebuilt at the next start, or by `marketday doctor --refresh-calendar`"


class CachedCalendar:
    """Session tables kept as ``<directory>/<exchange>.json``, built when absent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self, exchange: str, closures: Collection[date] = ()) -> SessionTable:
        """Return the table of an exchange (ISO market identifier code), building it when there is none.

        Args:
            closures: days that are no session after all; they change the answer, not the file.

        Raises:
            ConfigurationError: an exchange that nobody knows, or a file that is not a session table.
        """
        path = _path(self._directory, exchange)
        if not path.exists():
            refresh_calendar(self._directory, exchange)
        try:
            return _table(json.loads(path.read_bytes()), closures)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError("calendar", str(path), f"{error!r}: {_REBUILD}") from error


def refresh_calendar(
    directory: Path,
    exchange: str,
    first: date = FIRST_DAY,
    last: date | None = None,
    extra_closures: Sequence[date] = (),
) -> None:
    """Write the sessions from ``first`` to ``last``, inclusive, in one step.

    Args:
        directory: made when absent.
        exchange: ISO market identifier code, as in XNYS.
        first, last: dates; ``last`` is by default the last session that is offered, a year ahead.
        extra_closures: days on which the exchange stays closed unscheduled.

    Raises:
        ConfigurationError: an exchange that ``exchange_calendars`` does not know.
    """
    document = _computed(exchange, first, last)
    closed = {day.isoformat() for day in extra_closures}
    document["sessions"] = [row for row in document["sessions"] if row[0] not in closed]
    directory.mkdir(parents=True, exist_ok=True)
    path = _path(directory, exchange)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _path(directory: Path, exchange: str) -> Path:
    if not exchange.isalnum():
        raise ConfigurationError("exchange", exchange, _NAME_IT)
    return directory / f"{exchange}.json"


def _computed(exchange: str, first: date, last: date | None) -> dict[str, Any]:
    import exchange_calendars

    try:
        # exchange_calendars 4.13 uses what pandas 3.1 deprecates. What it answers is tested.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            calendar = exchange_calendars.get_calendar(exchange, start=first, end=last)
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise ConfigurationError("exchange", exchange, _NAME_IT) from error
    early = {day.date() for day in calendar.early_closes}
    opens, closes = calendar.opens, calendar.closes
    return {
        "exchange": exchange,
        "timezone": str(calendar.tz),
        "first": first.isoformat(),
        "last": (last or calendar.last_session.date()).isoformat(),
        "sessions": [
            [day.date().isoformat(), _utc(opened), _utc(closed), day.date() in early]
            for day, opened, closed in zip(calendar.sessions, opens, closes, strict=True)
        ],
    }


def _utc(instant: Any) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _table(document: dict[str, Any], closures: Collection[date]) -> SessionTable:
    closed = {day.isoformat() for day in closures}
    rows = document["sessions"]
    return SessionTable(
        exchange=document["exchange"],
        timezone=document["timezone"],
        first=date.fromisoformat(document["first"]),
        last=date.fromisoformat(document["last"]),
        sessions=_Rows([row for row in rows if row[0] not in closed] if closed else rows),
    )


class _Rows(Sequence[Session]):
    """Sessions decoded when they are looked at: a look-up touches a dozen of five thousand."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [_session(row) for row in self._rows[index]]
        return _session(self._rows[index])


def _session(row: list[Any]) -> Session:
    day, opened, closed, early = row
    return Session(
        date.fromisoformat(day), datetime.fromisoformat(opened), datetime.fromisoformat(closed), bool(early)
    )
