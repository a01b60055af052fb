"""What a simulation achieved, in numbers. The ratios are those of `empyrical`, on returns by session.

A session's return is its closing equity over the one before, minus one; the first counts from the initial
cash. A year has 252 sessions, the risk-free rate is 0. A ratio that is not defined (no variation, no loss,
fewer than two sessions) is None, never 0 and never infinite. Nothing is decided on these floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from math import fsum, sqrt

from pipeline.domain.money import notional
from pipeline.research.results import Result, Trip

YEAR = 252
"""Sessions in a year, as `empyrical.DAILY`."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of them. Fractions are fractions (0.02 is 2 %), money is in micro units.

    Attributes:
        total_return: last equity over initial cash, minus one.
        cagr, volatility, sharpe, sortino, max_drawdown, calmar: see the functions of those names.
        turnover: money traded, both sides, over mean closing equity, per year.
        fees: money; spread: what fills cost beyond the open of their bar, half spread and slippage, money.
        exposure: mean over all ticks of what is held, as a fraction of equity.
        trades: round trips that ended; won: fraction of them that earned something after fees.
        profit_factor: money won over money lost by trips.
        orders, rejected: orders sent, and those that the account could not cover.
    """

    sessions: int
    total_return: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    calmar: float | None
    turnover: float | None
    fees: int
    spread: int
    exposure: float
    trades: int
    won: float | None
    profit_factor: float | None
    orders: int
    rejected: int


def measure(result: Result) -> Metrics:
    """Return the metrics of a simulation."""
    closes = result.closes()
    returns = returns_of(result.cash, closes)
    trips = result.trips()
    traded = sum(notional(one.fill.price, one.fill.quantity) for one in result.executions)
    spread = sum(abs(notional(one.fill.price - one.open, one.fill.quantity)) for one in result.executions)
    used = [point.exposure / point.equity for point in result.curve if point.equity > 0]
    return Metrics(
        sessions=len(closes),
        total_return=closes[-1] / result.cash - 1 if closes else 0.0,
        cagr=cagr(returns),
        volatility=volatility(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        max_drawdown=max_drawdown(returns),
        calmar=calmar(returns),
        turnover=traded / (fsum(closes) / len(closes)) * YEAR / len(closes) if closes else None,
        fees=sum(one.fee for one in result.executions),
        spread=spread,
        exposure=fsum(used) / len(used) if used else 0.0,
        trades=len(trips),
        won=sum(trip.profit > 0 for trip in trips) / len(trips) if trips else None,
        profit_factor=_profit_factor(trips),
        orders=result.orders,
        rejected=result.rejected,
    )


def returns_of(cash: int, closes: Sequence[int]) -> list[float]:
    """Return each session's return, oldest first."""
    return [after / before - 1 for before, after in pairwise((cash, *closes))]


def cagr(returns: Sequence[float]) -> float | None:
    """Return the compound growth per year: (Π (1 + r)) ^ (252 / n) - 1; None when all was lost."""
    grown = _grown(returns)
    if not returns or grown[-1] <= 0:
        return None
    return float(grown[-1] ** (YEAR / len(returns)) - 1)


def volatility(returns: Sequence[float]) -> float | None:
    """Return the yearly standard deviation: std of returns with n - 1, times √252."""
    deviation = _deviation(returns)
    return None if deviation is None else deviation * sqrt(YEAR)


def sharpe(returns: Sequence[float]) -> float | None:
    """Return mean return over standard deviation (n - 1), times √252.

    Source: Sharpe, *The Sharpe Ratio*, Journal of Portfolio Management (1994).
    """
    deviation = _deviation(returns)
    return fsum(returns) / len(returns) / deviation * sqrt(YEAR) if deviation else None


def sortino(returns: Sequence[float]) -> float | None:
    """Return mean return times 252 over downside risk: √(mean of min(r, 0)²) · √252, over all returns.

    Source: Sortino and Price, *Performance Measurement in a Downside Risk Framework* (1994).
    """
    if len(returns) < 2:
        return None
    downside = sqrt(fsum(min(r, 0.0) ** 2 for r in returns) / len(returns)) * sqrt(YEAR)
    return fsum(returns) / len(returns) * YEAR / downside if downside else None


def max_drawdown(returns: Sequence[float]) -> float:
    """Return the deepest fall of cumulated returns below their highest so far, begin included: ≤ 0."""
    return min(drawdowns(returns), default=0.0)


def drawdowns(returns: Sequence[float]) -> list[float]:
    """Return by session how far cumulated returns stand below their highest so far, as a fraction ≤ 0."""
    grown = (1.0, *_grown(returns))
    peaks = accumulate(grown, max)
    return [now / peak - 1 for now, peak in zip(grown, peaks, strict=True)][1:]


def calmar(returns: Sequence[float]) -> float | None:
    """Return compound growth per year over the deepest drawdown; None without one.

    Source: Young, *Calmar Ratio: A Smoother Tool*, Futures (1991).
    """
    deepest, growth = max_drawdown(returns), cagr(returns)
    return growth / abs(deepest) if growth is not None and deepest < 0 else None


def monthly(cash: int, sessions: Sequence[date], closes: Sequence[int]) -> dict[tuple[int, int], float]:
    """Return by (year, month) the return from the month before's last close to the month's own."""
    last: dict[tuple[int, int], int] = {
        (day.year, day.month): close for day, close in zip(sessions, closes, strict=True)
    }
    before, found = cash, {}
    for month, close in last.items():
        found[month] = close / before - 1
        before = close
    return found


def _grown(returns: Sequence[float]) -> list[float]:
    return list(accumulate(returns, lambda grown, r: grown * (1 + r), initial=1.0))[1:]


def _deviation(returns: Sequence[float]) -> float | None:
    if len(returns) < 2:
        return None
    mean = fsum(returns) / len(returns)
    return sqrt(fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)) or None


def _profit_factor(trips: Sequence[Trip]) -> float | None:
    won = sum(trip.profit for trip in trips if trip.profit > 0)
    lost = -sum(trip.profit for trip in trips if trip.profit < 0)
    return won / lost if lost else None
