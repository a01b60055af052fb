"""Lint of stops: actions that cannot be switched off, stops that come before the rung meant to speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from pipeline.settings.effective import emergency_plan, timeframe
from pipeline.settings.findings import Case, Finding
from pipeline.settings.timetable import monitoring_period

_STOPS = "emergency_procedures.automatic_stops"
_ALWAYS_KILL = (
    "halt_all_new_orders",
    "cancel_pending_orders",
    "send_emergency_alerts",
    "log_emergency_action",
)
_ALWAYS_STOP = ("halt_new_orders", "send_critical_alerts")


def _failures_first(case: Case) -> Iterator[Finding]:
    """The n-th failed pass comes (n − 1) monitor periods after the first, which begins the silence."""
    ladder = case.limits.ladder
    failures, period = ladder.halted_connectivity_failures, monitoring_period(case.settings)
    seconds = (failures - 1) * int(period.total_seconds())
    if not failures or seconds > ladder.reducing_silence_seconds:
        return
    yield Finding(
        "failures_before_silence",
        (
            f"{_STOPS}.triggers",
            "monitoring.risk_monitoring.check_frequency_seconds",
            "risk_management.emergency_controls.broker_connection_timeout",
        ),
        f"{failures} failed checks {period.total_seconds():.0f} s apart halt after {seconds} s of silence; "
        f"exits only, after {ladder.reducing_silence_seconds} s, is never in force",
        "leave connectivity_failures out, or ask for more of them",
    )


def _cannot_be_switched_off(case: Case) -> Iterator[Finding]:
    procedures = case.settings.emergency_procedures
    for key, wanted, always in (
        ("emergency_procedures.kill_switch.actions", procedures.kill_switch.actions, _ALWAYS_KILL),
        (f"{_STOPS}.actions", procedures.automatic_stops.actions, _ALWAYS_STOP),
    ):
        missing = [name for name in always if name not in wanted]
        if missing:
            yield Finding(
                "action_always_done",
                (key,),
                f"{', '.join(missing)} left out, but done: a stop always stops, cancels and tells",
                "list it, so that the file says what happens",
                "info",
            )


def _selling(case: Case) -> Iterator[Finding]:
    plan = emergency_plan(case.settings)
    if plan.stop_closes and "reduce_position_sizes" in plan.stop_actions:
        yield Finding(
            "closing_wins",
            (f"{_STOPS}.actions",),
            "a stop both closes every position and makes them smaller; closing wins",
            "keep one of the two",
        )
    elif plan.stop_reduces:
        yield Finding(
            "stops_sell",
            (f"{_STOPS}.actions", f"{_STOPS}.reduce_to"),
            f"an automatic stop sells down to {plan.reduce_to // 10_000} % of each position",
            "remove reduce_position_sizes when positions should be kept",
            "info",
        )


def _impatient_watchdog(case: Case) -> Iterator[Finding]:
    plan, bar = emergency_plan(case.settings), timeframe(case.settings).length
    if timedelta(minutes=plan.quiet_minutes) <= bar:
        yield Finding(
            "watchdog_impatient",
            ("emergency_procedures.watchdog.quiet_minutes", "data.timeframe"),
            f"the watchdog speaks after {plan.quiet_minutes} minutes without a tick, a bar lasts "
            f"{bar // timedelta(minutes=1)}: it would always speak",
            "give it two bars, or leave it out",
        )


STOP_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _failures_first,
    _cannot_be_switched_off,
    _selling,
    _impatient_watchdog,
)
