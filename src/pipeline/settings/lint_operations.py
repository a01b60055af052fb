"""Lint of the day and of who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from pipeline.settings.effective import calendar_code
from pipeline.settings.findings import Case, Finding
from pipeline.settings.models.operations import DailyOperations, WeeklyReview
from pipeline.settings.timetable import Anchor, clock, daily_timetable

_REGULAR_HOURS = {"XNYS": ("09:30", "16:00"), "XNAS": ("09:30", "16:00")}


def _times_move(case: Case) -> Iterator[Finding]:
    if "daily_operations" not in case.settings.model_fields_set:
        return
    moved = [
        f"{found.name} {_signed(found.offset)} from the close"
        for found in daily_timetable(case.settings)
        if found.anchor is Anchor.CLOSE
    ]
    yield Finding(
        "times_follow_the_session",
        ("daily_operations",),
        f"times are those of a regular day and follow the session's real open and close: {'; '.join(moved)}",
        "nothing to do; on a half-day they come earlier",
        "info",
    )


def _signed(offset: timedelta) -> str:
    return f"{round(offset.total_seconds() / 60):+d} min"


def _timetable_order(case: Case) -> Iterator[Finding]:
    day, hours = case.settings.daily_operations, case.settings.data.market_hours
    wrong = {
        "pre_market.time": (day.pre_market.time >= hours.start_time, "before the open"),
        "market_open.time": (not hours.start_time <= day.market_open.time < hours.end_time, "in the session"),
        "market_close.time": (clock(day.market_close.time) < clock(hours.end_time), "at or after the close"),
        "post_market.time": (day.post_market.time <= day.market_close.time, "after market_close.time"),
    }
    for key, (is_wrong, should) in wrong.items():
        if is_wrong:
            yield Finding(
                "timetable_order",
                (f"daily_operations.{key}", "data.market_hours"),
                f"{key} is not {should} (the session is {hours.start_time} to {hours.end_time})",
                f"set a time {should}",
                "error",
            )


def _market_hours(case: Case) -> Iterator[Finding]:
    hours = case.settings.data.market_hours
    regular = _REGULAR_HOURS.get(calendar_code(case.settings))
    if regular is not None and (hours.start_time, hours.end_time) != regular:
        yield Finding(
            "hours_of_the_calendar",
            (
                "data.market_hours.start_time",
                "data.market_hours.end_time",
                "data.market_hours.trading_calendar",
            ),
            f"{hours.trading_calendar} trades from {regular[0]} to {regular[1]}; sessions follow it, and "
            "these two only say what the other times in the file are counted from",
            f'write "{regular[0]}" and "{regular[1]}"',
        )


def _left_out(case: Case) -> Iterator[Finding]:
    day, plain = case.settings.daily_operations, DailyOperations()
    rows = {
        f"daily_operations.{name}.procedures": (
            getattr(plain, name).procedures,
            getattr(day, name).procedures,
        )
        for name in DailyOperations.model_fields
    }
    review = case.settings.weekly_operations.weekly_review
    rows["weekly_operations.weekly_review.procedures"] = (WeeklyReview().procedures, review.procedures)
    for key, (usual, configured) in rows.items():
        missing = [step for step in usual if step not in configured]
        if missing:
            yield Finding(
                "procedure_left_out",
                (key,),
                f"{', '.join(missing)} will not run",
                "add the procedure when it was not left out on purpose",
            )


def _cannot_switch_off(case: Case) -> Iterator[Finding]:
    settings = case.settings
    emergency = settings.risk_management.emergency_controls
    stops = settings.emergency_procedures.automatic_stops.triggers
    off = {
        "risk_management.emergency_controls.kill_switch": emergency.kill_switch,
        "emergency_procedures.automatic_stops.triggers": not any(
            stop.system_error is False for stop in stops
        ),
        "monitoring.risk_monitoring.enabled": settings.monitoring.risk_monitoring.enabled,
    }
    for key in (key for key, is_on in off.items() if not is_on):
        yield Finding(
            "cannot_switch_off",
            (key,),
            "the kill switch, the stop on a system error and the risk monitor stay on, whatever a file says",
            "remove the key",
        )


def _nobody_hears(case: Case) -> Iterator[Finding]:
    monitoring, known = case.settings.monitoring, case.facts.notifiers
    channels = monitoring.alert_channels
    if not monitoring.enabled:
        yield Finding(
            "monitoring_disabled",
            ("monitoring.enabled",),
            "alerts are off: they are recorded, and nobody is told",
            "write `enabled: true`",
        )
    responses = monitoring.risk_monitoring.automated_responses
    at = "monitoring.risk_monitoring.automated_responses"
    for kind, wanted, channel in (
        ("sms", responses.sms_on_critical, channels.sms),
        ("email", responses.email_on_warning, channels.email),
    ):
        key = f"{at}.{kind}_on_{'critical' if kind == 'sms' else 'warning'}"
        if wanted and channel is None:
            yield Finding(
                "channel_missing",
                (key, f"monitoring.alert_channels.{kind}"),
                f"{kind} is to be sent, but monitoring.alert_channels.{kind} says nothing of where to",
                f"add monitoring.alert_channels.{kind}, or write {kind}_on_…: false",
            )
        elif known is not None and channel is not None and kind not in known:
            yield Finding(
                "channel_not_delivered",
                (f"monitoring.alert_channels.{kind}",),
                f"this installation has nothing that delivers {kind}",
                "use another channel as well",
            )


def _not_enforced(case: Case) -> Iterator[Finding]:
    controls = case.settings.risk_management.volatility_controls
    named = tuple(f"risk_management.volatility_controls.{name}" for name in sorted(controls.model_fields_set))
    if named:
        yield Finding(
            "not_enforced",
            named,
            "volatility limits are read and shown, but no gate of this version asks them",
            "do not count on them; lower position_size_pct instead",
        )


def _outside_hours(case: Case) -> Iterator[Finding]:
    if case.settings.data.source.ib_settings.enable_outside_rth:
        yield Finding(
            "outside_hours_refused",
            ("data.source.ib_settings.enable_outside_rth",),
            "orders are market orders; outside the regular session only limit orders make sense, so none go",
            "remove the key",
        )


OPERATION_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _times_move,
    _timetable_order,
    _market_hours,
    _left_out,
    _cannot_switch_off,
    _nobody_hears,
    _not_enforced,
    _outside_hours,
)
