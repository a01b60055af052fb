"""The day's and the week's procedures. Daily times are offsets from the session's real open or close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from pipeline.domain.session import Session
from pipeline.settings.models.root import Settings

PLANNING_TIME = "07:00"
"""When a session is planned, on the clock of a regular day (DESIGN §4)."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Anchor(StrEnum):
    """What a procedure's time is counted from."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class DailyProcedure:
    """One procedure of every session; ``steps`` in the order in which they run."""

    name: str
    anchor: Anchor
    offset: timedelta
    steps: tuple[str, ...] = ()

    def at(self, session: Session) -> datetime:
        """Return its instant in ``session``, UTC: a half-day moves what is anchored to the close."""
        return (session.open if self.anchor is Anchor.OPEN else session.close) + self.offset


@dataclass(frozen=True, slots=True)
class WeeklyProcedure:
    """One procedure of every week, on the exchange's wall clock. ``weekday`` counts from Monday = 0."""

    name: str
    weekday: int
    at: time
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MonthlyProcedure:
    """One procedure of the first session of every month, on the exchange's wall clock."""

    name: str
    at: time
    steps: tuple[str, ...] = ()


def daily_timetable(settings: Settings) -> tuple[DailyProcedure, ...]:
    """Return a session's procedures in their order on a regular day, the repeating ones left out."""
    day, report = settings.daily_operations, settings.reporting.daily_reports
    hours = settings.data.market_hours

    def before(name: str, at: str, steps: tuple[str, ...] = ()) -> DailyProcedure:
        return DailyProcedure(name, Anchor.OPEN, clock(at) - clock(hours.start_time), steps)

    def after(name: str, at: str, steps: tuple[str, ...] = ()) -> DailyProcedure:
        return DailyProcedure(name, Anchor.CLOSE, clock(at) - clock(hours.end_time), steps)

    planned = (
        before("plan-session", PLANNING_TIME),
        before("pre-market", day.pre_market.time, day.pre_market.procedures),
        before("market-open", day.market_open.time, day.market_open.procedures),
        after("market-close", day.market_close.time, day.market_close.procedures),
        after("post-market", day.post_market.time, day.post_market.procedures),
    )
    delivered = (after("daily-report", report.delivery_time, report.content),) if report.enabled else ()
    return (*planned, *delivered)


def weekly_timetable(settings: Settings) -> tuple[WeeklyProcedure, ...]:
    """Return the week's procedures."""
    review, report = settings.weekly_operations.weekly_review, settings.reporting.weekly_reports
    found = (WeeklyProcedure("weekly-review", _weekday(review.day), _time(review.time), review.procedures),)
    if not report.enabled:
        return found
    at = _time(report.delivery_time)
    return (*found, WeeklyProcedure("weekly-report", _weekday(report.delivery_day), at, report.content))


def monthly_timetable(settings: Settings) -> tuple[MonthlyProcedure, ...]:
    """Return the month's procedures."""
    report = settings.reporting.monthly_reports
    if not report.enabled:
        return ()
    return (MonthlyProcedure("monthly-report", _time(report.delivery_time), report.content),)


def intraday_period(settings: Settings) -> timedelta:
    """Return the time between two runs of ``intraday-check``."""
    return period(settings.daily_operations.intraday.frequency)


def monitoring_period(settings: Settings) -> timedelta:
    """Return the time between two runs of ``risk-monitor``."""
    return timedelta(seconds=settings.monitoring.risk_monitoring.check_frequency_seconds)


def period(text: str) -> timedelta:
    """Return "30s", "5m", "2h" or "hourly" as a length of time."""
    if text == "hourly":
        return timedelta(hours=1)
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def clock(text: str) -> timedelta:
    """Return "08:30" as the time since midnight."""
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))


def _time(text: str) -> time:
    return time(int(text[:2]), int(text[3:]))


def _weekday(name: str) -> int:
    return _WEEKDAYS.index(name)
