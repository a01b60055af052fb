"""Every session from 2016 to 2027 has exactly the runs it should have, at the right instants (I20)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.adapters.calendar import CachedCalendar, refresh_calendar
from pipeline.domain.session import SessionTable
from pipeline.domain.timetable import session_runs
from pipeline.settings.loading import read_settings
from pipeline.wiring.desks import plan_of
from tests.unit.settings.conftest import BASE, REHEARSAL

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2016, 1, 1), date(2027, 12, 31)
MINUTE = timedelta(minutes=1)

EARLY = {
    *(
        date(year, 11, day)
        for year, day in zip(range(2016, 2028), (25, 24, 23, 29, 27, 26, 25, 24, 29, 28, 27, 26), strict=True)
    ),
    *(date(year, 12, 24) for year in (2018, 2019, 2020, 2024, 2025, 2026)),
    *(date(year, 7, 3) for year in (2017, 2018, 2019, 2023, 2024, 2025)),
}
"""13:00 in New York: the Friday after Thanksgiving, Christmas Eve and the eve of Independence Day."""

SESSIONS = {
    2016: 252,
    2017: 251,
    2018: 251,
    2019: 252,
    2020: 253,
    2021: 252,
    2022: 251,
    2023: 250,
    2024: 252,
    2025: 250,
    2026: 251,
    2027: 251,
}
"""Weekdays less the exchange's holidays; 2018-12-05 and 2025-01-09 were days of mourning."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SessionTable:
    folder = tmp_path_factory.mktemp("calendar")
    refresh_calendar(folder, "XNYS", FIRST, LAST)
    return CachedCalendar(folder).load("XNYS")


def wall(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, NEW_YORK).astimezone(UTC)


def test_every_session_of_twelve_years_has_exactly_its_phases(table: SessionTable) -> None:
    """By the clock on the wall in New York, daylight saving or not: an independent computation."""
    plan = plan_of(read_settings([BASE, REHEARSAL], environ={}))
    years: Counter[int] = Counter()
    for session in table.sessions:
        day = session.day
        years[day.year] += 1
        close = time(13) if day in EARLY else time(16)
        hours = 3 if day in EARLY else 6
        minutes = 210 if day in EARLY else 390
        runs = session_runs(session, plan.procedures, plan.rhythm)
        names = Counter(name for name, _ in runs)
        instants = {name: at for name, at in runs if names[name] == 1}
        end = wall(day, close)

        assert (session.open, session.close) == (wall(day, time(9, 30)), end), day
        assert names == {
            **dict.fromkeys(instants, 1),
            "intraday-tick": minutes,
            "risk-monitor": minutes,
            "intraday-check": hours,
        }, day
        assert instants == {
            "plan-session": wall(day, time(7)),
            "pre-market": wall(day, time(8, 30)),
            "market-open": wall(day, time(9, 30)),
            "market-close": end,
            "post-market": end + timedelta(hours=1),
            "daily-report": end + timedelta(minutes=90),
        }, day
        assert len(set(runs)) == len(runs)
        assert all(session.open < at <= session.close for name, at in runs if name == "intraday-tick")

    assert years == SESSIONS


@pytest.mark.parametrize(
    ("day", "open_utc"),
    [
        (date(2026, 3, 6), "14:30"),
        (date(2026, 3, 9), "13:30"),
        (date(2026, 10, 30), "13:30"),
        (date(2026, 11, 2), "14:30"),
    ],
)
def test_the_open_is_half_past_nine_on_either_side_of_a_clock_change(
    table: SessionTable, day: date, open_utc: str
) -> None:
    session = table.on(day)

    assert session is not None
    assert f"{session.open:%H:%M}" == open_utc


@pytest.mark.parametrize(
    "day", [date(2026, 11, 26), date(2026, 7, 3), date(2026, 3, 8), date(2026, 11, 1), date(2026, 12, 25)]
)
def test_holidays_their_substitutes_and_the_sundays_of_the_clock_change_are_no_sessions(
    table: SessionTable, day: date
) -> None:
    """Independence Day of 2026 is a Saturday: the Friday before is off."""
    assert table.on(day) is None


def test_a_closure_that_a_person_names_is_no_session_and_changes_no_file(tmp_path: Path) -> None:
    """As on 2025-01-09: nothing is planned, the session before is the day before's."""
    refresh_calendar(tmp_path, "XNYS", date(2026, 11, 2), date(2026, 11, 6))
    calendar = CachedCalendar(tmp_path)
    closed = calendar.load("XNYS", (date(2026, 11, 4),))

    assert closed.on(date(2026, 11, 4)) is None
    assert closed.before(date(2026, 11, 5)).day == date(2026, 11, 3)
    assert len(calendar.load("XNYS").sessions) == 5


def test_missing_bars_are_counted_over_nights_half_days_and_weekends(table: SessionTable) -> None:
    """From the last minute of the half-day 2026-11-27 to the third of Monday: two bars between."""
    last = wall(date(2026, 11, 27), time(12, 59))
    third = wall(date(2026, 11, 30), time(9, 32))

    assert table.bars_between(last, third, MINUTE) == 2
    assert table.bars_between(last - MINUTE, third, MINUTE) == 3
    assert table.bars_between(last, last + MINUTE, MINUTE) == 0
