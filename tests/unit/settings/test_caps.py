"""Hard caps: what no file can raise."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pipeline.domain.risk import Ladder, RiskLimits
from pipeline.errors import ConfigurationError
from pipeline.settings.caps import HARD_CAPS
from pipeline.settings.effective import SEED_LIMITS, risk_limits
from tests.unit.settings.conftest import Read


@pytest.mark.parametrize(
    ("key", "most", "beyond", "said"),
    [
        (
            "execution.price_collar_pct",
            "0.2",
            "0.200001",
            "means 20.0001 %; no configuration may go beyond 20 %",
        ),
        ("execution.max_orders_per_minute", "150", "151", "may go beyond 150"),
        ("execution.max_orders_per_session", "10000", "10001", "may go beyond 10000"),
        ("execution.max_order_quantity", "1000000", "1000001", "may go beyond 1,000,000 shares"),
        (
            "risk_management.daily_loss_limit_pct",
            "0.3",
            "0.31",
            "means 31 %; no configuration may go beyond 30 %",
        ),
        ("risk_management.portfolio_controls.max_drawdown_pct", "0.5", "0.6", "beyond 50 %"),
        ("risk_management.emergency_controls.broker_connection_timeout", "600", "601", "beyond 600 s"),
        ("risk_management.max_positions", "500", "501", "beyond 500"),
        ("data.max_age_bars", "30", "31", "beyond 30"),
    ],
)
def test_a_cap_is_reached_and_never_passed(read: Read, key: str, most: str, beyond: str, said: str) -> None:
    read("", f"{key}={most}")
    with pytest.raises(ConfigurationError) as caught:
        read("", f"{key}={beyond}")

    assert said in str(caught.value)
    assert key in str(caught.value)


def test_every_cap_is_of_a_limit_there_is_and_above_its_default() -> None:
    known = {field.name for field in (*fields(RiskLimits), *fields(Ladder))}

    assert set(HARD_CAPS) <= known
    for name, cap in HARD_CAPS.items():
        default = getattr(SEED_LIMITS, name, None) or getattr(SEED_LIMITS.ladder, name, None)
        assert default is None or default <= cap


def test_new_limits_of_data_and_orders_arrive_where_they_are_asked(read: Read) -> None:
    limits = risk_limits(
        read(
            "data: {max_gap_bars: 0, frozen_bars: 4}\n"
            "execution: {max_orders_per_minute: 7, max_order_quantity: 12.5}"
        )
    )

    assert (limits.max_gap_bars, limits.frozen_bars, limits.max_orders_per_minute) == (0, 4, 7)
    assert limits.max_order_quantity == 12_500_000_000


@pytest.mark.parametrize("value", ["2026-13-01", "tomorrow", "20261126", "1"])
def test_a_closure_that_is_no_date_is_refused_with_its_key(read: Read, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.market_hours\.closures\[0\]"):
        read(f"data: {{market_hours: {{closures: [{value}]}}}}")
