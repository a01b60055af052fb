"""The runbook: ``daily_operations``, ``weekly_operations``, ``emergency_procedures``.

Every procedure named here is a step that the product carries out and records; other names are refused.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from pipeline.settings.kinds import Count, Flag, Items, Loss, Seconds, Share, ShareOrZero, TimeOfDay, as_whole
from pipeline.settings.models.base import Block

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

PreMarketStep = Literal[
    "check_system_health",
    "validate_data_feeds",
    "review_overnight_news",
    "check_position_limits",
    "validate_risk_controls",
]
MarketOpenStep = Literal["enable_trading", "confirm_data_flowing", "validate_first_signals"]
IntradayStep = Literal[
    "check_position_status", "monitor_pnl", "validate_risk_metrics", "check_system_performance"
]
MarketCloseStep = Literal[
    "disable_new_positions", "review_daily_performance", "generate_daily_report", "backup_trading_logs"
]
PostMarketStep = Literal["reconcile_positions", "update_performance_tracking", "prepare_next_day_config"]
WeeklyStep = Literal[
    "analyze_weekly_performance",
    "review_parameter_stability",
    "check_strategy_health",
    "update_risk_limits",
    "review_transaction_costs",
]
ReoptimizationStep = Literal[
    "collect_recent_data",
    "run_walk_forward_update",
    "validate_new_parameters",
    "gradual_parameter_transition",
]
KillTrigger = Literal["web_interface_button", "email_command", "phone_call_verification", "sms_command"]
KillAction = Literal[
    "halt_all_new_orders",
    "cancel_pending_orders",
    "close_all_positions",
    "send_emergency_alerts",
    "log_emergency_action",
]
StopAction = Literal[
    "halt_new_orders",
    "reduce_position_sizes",
    "close_all_positions",
    "send_critical_alerts",
    "attempt_system_recovery",
]
RecoveryStep = Literal[
    "validate_system_health",
    "check_position_integrity",
    "verify_data_feeds",
    "test_order_placement",
    "gradual_trading_resumption",
]


class PreMarket(Block):
    """``pre_market``."""

    time: TimeOfDay = "08:30"
    procedures: Items[PreMarketStep] = (
        "check_system_health",
        "validate_data_feeds",
        "review_overnight_news",
        "check_position_limits",
        "validate_risk_controls",
    )


class MarketOpen(Block):
    """``market_open``."""

    time: TimeOfDay = "09:30"
    procedures: Items[MarketOpenStep] = ("enable_trading", "confirm_data_flowing", "validate_first_signals")


class Intraday(Block):
    """``intraday``."""

    frequency: Annotated[str, Field(pattern=r"^(hourly|[1-9]\d{0,3}[smh])$")] = "hourly"
    procedures: Items[IntradayStep] = (
        "check_position_status",
        "monitor_pnl",
        "validate_risk_metrics",
        "check_system_performance",
    )


class MarketClose(Block):
    """``market_close``."""

    time: TimeOfDay = "16:00"
    procedures: Items[MarketCloseStep] = (
        "disable_new_positions",
        "review_daily_performance",
        "generate_daily_report",
        "backup_trading_logs",
    )


class PostMarket(Block):
    """``post_market``."""

    time: TimeOfDay = "17:00"
    procedures: Items[PostMarketStep] = (
        "reconcile_positions",
        "update_performance_tracking",
        "prepare_next_day_config",
    )


class DailyOperations(Block):
    """``daily_operations``. Times are those of a regular day; half-days move them."""

    pre_market: PreMarket = PreMarket()
    market_open: MarketOpen = MarketOpen()
    intraday: Intraday = Intraday()
    market_close: MarketClose = MarketClose()
    post_market: PostMarket = PostMarket()


class WeeklyReview(Block):
    """``weekly_review``."""

    day: Weekday = "sunday"
    time: TimeOfDay = "10:00"
    procedures: Items[WeeklyStep] = (
        "analyze_weekly_performance",
        "review_parameter_stability",
        "check_strategy_health",
        "update_risk_limits",
        "review_transaction_costs",
    )


def _condition(value: str) -> str:
    if not re.fullmatch(
        r"(performance_degradation|parameter_drift) > \d+(\.\d+)?|new_regime_detected", value
    ):
        known = "`performance_degradation > 0.3`, `parameter_drift > 0.5` or `new_regime_detected`"
        raise ValueError(f"is not a trigger; write one of {known}")
    return value


class ParameterReview(Block):
    """``parameter_review``."""

    frequency: Literal["weekly", "monthly", "quarterly"] = "monthly"
    trigger_conditions: Items[Annotated[str, AfterValidator(_condition)]] = (
        "performance_degradation > 0.3",
        "parameter_drift > 0.5",
        "new_regime_detected",
    )
    reoptimization_process: Items[ReoptimizationStep] = (
        "collect_recent_data",
        "run_walk_forward_update",
        "validate_new_parameters",
        "gradual_parameter_transition",
    )


class WeeklyOperations(Block):
    """``weekly_operations``."""

    weekly_review: WeeklyReview = WeeklyReview()
    parameter_review: ParameterReview = ParameterReview()


class KillSwitch(Block):
    """``kill_switch``. It sells only when ``close_all_positions`` is among its actions.

    ``cancel_external``: whether it also cancels orders in the account that are not the desk's.
    """

    trigger_methods: Items[KillTrigger] = ()
    actions: Items[KillAction] = (
        "halt_all_new_orders",
        "cancel_pending_orders",
        "send_emergency_alerts",
        "log_emergency_action",
    )
    cancel_external: Flag = False


class StopTrigger(Block):
    """One of ``triggers``: a mapping with exactly one of these keys."""

    drawdown_limit: Loss | None = None
    daily_loss_limit: Loss | None = None
    system_error: Flag | None = None
    broker_disconnection: Seconds | None = None
    connectivity_failures: Count | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> StopTrigger:
        if len(self.model_fields_set) != 1:
            raise ValueError("must hold exactly one key, as in `- drawdown_limit: 0.15`")
        return self


class AutomaticStops(Block):
    """``automatic_stops``. ``reduce_to``: what ``reduce_position_sizes`` leaves of each position.

    They sell only when ``close_all_positions`` or ``reduce_position_sizes`` is among their actions.
    """

    triggers: Items[StopTrigger] = ()
    actions: Items[StopAction] = ("halt_new_orders", "send_critical_alerts")
    reduce_to: ShareOrZero = 0.5


class RecoveryProcedures(Block):
    """``recovery_procedures``. ``size_ramp``: size of entries, session by session, after a resume.

    ``test_order``: whether ``test_order_placement`` places an order that cannot fill and cancels it; left
    out, it does so with play money only.
    """

    system_restart: Items[RecoveryStep] = (
        "validate_system_health",
        "check_position_integrity",
        "verify_data_feeds",
        "test_order_placement",
        "gradual_trading_resumption",
    )
    test_order: Flag | None = None
    size_ramp: Annotated[tuple[Share, ...], Field(strict=False, min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _ramp_rises(self) -> RecoveryProcedures:
        ramp = self.size_ramp
        if ramp is not None and (list(ramp) != sorted(ramp) or ramp[-1] != 1):
            raise ValueError("size_ramp must rise and end at 1.0, as in [0.25, 0.5, 1.0]")
        return self


class Watchdog(Block):
    """``watchdog``. Left out, ``quiet_minutes`` is 5, or two bars and a minute where bars are longer."""

    quiet_minutes: Annotated[int, PlainValidator(as_whole), Field(ge=1, le=390)] | None = None


class EmergencyProcedures(Block):
    """``emergency_procedures``."""

    kill_switch: KillSwitch = KillSwitch()
    automatic_stops: AutomaticStops = AutomaticStops()
    recovery_procedures: RecoveryProcedures = RecoveryProcedures()
    watchdog: Watchdog = Watchdog()
