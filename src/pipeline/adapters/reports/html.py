"""A session report as one HTML file: styles and charts inside, no script, nothing from a network."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from pipeline.adapters.reports.svg import Chart, Mark, drawdown_svg, equity_svg
from pipeline.domain import formatting
from pipeline.domain.orders import Side
from pipeline.domain.report_verdict import (
    conclude,
    day_against_limit,
    health_sentence,
    sources,
    worst_of_limit,
)
from pipeline.domain.reports import SessionReport, Trade

if TYPE_CHECKING:
    from jinja2 import Template

EQUITY_HEIGHT, DRAWDOWN_HEIGHT = 240, 112
FILTERS = (
    formatting.basis_points,
    formatting.cents,
    formatting.count,
    formatting.duration,
    formatting.long_date,
    formatting.minute_of_day,
    formatting.money,
    formatting.percent,
    formatting.price,
    formatting.quantity,
    formatting.signed_money,
    formatting.signed_percent,
    formatting.time_of_day,
)
MARKS = {"ok": "✓", "warn": "!", "fail": "✕", "skipped": "–"}


def render_html(report: SessionReport) -> str:
    """Return the whole page. Everything that comes from data is escaped."""
    from markupsafe import Markup

    return _template().render(
        report=report,
        verdict=conclude(report),
        day_against_limit=day_against_limit(report),
        sources=sources(report),
        # Built by svg.py from numbers, with its texts escaped there.
        charts=Markup(charts(report)),  # noqa: S704
    )


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
    for filter_ in (*FILTERS, worst_of_limit, health_sentence):
        environment.filters[filter_.__name__] = filter_
    environment.globals["NONE"] = formatting.NONE
    environment.globals["MARKS"] = MARKS
    return environment.get_template("session_report.html.j2")


def charts(report: SessionReport) -> str:
    """Return both charts as SVG, or "" with fewer than two points."""
    curve, profit, session = report.curve, report.profit, report.scope.session
    if len(curve) < 2 or profit is None:
        return ""
    start, end = min(session.open, curve[0].at), max(session.close, curve[-1].at)
    base = profit.start_equity + profit.deposits
    low, high = min(base, *(p.equity for p in curve)), max(base, *(p.equity for p in curve))
    room = max(high - low, 1_000_000) // 8
    frame = Chart(start, end, low - room, high + room, EQUITY_HEIGHT, formatting.money, report.scope.zone)
    equity = replace(frame, hours=False)
    deepest = max(p.drawdown_ppm for p in curve)
    depth = max(deepest * 5 // 4, 1_000)
    drawdown = replace(
        frame, low=0, high=depth, height=DRAWDOWN_HEIGHT, label=formatting.percent, flipped=True
    )
    rungs = [
        mark for bar in report.risk if bar.name == "Drawdown" for mark in (*bar.marks, ("halted", bar.limit))
    ]
    marks = [_mark(report, trade) for trade in report.trades]
    return (
        f"<figure>{equity_svg(equity, [(p.at, p.equity) for p in curve], base, marks)}"
        f"{drawdown_svg(drawdown, [(p.at, p.drawdown_ppm) for p in curve], rungs)}"
        "<figcaption>Above: equity, ▲ bought, ▼ sold, dashed where the day began. "
        "Below: drawdown from the high-water mark.</figcaption></figure>"
    )


def _mark(report: SessionReport, trade: Trade) -> Mark:
    curve = report.curve
    at = max(0, bisect_right([point.at for point in curve], trade.at) - 1)
    text = (
        f"{formatting.time_of_day(trade.at, report.scope.zone)} {trade.side} "
        f"{formatting.quantity(trade.quantity)} {trade.symbol} at {formatting.price(trade.average)}"
    )
    return Mark(trade.at, curve[at].equity, trade.side is Side.BUY, text)
