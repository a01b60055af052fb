"""What is reported to whom, when: ``reporting``."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.kinds import Email, Flag, Items, TimeOfDay
from pipeline.settings.models.base import Block
from pipeline.settings.models.operations import Weekday

DailySection = Literal["daily_pnl_summary", "position_summary", "risk_metrics", "trade_log", "system_health"]
WeeklySection = Literal[
    "weekly_performance_analysis",
    "strategy_attribution",
    "risk_analysis",
    "transaction_cost_analysis",
    "parameter_stability",
]
MonthlySection = Literal[
    "monthly_performance_review", "strategy_health_assessment", "risk_review", "optimization_recommendations"
]


class DailyReports(Block):
    """``daily_reports``. The time is that of a regular day; a half-day moves it with the close."""

    enabled: Flag = True
    delivery_time: TimeOfDay = "17:30"
    recipients: Items[Email] = ()
    content: Items[DailySection] = (
        "daily_pnl_summary",
        "position_summary",
        "risk_metrics",
        "trade_log",
        "system_health",
    )


class WeeklyReports(Block):
    """``weekly_reports``."""

    enabled: Flag = True
    delivery_day: Weekday = "monday"
    delivery_time: TimeOfDay = "08:00"
    recipients: Items[Email] = ()
    content: Items[WeeklySection] = (
        "weekly_performance_analysis",
        "strategy_attribution",
        "risk_analysis",
        "transaction_cost_analysis",
        "parameter_stability",
    )


class MonthlyReports(Block):
    """``monthly_reports``."""

    enabled: Flag = True
    delivery_day: Literal["first_business_day"] = "first_business_day"
    delivery_time: TimeOfDay = "08:00"
    recipients: Items[Email] = ()
    content: Items[MonthlySection] = (
        "monthly_performance_review",
        "strategy_health_assessment",
        "risk_review",
        "optimization_recommendations",
    )


class Reporting(Block):
    """``reporting``."""

    daily_reports: DailyReports = DailyReports()
    weekly_reports: WeeklyReports = WeeklyReports()
    monthly_reports: MonthlyReports = MonthlyReports()
