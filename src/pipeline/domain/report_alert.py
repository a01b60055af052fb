"""The report as a message: the same numbers, in at most ten fields."""

from __future__ import annotations

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.alerts import Alert
from pipeline.domain.formatting import NONE, count, long_date, minute_of_day, money, of_limit, signed_money
from pipeline.domain.report_verdict import conclude, day_against_limit, worst_of_limit
from pipeline.domain.reports import SessionReport


def report_alert(report: SessionReport, where: str) -> Alert:
    """Return the ``daily_report`` alert; ``where`` is the report's path or address."""
    verdict = conclude(report)
    lines = verdict.attention or verdict.summary
    sentence = " ".join((verdict.headline, *lines[:3]))
    day = report.scope.session.day
    fields = [(name, value) for name, value in _fields(report) if value]
    fields.append(("Report", where))
    return alert("daily_report", long_date(day), sentence, report.as_of, report.scope.mode, *fields)


def _fields(report: SessionReport) -> tuple[tuple[str, str], ...]:
    bars = {bar.name: bar for bar in report.risk}
    profit, funnel, done = report.profit, report.funnel, report.reconciliation
    holdings = ", ".join(held.symbol for held in report.holdings)
    expected = sum(line.expected for line in report.health.runs)
    completed = sum(line.completed for line in report.health.runs)
    return (
        ("Day P&L", f"{signed_money(profit.pnl)} ({day_against_limit(report)})" if profit else NONE),
        ("Equity", money(profit.close_equity) if profit else NONE),
        ("Drawdown", of_limit(bars["Drawdown"].worst, bars["Drawdown"].limit) if "Drawdown" in bars else ""),
        ("Exposure", worst_of_limit(bars["Gross exposure"]) if "Gross exposure" in bars else ""),
        ("Orders", f"{funnel.filled} filled of {funnel.sent} sent, {funnel.refused} refused"),
        ("Slippage", signed_money(-profit.slippage) if profit else NONE),
        ("Positions", f"{len(report.holdings)}: {holdings}" if holdings else "flat"),
        (
            "Ledger against broker",
            "never compared" if done.times == 0 else "agree" if done.clean else "DISAGREE",
        ),
        ("Runs", f"{completed:,} of {count(expected, 'run')}, next session {_next(report)}"),
    )


def _next(report: SessionReport) -> str:
    session = report.tomorrow
    if session is None:
        return "unknown"
    return f"{long_date(session.day)}, {minute_of_day(session.open, report.scope.zone)}"
