"""A simulation's tear sheet as one HTML file: styles and plots inside, no script, nothing from a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipeline.adapters.reports.backtest_svg import Curve, curve_svg
from pipeline.domain import formatting
from pipeline.research.metrics import Metrics, drawdowns, monthly, returns_of
from pipeline.research.results import Result

if TYPE_CHECKING:
    from jinja2 import Template

EQUITY_HEIGHT, DRAWDOWN_HEIGHT = 260, 130
SHOWN_TRIPS = 200
_FILTERS = (
    formatting.count,
    formatting.long_date,
    formatting.money,
    formatting.percent,
    formatting.price,
    formatting.quantity,
    formatting.signed_money,
    formatting.signed_percent,
    formatting.time_of_day,
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands at the head of a tear sheet. ``facts``: (name, value) of what was run."""

    title: str
    symbols: tuple[str, ...]
    timeframe: str
    zone: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def render_backtest(sheet: Sheet, result: Result, metrics: Metrics) -> str:
    """Return the whole page. Everything that comes from data is escaped."""
    from markupsafe import Markup

    closes = result.closes()
    trips = result.trips()
    return _template().render(
        sheet=sheet,
        result=result,
        rows=metric_rows(metrics),
        equity=closes[-1],
        profit=closes[-1] - result.cash,
        total=round(metrics.total_return * 1_000_000),
        months=_months(result, closes),
        trips=trips[:SHOWN_TRIPS],
        left_out=max(0, len(trips) - SHOWN_TRIPS),
        # Built by backtest_svg.py from numbers, with its texts escaped there.
        charts=Markup(_charts(result, closes)),  # noqa: S704
    )


def metric_rows(metrics: Metrics) -> tuple[tuple[str, str], ...]:
    """Return every metric as (name, value) for people; "–" where it is not defined."""
    return (
        ("Return", _fraction(metrics.total_return, signed=True)),
        ("CAGR", _fraction(metrics.cagr, signed=True)),
        ("Volatility", _fraction(metrics.volatility)),
        ("Sharpe", _ratio(metrics.sharpe)),
        ("Sortino", _ratio(metrics.sortino)),
        ("Max drawdown", _fraction(metrics.max_drawdown, signed=True)),
        ("Calmar", _ratio(metrics.calmar)),
        ("Exposure", _fraction(metrics.exposure)),
        ("Turnover a year", "–" if metrics.turnover is None else f"{metrics.turnover:.2f} ×"),
        ("Fees", formatting.money(metrics.fees)),
        ("Spread and slippage", formatting.money(metrics.spread)),
        ("Round trips", f"{metrics.trades:,}"),
        ("Won", _fraction(metrics.won)),
        ("Profit factor", _ratio(metrics.profit_factor)),
        ("Orders", f"{metrics.orders:,}"),
        ("Rejected", f"{metrics.rejected:,}"),
    )


def _fraction(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return formatting.NONE
    return (formatting.signed_percent if signed else formatting.percent)(round(value * 1_000_000))


def _ratio(value: float | None) -> str:
    if value is None:
        return formatting.NONE
    return f"{formatting.MINUS if value < 0 else ''}{abs(value):.2f}"


def _charts(result: Result, closes: list[int]) -> str:
    fallen = [-round(share * 1_000_000) for share in drawdowns(returns_of(result.cash, closes))]
    days = result.sessions
    equity = Curve("Equity by session", days, closes, formatting.money, EQUITY_HEIGHT, result.cash)
    deep = Curve("Drawdown", days, fallen, formatting.percent, DRAWDOWN_HEIGHT, 0, flipped=True)
    return (
        f"<figure>{curve_svg(equity)}{curve_svg(deep)}<figcaption>Above: equity at each close, dashed where "
        "it began. Below: drawdown from the highest close.</figcaption></figure>"
    )


def _months(result: Result, closes: list[int]) -> list[tuple[int, list[int | None], int]]:
    """Return by year its twelve months, None where nothing ran, and the whole, in ppm."""
    found = monthly(result.cash, result.sessions, closes)
    rows = []
    for year in sorted({year for year, _ in found}):
        grown = 1.0
        for (which, _), value in found.items():
            grown *= 1 + value if which == year else 1
        months = [found.get((year, month)) for month in range(1, 13)]
        cells = [None if value is None else round(value * 1_000_000) for value in months]
        rows.append((year, cells, round((grown - 1) * 1_000_000)))
    return rows


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.adapters.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in _FILTERS:
        environment.filters[filter_.__name__] = filter_
    environment.globals["NONE"] = formatting.NONE
    return environment.get_template("backtest.html.j2")
