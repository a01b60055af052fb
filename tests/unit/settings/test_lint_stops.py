"""Stops that contradict each other, or come before the rung that was meant to speak."""

from __future__ import annotations

import pytest

from pipeline.settings.effective import emergency_plan
from pipeline.settings.lint import lint
from tests.unit.settings.conftest import Read
from tests.unit.settings.test_lint import found


def failures(count: int, seconds: int = 30) -> str:
    """Return a configuration of so many failed checks, so far apart."""
    return (
        f"monitoring: {{risk_monitoring: {{check_frequency_seconds: {seconds}}}}}\n"
        f"emergency_procedures: {{automatic_stops: {{triggers: [{{connectivity_failures: {count}}}]}}}}"
    )


@pytest.mark.parametrize(("count", "speaks"), [(2, True), (3, True), (4, False)])
def test_failures_that_halt_before_the_silence_rung_are_named(read: Read, count: int, speaks: bool) -> None:
    """The third fails 2 × 30 s after the first: 60 s, and the rung speaks only after more than 60 s."""
    named = found("failures_before_silence", lint(read(failures(count))))

    assert bool(named) is speaks


def test_no_failures_configured_is_no_failsafe_and_nothing_to_say(read: Read) -> None:
    assert not found("failures_before_silence", lint(read("")))


def test_actions_that_are_done_anyway_are_named_when_left_out(read: Read) -> None:
    text = "emergency_procedures: {kill_switch: {actions: [halt_all_new_orders]}}"
    named = found("action_always_done", lint(read(text)))

    assert [finding.severity for finding in named] == ["info"]
    assert "cancel_pending_orders, send_emergency_alerts, log_emergency_action left out" in named[0].message


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ("halt_new_orders, send_critical_alerts, reduce_position_sizes", "stops_sell"),
        ("halt_new_orders, send_critical_alerts, reduce_position_sizes, close_all_positions", "closing_wins"),
    ],
)
def test_stops_that_sell_say_so(read: Read, actions: str, code: str) -> None:
    text = f"emergency_procedures: {{automatic_stops: {{actions: [{actions}], reduce_to: 0.25}}}}"
    codes = {finding.code for finding in lint(read(text))}

    assert {"stops_sell", "closing_wins"} & codes == {code}


def test_a_watchdog_that_waits_less_than_a_bar_is_named(read: Read) -> None:
    text = "data: {timeframe: 5m}\nemergency_procedures: {watchdog: {quiet_minutes: 5}}"

    assert found("watchdog_impatient", lint(read(text)))
    assert emergency_plan(read("data: {timeframe: 5m}")).quiet_minutes == 11
    assert emergency_plan(read("")).quiet_minutes == 5


def test_real_money_sees_a_test_order_only_where_it_is_asked_for(read: Read) -> None:
    """Play money sees one unless it is forbidden."""
    live = (
        "data: {source: {environment: live}}\n"
        "live_arming: {account: '123456789', confirm: I accept real losses, valid_until: 2026-12-31}\n"
    )
    recovery = "emergency_procedures: {recovery_procedures: {test_order: %s}}"

    assert emergency_plan(read("")).tests_orders
    assert not emergency_plan(read(recovery % "false")).tests_orders
    assert not emergency_plan(read(live)).tests_orders
    assert emergency_plan(read(live + recovery % "true")).tests_orders
