"""Staged deployment: ``deployment``, ``validation``, ``live_arming``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.settings.kinds import Count, Day, Days, Flag, Loss, Money, Score, Share, Text
from pipeline.settings.models.base import Block

Phase = Literal["paper_trading", "small_live_capital", "gradual_scale_up"]

_WEEKS = re.compile(r"weeks_([1-9]\d*)(?:_([1-9]\d*)|\+)")


class ScalingStage(Block):
    """One stage of ``scaling_schedule``: at most this much capital, this size, this many positions."""

    capital: Money
    position_size_pct: Share
    max_positions: Count


class ScalingCriteria(Block):
    """``scaling_criteria``: what the evidence must show before the next stage."""

    min_sharpe_ratio: Score | None = None
    max_drawdown: Loss | None = None
    min_win_rate: Share | None = None
    stable_performance_weeks: Count | None = None


def weeks_of(name: str) -> tuple[int, int | None]:
    """Return first and last week of a stage's name: ``weeks_1_4`` is (1, 4), ``weeks_17+`` is (17, None).

    Raises:
        ValueError: not such a name.
    """
    match = _WEEKS.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a stage; write weeks_1_4, or weeks_17+ for the last one")
    return int(match[1]), int(match[2]) if match[2] else None


class Deployment(Block):
    """``deployment``."""

    phase: Phase | None = None
    duration_days: Days | None = None
    scaling_schedule: Mapping[str, ScalingStage] = Field(default_factory=dict)
    scaling_criteria: ScalingCriteria = ScalingCriteria()

    @field_validator("scaling_schedule")
    @classmethod
    def _weeks_follow_each_other(cls, schedule: Mapping[str, ScalingStage]) -> Mapping[str, ScalingStage]:
        expected: int | None = 1
        for name in schedule:
            first, last = weeks_of(name)
            if first != expected or (last is not None and last < first):
                raise ValueError(
                    f"{name} does not follow: the stage before it ends so that week {expected} is next"
                )
            expected = None if last is None else last + 1
        return schedule


class PaperTradingValidation(Block):
    """``paper_trading_validation``."""

    min_trades: Count | None = None
    track_slippage_estimates: Flag = True
    compare_to_backtest: Flag = True


class SuccessCriteria(Block):
    """``success_criteria``."""

    min_sharpe_ratio: Score | None = None
    max_drawdown: Loss | None = None
    correlation_with_backtest: Share | None = None


class Validation(Block):
    """``validation``."""

    paper_trading_validation: PaperTradingValidation = PaperTradingValidation()
    success_criteria: SuccessCriteria = SuccessCriteria()


class LiveArming(Block):
    """``live_arming``: without it nothing trades real money, whatever else a file says.

    Attributes:
        account: the broker's number of the one account that may be traded.
        confirm: the sentence, typed out.
        valid_until: the last day on which it arms; renewing it is a person's decision.
    """

    account: Annotated[Text, Field(min_length=3)]
    confirm: Literal["I accept real losses"]
    valid_until: Day
