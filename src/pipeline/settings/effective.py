"""What follows from the settings: one number per limit, strategies, redaction, fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pipeline.domain.market import Timeframe
from pipeline.domain.money import to_money, to_ppm, to_qty
from pipeline.domain.risk import Ladder, RiskLimits
from pipeline.domain.stops import EmergencyPlan
from pipeline.errors import ConfigurationError
from pipeline.settings.connection import Mode, mode
from pipeline.settings.models.data import CALENDARS
from pipeline.settings.models.root import Settings
from pipeline.settings.problems import did_you_mean

SEED_LIMITS = RiskLimits(ladder=replace(Ladder(), liquidating_drawdown=None))
"""What holds when a key is left out. Selling everything is the one rung that has to be asked for."""


@dataclass(frozen=True, slots=True)
class LimitSource:
    """One key that sets a limit, in the limit's own unit (:class:`pipeline.domain.risk.RiskLimits`)."""

    limit: str
    key: str
    value: int


@dataclass(frozen=True, slots=True)
class StrategySetup:
    """One strategy as configured. ``allocation`` is its share of equity in ppm."""

    type: str
    name: str
    params: Mapping[str, int | float | bool | str]
    allocation: int


def risk_limits(settings: Settings, stage: str | None = None) -> RiskLimits:
    """Return every limit, resolved to one number: of several keys for one limit the strictest holds.

    Args:
        stage: stage of ``deployment.scaling_schedule`` that has been reached; by default the first,
            because a later one is earned.

    Raises:
        ConfigurationError: no such stage.
    """
    strictest = _strictest(settings, stage)
    ladder_fields: dict[str, Any] = {
        field: strictest[field] for field in _LADDER_FIELDS if field in strictest
    }
    limit_fields: dict[str, Any] = {field: strictest[field] for field in _LIMIT_FIELDS if field in strictest}
    ladder = replace(SEED_LIMITS.ladder, **_ladder_switches(settings), **ladder_fields)
    limits = replace(SEED_LIMITS, ladder=ladder, **limit_fields)
    return replace(limits, **_special_limits(settings, limits))


