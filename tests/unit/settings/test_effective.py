"""One number per limit, the timetable, and the rehearsal exchange's document."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.domain.market import Timeframe
from pipeline.domain.risk import Ladder, RiskLimits
from pipeline.domain.session import Session
from pipeline.errors import ConfigurationError
from pipeline.exchange.config import load_config
from pipeline.settings.effective import (
    StrategySetup,
    calendar_code,
    initial_cash,
    kill_switch_closes,
    risk_limits,
    strategy_setups,
    timeframe,
)
from pipeline.settings.loading import read_settings
from pipeline.settings.rehearsal import exchange_document
from pipeline.settings.timetable import (
    daily_timetable,
    intraday_period,
    monitoring_period,
    monthly_timetable,
    weekly_timetable,
)
from tests.unit.settings.conftest import BASE, REHEARSAL, Read

SECTIONS = """
risk_management:
  position_controls: {max_position_size_usd: 500, position_size_pct: 0.025, max_leverage: 1.0}
  portfolio_controls: {max_drawdown_pct: 0.10, daily_loss_limit_pct: 0.04, monthly_loss_limit_pct: 0.07}
  time_controls: {no_trading_near_close: true, close_positions_minutes: 30, max_holding_period_days: 10}
  emergency_controls: {auto_liquidation_drawdown: 0.15, broker_connection_timeout: 45}
monitoring:
  risk_monitoring:
    alert_thresholds: {drawdown_warning: 0.04, drawdown_critical: 0.07, daily_loss_warning: 0.02}
    automated_responses: {reduced_size: 0.4}
performance_monitoring:
  performance_alerts: {pnl_alerts: {daily_loss_threshold: -0.015}}
emergency_procedures:
  automatic_stops:
    triggers:
      - {drawdown_limit: 0.15}
      - {daily_loss_limit: 0.06}
      - {broker_disconnection: 200}
      - {connectivity_failures: 2}
  recovery_procedures: {size_ramp: [0.5, 1.0]}
execution: {price_collar_pct: 0.01, max_orders_per_session: 40}
data: {max_age_bars: 3}
"""


def test_the_example_alone_has_the_documents_limits_and_sells_nothing_by_itself(read: Read) -> None:
    assert risk_limits(read()) == RiskLimits(
        position_size=20_000,
        max_positions=3,
        max_exposure=60_000,
        min_cash=100_000,
        stop_loss=15_000,
        order_timeout_seconds=300,
        review_hold_seconds=30,
        ladder=Ladder(liquidating_drawdown=None),
    )


def test_of_several_sections_the_strictest_number_holds(read: Read) -> None:
    """Worked out by hand from the text above over the seed's example."""
    assert risk_limits(read(SECTIONS)) == RiskLimits(
        position_size=20_000,
        max_position_money=500_000_000,
        max_positions=3,
        max_exposure=60_000,
        max_leverage=1_000_000,
        min_cash=100_000,
        stop_loss=15_000,
        max_holding_days=10,
        flatten_minutes=30,
        no_entry_minutes=30,
        order_timeout_seconds=300,
        review_hold_seconds=30,
        price_collar=10_000,
        max_orders_per_session=40,
        max_data_age_bars=3,
        ladder=Ladder(
            cautious_drawdown=40_000,
            reducing_drawdown=70_000,
            halted_drawdown=100_000,
            liquidating_drawdown=150_000,
            cautious_daily_loss=15_000,
            reducing_daily_loss=30_000,
            halted_daily_loss=60_000,
            reducing_monthly_loss=70_000,
            reducing_silence_seconds=45,
            halted_silence_seconds=200,
            halted_connectivity_failures=2,
            cautious_size=400_000,
            resume_ramp=(500_000, 1_000_000),
        ),
    )


def test_a_section_alone_replaces_the_default_even_when_it_is_looser(read: Read) -> None:
    text = "risk_management: {position_size_pct: null, position_controls: {position_size_pct: 0.05}}"

    assert risk_limits(read(text)).position_size == 50_000


def test_what_is_switched_off_is_off(read: Read) -> None:
    limits = risk_limits(
        read(
            "risk_management: {stop_loss_pct: null}\n"
            "monitoring: {risk_monitoring: {automated_responses:"
            " {reduce_size_on_drawdown: false, halt_trading_on_critical: false}}}"
        )
    )

    assert (limits.stop_loss, limits.ladder.cautious_drawdown, limits.ladder.reducing_drawdown) == (
        None,
        None,
        None,
    )


