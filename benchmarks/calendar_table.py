"""P13: a calendar answer from the cached session table beside a cold exchange_calendars.

The question is what knowing the calendar adds to a process of ours, so both are measured in one
that has done what every process of ours does: started Python and imported pathlib, json and
dataclasses (three quarters of what a process that does nothing but ask the table costs).
"""

from __future__ import annotations

import tempfile
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.results import Row, Scale, at_least, note
from benchmarks.timing import best_cpu, best_wall, compile_ours, fresh_in_turn, python
from pipeline.adapters.calendar import CachedCalendar, refresh_calendar

TITLE = "calendar (P13): cached session table beside a cold exchange_calendars process"
FIRST, LAST = date(2024, 1, 1), date(2027, 6, 30)
_ANYWAY = "import dataclasses, datetime, json, pathlib"
_OURS = f"""
{_ANYWAY}
from datetime import date
from pathlib import Path
from pipeline.adapters.calendar import CachedCalendar
session = CachedCalendar(Path({{folder!r}})).load("XNYS").on(date(2026, 11, 27))
assert session.early_close
"""
_THEIRS = f"""
{_ANYWAY}
import warnings
warnings.simplefilter("ignore")
import exchange_calendars
calendar = exchange_calendars.get_calendar("XNYS")
assert calendar.is_open_on_minute("2026-11-27 17:59")
"""


def measure(scale: Scale) -> list[Row]:
    """Measure whole processes, and compare every minute of three and a half years."""
    compile_ours()
    with tempfile.TemporaryDirectory() as folder:
        # The table is as long as the one that a desk keeps: seventeen years.
        refresh_calendar(Path(folder), "XNYS")
        commands = {
            "ours": python(_OURS.format(folder=folder)),
            "theirs": python(_THEIRS),
            "anyway": python(_ANYWAY),
        }
        found = fresh_in_turn(commands, scale.pick(2, 10))
        wrong, minutes = _mismatches(Path(folder), scale)
    ours, theirs, anyway = (best_cpu(found[name]) for name in ("ours", "theirs", "anyway"))
    claim = ("cold exchange_calendars", at_least(20))
    return [
        scale.versus("one answer, added to a process", ours - anyway, theirs - anyway, "ms CPU", claim),
        note("  processes that do nothing else", ours, "ms CPU", theirs, claim[0]),
        note("  the same, wall", best_wall(found["ours"]), "ms", best_wall(found["theirs"]), claim[0]),
        note("  of which Python, pathlib, json, dataclasses", anyway, "ms CPU"),
        Scale.exact(f"mismatches in {minutes:,} minutes", wrong, "minutes"),
    ]


def _mismatches(folder: Path, scale: Scale) -> tuple[int, int]:
    """Return how many minutes the table answers otherwise, and how many were asked."""
    import exchange_calendars

    last = date(2024, 6, 30) if scale.quick else LAST
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = exchange_calendars.get_calendar("XNYS", start=FIRST, end=last, side="left")
        trading = {int(minute.timestamp()) // 60 for minute in theirs.minutes}
    table = CachedCalendar(folder).load("XNYS")
    wrong = asked = 0
    midnight = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    while midnight.date() <= last:
        # XNYS trades within one UTC day, summer and winter.
        session = table.on(midnight.date())
        for minute in range(1440):
            at = midnight + timedelta(minutes=minute)
            is_open = session is not None and session.is_open(at)
            wrong += is_open != (int(at.timestamp()) // 60 in trading)
            asked += 1
        midnight += timedelta(days=1)
    return wrong, asked