def _strictest(settings: Settings, stage: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for source in limit_sources(settings, stage):
        # More cash kept is stricter; for everything else the smaller number is.
        stricter = max if source.limit == "min_cash" else min
        found[source.limit] = stricter(found.get(source.limit, source.value), source.value)
    return found


def limit_sources(settings: Settings, stage: str | None = None) -> tuple[LimitSource, ...]:
    """Return every key that sets a limit, in the order of the file's sections."""
    sources = (*_flat(settings), *_controls(settings), *_monitored(settings), *_stops(settings))
    return (*sources, *_stage(settings, stage), *_other(settings))


def _ppm(limit: str, key: str, value: float | None) -> Iterator[LimitSource]:
    if value is not None:
        yield LimitSource(limit, key, to_ppm(abs(value)))


def _whole(limit: str, key: str, value: int | None) -> Iterator[LimitSource]:
    if value is not None:
        yield LimitSource(limit, key, value)


def _flat(settings: Settings) -> Iterator[LimitSource]:
    risk, at = settings.risk_management, "risk_management"
    yield from _ppm("position_size", f"{at}.position_size_pct", risk.position_size_pct)
    yield from _whole("max_positions", f"{at}.max_positions", risk.max_positions)
    yield from _ppm("max_exposure", f"{at}.max_exposure_pct", risk.max_exposure_pct)
    yield from _ppm("stop_loss", f"{at}.stop_loss_pct", risk.stop_loss_pct)
    yield from _ppm("reducing_daily_loss", f"{at}.daily_loss_limit_pct", risk.daily_loss_limit_pct)


def _controls(settings: Settings) -> Iterator[LimitSource]:
    risk, at = settings.risk_management, "risk_management"
    position, portfolio = risk.position_controls, risk.portfolio_controls
    emergency = risk.emergency_controls
    if position.max_position_size_usd is not None:
        cap = to_money(position.max_position_size_usd)
        yield LimitSource("max_position_money", f"{at}.position_controls.max_position_size_usd", cap)
    yield from _ppm("position_size", f"{at}.position_controls.position_size_pct", position.position_size_pct)
    yield from _ppm("max_leverage", f"{at}.position_controls.max_leverage", position.max_leverage)
    at_portfolio = f"{at}.portfolio_controls"
    yield from _ppm("halted_drawdown", f"{at_portfolio}.max_drawdown_pct", portfolio.max_drawdown_pct)
    yield from _ppm(
        "reducing_daily_loss", f"{at_portfolio}.daily_loss_limit_pct", portfolio.daily_loss_limit_pct
    )
    yield from _ppm(
        "reducing_monthly_loss", f"{at_portfolio}.monthly_loss_limit_pct", portfolio.monthly_loss_limit_pct
    )
    days = risk.time_controls.max_holding_period_days
    yield from _whole("max_holding_days", f"{at}.time_controls.max_holding_period_days", days)
    at_emergency = f"{at}.emergency_controls"
    liquidation = emergency.auto_liquidation_drawdown
    yield from _ppm("liquidating_drawdown", f"{at_emergency}.auto_liquidation_drawdown", liquidation)
    timeout = emergency.broker_connection_timeout
    yield from _whole("reducing_silence_seconds", f"{at_emergency}.broker_connection_timeout", timeout)


def _monitored(settings: Settings) -> Iterator[LimitSource]:
    watched = settings.monitoring.risk_monitoring
    thresholds, responses = watched.alert_thresholds, watched.automated_responses
    at = "monitoring.risk_monitoring.alert_thresholds"
    if responses.reduce_size_on_drawdown:
        yield from _ppm("cautious_drawdown", f"{at}.drawdown_warning", thresholds.drawdown_warning)
    if responses.halt_trading_on_critical:
        yield from _ppm("reducing_drawdown", f"{at}.drawdown_critical", thresholds.drawdown_critical)
    yield from _ppm("cautious_daily_loss", f"{at}.daily_loss_warning", thresholds.daily_loss_warning)
    alerts = settings.performance_monitoring.performance_alerts.pnl_alerts
    signed = "performance_monitoring.performance_alerts.pnl_alerts.daily_loss_threshold"
    yield from _ppm("cautious_daily_loss", signed, alerts.daily_loss_threshold)
    reduced = "monitoring.risk_monitoring.automated_responses.reduced_size"
    yield from _ppm("cautious_size", reduced, responses.reduced_size)


def _stops(settings: Settings) -> Iterator[LimitSource]:
    for index, trigger in enumerate(settings.emergency_procedures.automatic_stops.triggers):
        at = f"emergency_procedures.automatic_stops.triggers[{index}]"
        yield from _ppm("halted_drawdown", f"{at}.drawdown_limit", trigger.drawdown_limit)
        yield from _ppm("halted_daily_loss", f"{at}.daily_loss_limit", trigger.daily_loss_limit)
        silence, failures = trigger.broker_disconnection, trigger.connectivity_failures
        yield from _whole("halted_silence_seconds", f"{at}.broker_disconnection", silence)
        yield from _whole("halted_connectivity_failures", f"{at}.connectivity_failures", failures)


def _stage(settings: Settings, name: str | None) -> Iterator[LimitSource]:
    schedule = settings.deployment.scaling_schedule
    if name is not None and name not in schedule:
        raise ConfigurationError(
            "deployment.scaling_schedule", name, f"no such stage; {did_you_mean(name, schedule)}"
        )
    reached = name or next(iter(schedule), None)
    if reached is not None:
        at = f"deployment.scaling_schedule.{reached}"
        yield from _ppm("position_size", f"{at}.position_size_pct", schedule[reached].position_size_pct)
        yield from _whole("max_positions", f"{at}.max_positions", schedule[reached].max_positions)


def _other(settings: Settings) -> Iterator[LimitSource]:
    execution = settings.execution
    yield from _ppm(
        "min_cash", "portfolio.cash_management.min_cash_pct", settings.portfolio.cash_management.min_cash_pct
    )
    timeout = execution.position_management.timeout_seconds
    yield from _whole("order_timeout_seconds", "execution.position_management.timeout_seconds", timeout)
    hold = execution.execution_delay_seconds
    yield from _whole("review_hold_seconds", "execution.execution_delay_seconds", hold)
    yield from _ppm("price_collar", "execution.price_collar_pct", execution.price_collar_pct)
    most = execution.max_orders_per_session
    yield from _whole("max_orders_per_session", "execution.max_orders_per_session", most)
    rate = execution.max_orders_per_minute
    yield from _whole("max_orders_per_minute", "execution.max_orders_per_minute", rate)
    if execution.max_order_quantity is not None:
        quantity = to_qty(execution.max_order_quantity)
        yield LimitSource("max_order_quantity", "execution.max_order_quantity", quantity)
    yield from _whole("max_data_age_bars", "data.max_age_bars", settings.data.max_age_bars)
    yield from _whole("max_gap_bars", "data.max_gap_bars", settings.data.max_gap_bars)
    yield from _whole("frozen_bars", "data.frozen_bars", settings.data.frozen_bars)


_LIMIT_FIELDS = (
    "position_size",
    "max_position_money",
    "max_positions",
    "max_exposure",
    "max_leverage",
    "min_cash",
    "stop_loss",
    "max_holding_days",
    "order_timeout_seconds",
    "review_hold_seconds",
    "price_collar",
    "max_orders_per_session",
    "max_orders_per_minute",
    "max_order_quantity",
    "max_data_age_bars",
    "max_gap_bars",
    "frozen_bars",
)
_LADDER_FIELDS = (
    "cautious_drawdown",
    "reducing_drawdown",
    "halted_drawdown",
    "liquidating_drawdown",
    "cautious_daily_loss",
    "reducing_daily_loss",
    "halted_daily_loss",
    "reducing_monthly_loss",
    "reducing_silence_seconds",
    "halted_silence_seconds",
    "halted_connectivity_failures",
    "cautious_size",
)


def _ladder_switches(settings: Settings) -> dict[str, Any]:
    """Return what is not a matter of "the stricter": rungs switched off, and the ramp after a resume."""
    responses = settings.monitoring.risk_monitoring.automated_responses
    ramp = settings.emergency_procedures.recovery_procedures.size_ramp
    changed: dict[str, Any] = {}
    if not responses.reduce_size_on_drawdown:
        changed["cautious_drawdown"] = None
    if not responses.halt_trading_on_critical:
        changed["reducing_drawdown"] = None
    if ramp is not None:
        changed["resume_ramp"] = tuple(to_ppm(size) for size in ramp)
    return changed


def _special_limits(settings: Settings, limits: RiskLimits) -> dict[str, Any]:
    """Return the window before the close, and a stop loss that was switched off."""
    risk = settings.risk_management
    flatten = risk.time_controls.close_positions_minutes or 0
    # What is bought inside the flatten window is sold at the next tick: it is always closed to entries.
    changed: dict[str, Any] = {
        "flatten_minutes": flatten,
        "no_entry_minutes": max(flatten, limits.no_entry_minutes),
    }
    if risk.stop_loss_pct is None and "stop_loss_pct" in risk.model_fields_set:
        changed["stop_loss"] = None
    return changed


def redacted(settings: Settings) -> dict[str, Any]:
    """Return the effective configuration as plain data, with dots in the place of every secret."""
    return settings.model_dump(mode="json")


def fingerprint(settings: Settings) -> str:
    """Return the SHA-256 of the redacted effective configuration, as 64 hexadecimal digits.

    It is the same with and without credentials, so that a report and the run it is about agree.
    """
    canonical = json.dumps(redacted(settings), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def strategy_setups(settings: Settings) -> tuple[StrategySetup, ...]:
    """Return the strategies, in the order of the file."""
    return tuple(
        StrategySetup(found.type, found.name, dict(found.params), to_ppm(found.allocation))
        for found in settings.strategies
    )


def timeframe(settings: Settings) -> Timeframe:
    """Return the length of a bar."""
    return Timeframe(settings.data.timeframe)


def calendar_code(settings: Settings) -> str:
    """Return the market identifier code of the calendar: NYSE is XNYS."""
    name = settings.data.market_hours.trading_calendar
    return CALENDARS.get(name, name)


def initial_cash(settings: Settings) -> int:
    """Return ``portfolio.initial_capital`` in micro units."""
    return to_money(settings.portfolio.initial_capital)


def kill_switch_closes(settings: Settings) -> bool:
    """Tell whether the kill switch sells what is held, besides stopping."""
    return emergency_plan(settings).kill_closes


def emergency_plan(settings: Settings) -> EmergencyPlan:
    """Return what stops do besides stopping, and how long the watchdog waits for a tick.

    A real account sees the recovery's test order only where it is asked for.
    """
    procedures = settings.emergency_procedures
    stops, recovery = procedures.automatic_stops, procedures.recovery_procedures
    play_money = mode(settings) is not Mode.LIVE
    bars = 2 * timeframe(settings).length // timedelta(minutes=1) + 1
    return EmergencyPlan(
        kill_actions=procedures.kill_switch.actions,
        stop_actions=stops.actions,
        reduce_to=to_ppm(stops.reduce_to),
        tests_orders=play_money if recovery.test_order is None else recovery.test_order,
        cancels_external=procedures.kill_switch.cancel_external,
        quiet_minutes=procedures.watchdog.quiet_minutes or max(5, bars),
    )