def test_a_scaling_stage_holds_from_the_first_one_on_and_never_loosens_a_limit(read: Read) -> None:
    stages = (
        "deployment: {scaling_schedule: {"
        "weeks_1_4: {capital: 5000, position_size_pct: 0.01, max_positions: 2},"
        "weeks_5+: {capital: 50000, position_size_pct: 0.03, max_positions: 5}}}"
    )
    settings = read(stages)

    assert [
        (limits.position_size, limits.max_positions)
        for limits in (risk_limits(settings), risk_limits(settings, "weeks_5+"))
    ] == [(10_000, 2), (20_000, 3)]
    with pytest.raises(ConfigurationError, match=r"did you mean 'weeks_5\+'"):
        risk_limits(settings, "weeks_5")


def test_what_the_product_asks_for(read: Read) -> None:
    settings = read("emergency_procedures: {kill_switch: {actions: [close_all_positions]}}")

    assert strategy_setups(settings) == (
        StrategySetup(
            "momentum",
            "Live_Momentum",
            {"fast_period": 12, "slow_period": 28, "signal_threshold": 0.025},
            1_000_000,
        ),
    )
    assert (timeframe(settings), calendar_code(settings)) == (Timeframe.ONE_MINUTE, "XNYS")
    assert settings.data.market_hours.timezone == "America/New_York"
    assert initial_cash(settings) == 10_000_000_000
    assert (kill_switch_closes(settings), kill_switch_closes(read())) == (True, False)
    assert (monitoring_period(settings), intraday_period(settings)) == (
        timedelta(seconds=30),
        timedelta(hours=1),
    )


def test_a_half_day_moves_what_belongs_to_the_close(read: Read) -> None:
    """27 November 2026: New York is at UTC-5, the exchange closes at 13:00."""
    half_day = Session(
        date(2026, 11, 27),
        datetime(2026, 11, 27, 14, 30, tzinfo=UTC),
        datetime(2026, 11, 27, 18, 0, tzinfo=UTC),
        early_close=True,
    )

    at = {found.name: found.at(half_day).strftime("%H:%M") for found in daily_timetable(read())}

    assert at == {
        "plan-session": "12:00",
        "pre-market": "13:30",
        "market-open": "14:30",
        "market-close": "18:00",
        "post-market": "19:00",
        "daily-report": "19:30",
    }


def test_the_week_and_the_month_have_their_procedures(read: Read) -> None:
    settings = read()

    assert [(found.name, found.weekday, found.at.hour) for found in weekly_timetable(settings)] == [
        ("weekly-review", 6, 10),
        ("weekly-report", 0, 8),
    ]
    assert monthly_timetable(settings)[0].steps[0] == "monthly_performance_review"


def test_the_rehearsal_exchange_reads_its_document_as_the_settings_mean_it(tmp_path: Path) -> None:
    """The exchange's own strict reader is the judge; 10,000 are 10^10 micro units."""
    settings = read_settings([BASE, REHEARSAL], ["data.symbols=[SPY, IBM]"], environ={})
    table = tmp_path / "sessions.json"
    row = ["2026-11-20", "2026-11-20T14:30:00Z", "2026-11-20T21:00:00Z", False]
    table.write_text(
        json.dumps(
            {
                "exchange": "XNYS",
                "timezone": "America/New_York",
                "first": "2026-11-01",
                "last": "2026-11-30",
                "sessions": [row],
            }
        )
    )
    path = tmp_path / "exchange.json"
    path.write_text(json.dumps(exchange_document(settings, table, date(2026, 11, 20))))

    config = load_config(path)

    assert (config.seed, config.account.cash, config.first_session) == (7, 10_000_000_000, date(2026, 11, 20))
    assert {name: found.price for name, found in config.market.symbols.items()} == {
        "SPY": 6_700_000,
        "QQQ": 6_100_000,
        "IBM": 1_000_000,
    }
    assert (config.costs.sell_ppm, config.costs.half_spread_ppm, config.costs.slippage_ppm) == (21, 20, 30)
    assert Decimal(config.costs.participation_ppm) / 10**6 == Decimal("0.1")


def test_recorded_bars_are_named_with_their_zone(read: Read) -> None:
    settings = read(
        "data: {source: {provider: rehearsal}}\n"
        "rehearsal: {market: file, file: bars/october.csv, file_timezone: America/New_York}"
    )

    market = exchange_document(settings, Path("sessions.json"), date(2013, 10, 1))["market"]

    assert (market["kind"], Path(market["file"]).name, market["timezone"]) == (
        "recorded",
        "october.csv",
        "America/New_York",
    )
    assert Path(market["file"]).is_absolute()
    with pytest.raises(ConfigurationError, match="belong together"):
        read("rehearsal: {market: file}")
