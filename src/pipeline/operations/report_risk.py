"""The session's worst numbers beside their limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline.domain.money import PPM, to_money
from pipeline.domain.reports import Bound, Profit, RiskBar
from pipeline.domain.risk import RiskLimits
from pipeline.operations import report_queries as ask
from pipeline.ports import Store


def load_risk(store: Store, day: date, profit: Profit | None, limits: RiskLimits) -> tuple[RiskBar, ...]:
    """Return one bar for each limit that is configured, losses first; none without a snapshot.

    Raises:
        StoreUnavailable: the store is held by another process.
    """
    if profit is None:
        return ()
    used: Mapping[str, Any] = store.query(ask.EXPOSURE, (day,))[0]
    month: Mapping[str, Any] = store.query(ask.MONTH, (day,))[0]
    began = None if month["month_equity"] is None else to_money(month["month_equity"])
    sent: Mapping[str, Any] = store.query(ask.SENT, (day,))[0]
    return (*_losses(profit, began, limits), *_caps(used, int(sent["sent"]), limits))


def _losses(profit: Profit, month_equity: int | None, limits: RiskLimits) -> tuple[RiskBar, ...]:
    ladder = limits.ladder
    start = profit.start_equity + profit.deposits
    day = _ladder_bar(
        "Daily loss",
        _loss_ppm(start, profit.low_equity),
        (ladder.cautious_daily_loss, ladder.reducing_daily_loss, ladder.halted_daily_loss),
    )
    drawdown = _ladder_bar(
        "Drawdown",
        max(0, profit.drawdown_ppm),
        (ladder.cautious_drawdown, ladder.reducing_drawdown, ladder.halted_drawdown),
    )
    month = None
    if month_equity is not None:
        worst = _loss_ppm(month_equity, profit.close_equity)
        month = _ladder_bar("Monthly loss", worst, (None, ladder.reducing_monthly_loss, None))
    return tuple(bar for bar in (day, drawdown, month) if bar is not None)


def _ladder_bar(name: str, worst: int, rungs: tuple[int | None, int | None, int | None]) -> RiskBar | None:
    """Return the bar up to the strictest of the rungs (cautious, reducing, halted), or None without one."""
    named = [(word, at) for word, at in zip(("cautious", "reducing", "halted"), rungs, strict=True) if at]
    if not named:
        return None
    return RiskBar(name, worst, named[-1][1], marks=tuple(named[:-1]))


def _loss_ppm(start: int, low: int) -> int:
    return max(0, start - low) * PPM // start if start > 0 else 0


def _caps(used: Mapping[str, Any], sent: int, limits: RiskLimits) -> tuple[RiskBar, ...]:
    return (
        RiskBar("Gross exposure", int(used["gross_ppm"] or 0), limits.max_exposure, bound=Bound.CAP),
        RiskBar("Open positions", int(used["positions"] or 0), limits.max_positions, "count", Bound.CAP),
        RiskBar(
            "Cash",
            PPM if used["cash_ppm"] is None else int(used["cash_ppm"]),
            limits.min_cash,
            bound=Bound.FLOOR,
        ),
        RiskBar("Orders sent", sent, limits.max_orders_per_session, "count", Bound.CAP),
    )
