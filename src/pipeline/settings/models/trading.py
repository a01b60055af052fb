"""What is traded and within which limits: ``workflow``, ``strategies``, ``risk_management``, ``execution``,
``portfolio``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, StringConstraints

from pipeline.settings.kinds import (
    Count,
    Days,
    Flag,
    Leverage,
    Loss,
    Minutes,
    Money,
    Seconds,
    SecondsOrZero,
    Share,
    ShareOrZero,
    Text,
    Volatility,
    scalar_of,
)
from pipeline.settings.models.base import Block
from pipeline.settings.values import Expanded

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]


def _parameter(value: object) -> int | float | bool | str:
    """Return a strategy's parameter; which names and ranges there are, the strategy's own code says."""
    if isinstance(value, Expanded):
        value = scalar_of(value)
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError("must be a finite number")
    if not isinstance(value, int | float | str):
        raise ValueError("must be a number, true, false or text")  # noqa: TRY004 - pydantic wants ValueError
    return value


Parameter = Annotated[int | float | bool | str, PlainValidator(_parameter)]


class Workflow(Block):
    """``workflow``: what this file is for, and the name people see."""

    type: Literal["live_trading"] = "live_trading"
    name: Text = "Marketday"


class Strategy(Block):
    """One of ``strategies``. Its orders and its share of the equity carry its ``name``."""

    type: Name
    name: Name
    params: Mapping[Name, Parameter] = Field(default_factory=dict)
    allocation: Share = 1.0


class PositionControls(Block):
    """``position_controls``."""

    max_position_size_usd: Money | None = None
    position_size_pct: Share | None = None
    max_leverage: Leverage | None = None


class PortfolioControls(Block):
    """``portfolio_controls``."""

    max_drawdown_pct: Loss | None = None
    daily_loss_limit_pct: Loss | None = None
    monthly_loss_limit_pct: Loss | None = None


class TimeControls(Block):
    """``time_controls``. Minutes count back from the session's real close."""

    no_trading_near_close: Flag = True
    close_positions_minutes: Minutes | None = None
    max_holding_period_days: Days | None = None


class VolatilityControls(Block):
    """``volatility_controls``: annualised."""

    max_symbol_volatility: Volatility | None = None
    portfolio_volatility_limit: Volatility | None = None
    volatility_adjustment: Flag = False


class EmergencyControls(Block):
    """``emergency_controls``. Liquidation sells everything by itself: it is on only when it is written."""

    kill_switch: Flag = True
    auto_liquidation_drawdown: Loss | None = None
    broker_connection_timeout: Seconds | None = None


class RiskManagement(Block):
    """``risk_management``. A key that is left out has the seed's value (``domain.risk``), never "no limit".

    ``stop_loss_pct: null`` is the one limit that can be switched off; lint says so.
    """

    position_size_pct: Share | None = None
    max_positions: Count | None = None
    max_exposure_pct: Share | None = None
    stop_loss_pct: Loss | None = None
    daily_loss_limit_pct: Loss | None = None
    position_controls: PositionControls = PositionControls()
    portfolio_controls: PortfolioControls = PortfolioControls()
    time_controls: TimeControls = TimeControls()
    volatility_controls: VolatilityControls = VolatilityControls()
    emergency_controls: EmergencyControls = EmergencyControls()


class PositionManagement(Block):
    """``position_management``. What is not filled after ``timeout_seconds`` is cancelled."""

    enable_partial_fills: Flag = True
    timeout_seconds: Seconds | None = None


class Execution(Block):
    """``execution``.

    Attributes:
        execution_delay_seconds: the review hold between a decision and its order, in which it can be vetoed.
        price_collar_pct: largest move from the decision's price to the market's at which an order goes out.
        max_orders_per_session, max_orders_per_minute: entries stop when the account has sent so many orders.
        max_order_quantity: shares in one order.
    """

    order_type: Literal["market", "limit"] = "market"
    execution_delay_seconds: SecondsOrZero | None = None
    price_collar_pct: Loss | None = None
    max_orders_per_session: Count | None = None
    max_orders_per_minute: Count | None = None
    max_order_quantity: Money | None = None
    position_management: PositionManagement = PositionManagement()


class CashManagement(Block):
    """``cash_management``."""

    min_cash_pct: ShareOrZero | None = None


class Portfolio(Block):
    """``portfolio``. ``initial_capital`` is the rehearsal account's; a broker's account has its own."""

    initial_capital: Money = 10_000
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,5}$")] = "USD"
    cash_management: CashManagement = CashManagement()
