from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.domain.session import OutsideCalendar, Session, SessionTable


def opening(day: int, close_hour: int = 21) -> Session:
    early = close_hour != 21
    return Session(
        date(2026, 11, day),
        datetime(2026, 11, day, 14, 30, tzinfo=UTC),
        datetime(2026, 11, day, close_hour, tzinfo=UTC),
        early,
    )


WED, FRI, MON = opening(25), opening(27, 18), opening(30)
TABLE = SessionTable("XNYS", "America/New_York", date(2026, 11, 24), date(2026, 11, 30), (WED, FRI, MON))


def test_thanksgiving_is_no_session_and_the_day_after_is_short() -> None:
    assert TABLE.on(date(2026, 11, 25)) == WED
    assert TABLE.on(date(2026, 11, 26)) is None
    assert TABLE.at_or_after(date(2026, 11, 26)) == FRI
    assert TABLE.before(date(2026, 11, 27)) == WED
    assert TABLE.before(date(2026, 11, 30)) == FRI
    assert TABLE.following(date(2026, 11, 26), 2) == (FRI, MON)
    assert (len(WED.ticks(timedelta(minutes=1))), len(FRI.ticks(timedelta(minutes=1)))) == (390, 210)


def test_ticks_end_bars_and_the_last_is_the_close() -> None:
    ticks = FRI.ticks(timedelta(minutes=5))

    assert (ticks[0], ticks[-1]) == (FRI.open + timedelta(minutes=5), FRI.close)
    assert len(FRI.bar_starts(timedelta(hours=1))) == 3
    assert [FRI.is_open(at) for at in (FRI.open, FRI.close)] == [True, False]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: TABLE.on(date(2026, 11, 23)),
        lambda: TABLE.on(date(2026, 12, 1)),
        lambda: TABLE.before(date(2026, 11, 25)),
        lambda: TABLE.following(date(2026, 11, 30), 2),
        lambda: SessionTable("X", "UTC", date(2026, 1, 1), date(2026, 1, 2), ()).at_or_after(
            date(2026, 1, 1)
        ),
    ],
)
def test_what_the_table_does_not_cover_is_never_a_holiday(ask: object) -> None:
    with pytest.raises(OutsideCalendar, match="refresh-calendar"):
        ask()  # type: ignore[operator]
