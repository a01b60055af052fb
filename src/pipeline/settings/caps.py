"""Hard caps: numbers that no configuration can mean, whoever wrote it and whatever else it says.

A kind of value (``kinds``) says what a number may look like; a limit (``effective``) is a choice. A cap is
where a choice ends and a slip of the finger begins. None of them can be raised by a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pipeline.errors import ConfigurationError
from pipeline.settings.effective import LimitSource, limit_sources
from pipeline.settings.models.root import Settings

HARD_CAPS: Mapping[str, int] = MappingProxyType(
    {
        "position_size": 1_000_000,
        "max_exposure": 1_000_000,
        "max_leverage": 4_000_000,
        "max_positions": 500,
        "max_position_money": 10**15,
        "stop_loss": 500_000,
        "reducing_daily_loss": 300_000,
        "halted_daily_loss": 300_000,
        "reducing_monthly_loss": 500_000,
        "reducing_drawdown": 500_000,
        "halted_drawdown": 500_000,
        "liquidating_drawdown": 600_000,
        "reducing_silence_seconds": 600,
        "halted_silence_seconds": 3_600,
        "price_collar": 200_000,
        "order_timeout_seconds": 23_400,
        "review_hold_seconds": 3_600,
        "max_orders_per_session": 10_000,
        "max_orders_per_minute": 150,
        "max_order_quantity": 10**15,
        "max_data_age_bars": 30,
        "max_gap_bars": 390,
        "frozen_bars": 390,
    }
)
"""By limit, in its unit (:class:`pipeline.domain.risk.RiskLimits`): the largest value that is accepted.

150 orders a minute leave a quarter of a broker's 200 requests for cancels and questions; 23,400 s are a
session.
"""


def beyond_caps(settings: Settings) -> Iterator[ConfigurationError]:
    """Yield an error for each key that sets a limit beyond its cap, with both numbers."""
    for source in limit_sources(settings):
        cap = HARD_CAPS.get(source.limit)
        if cap is not None and source.value > cap:
            said, most = _amount(source, source.value), _amount(source, cap)
            remedy = f"means {said}; no configuration may go beyond {most}. Write a smaller number"
            yield ConfigurationError(source.key, None, remedy)


def _amount(source: LimitSource, value: int) -> str:
    name = source.limit
    if name.endswith("_seconds"):
        return f"{value} s"
    if name == "max_position_money":
        return f"{value / 1_000_000:,.10g}"
    if name == "max_order_quantity":
        return f"{value / 1_000_000_000:,.10g} shares"
    counts = ("max_positions", "max_orders_per_session", "max_orders_per_minute")
    return str(value) if name in counts or name.endswith("_bars") else f"{value / 10_000:.10g} %"
