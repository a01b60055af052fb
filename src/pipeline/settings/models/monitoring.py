"""What is watched and who hears of it: ``monitoring``, ``performance_monitoring``, ``logging``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.kinds import Count, Email, Flag, Items, Loss, Seconds, Share, SignedLoss, Text
from pipeline.settings.models.base import Block
from pipeline.settings.values import Secret

MonitoredMetric = Literal[
    "current_drawdown",
    "daily_pnl",
    "position_concentration",
    "gross_exposure",
    "cash_level",
    "unrealized_pnl",
]
CoreMetric = Literal[
    "current_pnl",
    "unrealized_pnl",
    "realized_pnl",
    "current_drawdown",
    "gross_exposure",
    "net_exposure",
    "cash_balance",
]
RiskMetric = Literal["portfolio_var", "position_concentration", "correlation_risk", "leverage_ratio"]
TradingMetric = Literal["trades_today", "win_rate_today", "avg_trade_pnl", "transaction_costs"]


class SlackBot(Block):
    """``slack``: a bot, which can thread an incident's messages; a webhook cannot."""

    bot_token: Secret
    channel: Text


class AlertChannels(Block):
    """``alert_channels``. A webhook's address is a password: whoever has it can post."""

    email: Email | None = None
    webhook: Secret | None = None
    sms: Secret | None = None
    slack: SlackBot | None = None


class AlertConditions(Block):
    """``alert_conditions``: what is announced. What halts trading is announced whatever stands here."""

    position_opened: Flag = True
    position_closed: Flag = True
    stop_loss_triggered: Flag = True
    daily_loss_limit_reached: Flag = True
    system_error: Flag = True


class AlertThresholds(Block):
    """``alert_thresholds``."""

    drawdown_warning: Loss | None = None
    drawdown_critical: Loss | None = None
    daily_loss_warning: Loss | None = None
    exposure_warning: Share | None = None


class AutomatedResponses(Block):
    """``automated_responses``. ``reduced_size``: share of the usual size of an entry in CAUTIOUS."""

    reduce_size_on_drawdown: Flag = True
    halt_trading_on_critical: Flag = True
    email_on_warning: Flag = False
    sms_on_critical: Flag = False
    reduced_size: Share | None = None


class RiskMonitoring(Block):
    """``risk_monitoring``."""

    enabled: Flag = True
    check_frequency_seconds: Seconds = 30
    monitored_metrics: Items[MonitoredMetric] = (
        "current_drawdown",
        "daily_pnl",
        "position_concentration",
        "gross_exposure",
        "cash_level",
        "unrealized_pnl",
    )
    alert_thresholds: AlertThresholds = AlertThresholds()
    automated_responses: AutomatedResponses = AutomatedResponses()


class Reconciliation(Block):
    """``reconciliation``: the books against the broker, besides the checks of the timetable.

    ``frequency``: longest time between two looks while the session is open; ``residual_limit``: change of
    equity that nothing explains, as a fraction of equity, above which it is told.
    """

    frequency: Annotated[str, Field(pattern=r"^[1-9]\d{0,3}[smh]$")] = "10m"
    residual_limit: Share = 0.0005


class Monitoring(Block):
    """``monitoring``."""

    enabled: Flag = True
    alert_channels: AlertChannels = AlertChannels()
    alert_conditions: AlertConditions = AlertConditions()
    risk_monitoring: RiskMonitoring = RiskMonitoring()
    reconciliation: Reconciliation = Reconciliation()
    enhanced_monitoring: Flag = False
    real_time_alerts: Flag = True
    daily_reports: Flag = True


class RealTimeMetrics(Block):
    """``real_time_metrics``."""

    update_frequency: Annotated[str, Field(pattern=r"^[1-9]\d{0,3}[smh]$")] = "1m"
    core_metrics: Items[CoreMetric] = ()
    risk_metrics: Items[RiskMetric] = ()
    trading_metrics: Items[TradingMetric] = ()


class PnlAlerts(Block):
    """``pnl_alerts``: signed, as a profit and loss is."""

    daily_loss_threshold: SignedLoss | None = None
    weekly_loss_threshold: SignedLoss | None = None


class PositionAlerts(Block):
    """``position_alerts``: fractions of equity."""

    large_position_threshold: Share | None = None
    concentrated_exposure: Share | None = None


class TradingAlerts(Block):
    """``trading_alerts``: trades a day; slippage as a fraction of the price."""

    excessive_trading: Count | None = None
    poor_execution: Loss | None = None


class PerformanceAlerts(Block):
    """``performance_alerts``."""

    pnl_alerts: PnlAlerts = PnlAlerts()
    position_alerts: PositionAlerts = PositionAlerts()
    trading_alerts: TradingAlerts = TradingAlerts()


class PerformanceMonitoring(Block):
    """``performance_monitoring``."""

    real_time_metrics: RealTimeMetrics = RealTimeMetrics()
    performance_alerts: PerformanceAlerts = PerformanceAlerts()


class Logging(Block):
    """``logging``."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_trades: Flag = True
    log_signals: Flag = True
    log_portfolio_updates: Flag = True
    output_path: Text = "logs/live_trading/"
