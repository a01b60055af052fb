"""The cached session table says what exchange_calendars says, without importing it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import exchange_calendars
import pytest

from pipeline.adapters.calendar import CachedCalendar, refresh_calendar
from pipeline.domain.session import OutsideCalendar, Session
from pipeline.errors import ConfigurationError

FIRST, LAST = date(2010, 1, 1), date(2027, 12, 31)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("calendar") / "new"
    refresh_calendar(made, "XNYS", FIRST, LAST)
    return made


@pytest.mark.filterwarnings("ignore:Series.values")
def test_every_session_from_2010_to_2027_is_that_of_exchange_calendars(folder: Path) -> None:
    theirs = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST)
    early = set(theirs.early_closes)
    expected = [
        Session(day.date(), opened.to_pydatetime(), closed.to_pydatetime(), day in early)
        for day, opened, closed in zip(theirs.sessions, theirs.opens, theirs.closes, strict=True)
    ]
    table = CachedCalendar(folder).load("XNYS")

    assert list(table.sessions) == expected
    assert (table.exchange, table.timezone, table.first, table.last) == (
        "XNYS",
        "America/New_York",
        FIRST,
        LAST,
    )


def test_a_half_day_a_holiday_and_a_day_beyond_the_table(folder: Path) -> None:
    """The Friday after Thanksgiving ends at 13:00 New York, 18:00 UTC."""
    table = CachedCalendar(folder).load("XNYS")

    assert table.on(date(2026, 11, 26)) is None
    assert table.on(date(2026, 11, 27)) == Session(
        date(2026, 11, 27),
        datetime(2026, 11, 27, 14, 30, tzinfo=UTC),
        datetime(2026, 11, 27, 18, 0, tzinfo=UTC),
        early_close=True,
    )
    assert [session.day.day for session in table.following(date(2026, 11, 25), 3)] == [25, 27, 30]
    with pytest.raises(OutsideCalendar):
        table.on(date(2028, 1, 3))


def test_an_unscheduled_closure_is_no_session(tmp_path: Path) -> None:
    """The day of mourning of 2025-01-09 as it would be entered by hand, and its neighbours."""
    refresh_calendar(tmp_path, "XNYS", date(2026, 11, 2), date(2026, 11, 6), [date(2026, 11, 4)])
    table = CachedCalendar(tmp_path).load("XNYS")

    assert [session.day.day for session in table.sessions] == [2, 3, 5, 6]
    assert [entry.name for entry in tmp_path.iterdir()] == ["XNYS.json"]


def test_an_absent_table_is_built_and_reading_it_again_imports_nothing_heavy(tmp_path: Path) -> None:
    assert CachedCalendar(tmp_path).load("XNYS").first == FIRST
    code = (
        "import sys; from pathlib import Path; from datetime import date\n"
        "from pipeline.adapters.calendar import CachedCalendar\n"
        f"assert CachedCalendar(Path({str(tmp_path)!r})).load('XNYS').on(date(2026, 11, 27)).early_close\n"
        "assert not {'exchange_calendars', 'pandas', 'numpy'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"exchange": "XNYS"}'])
def test_a_damaged_table_says_how_to_rebuild_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "XNYS.json").write_text(content)

    with pytest.raises(ConfigurationError, match="refresh-calendar"):
        CachedCalendar(tmp_path).load("XNYS")


@pytest.mark.parametrize("name", ["XXXX", "../XNYS"])
def test_an_exchange_that_nobody_knows_is_a_configuration_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="market identifier"):
        CachedCalendar(tmp_path).load(name)
