"""The first line of a report: what kind of session it was, and what needs a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.formatting import (
    count,
    of_limit,
    percent,
    pnl_of_limit,
    signed_money,
    signed_percent,
    time_of_day,
)
from pipeline.domain.reports import Bound, Health, RiskBar, SessionReport


class Level(StrEnum):
    """How a session went."""

    CLEAN = "clean"
    ATTENTION = "attention"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict.

    Attributes:
        headline: one sentence, result first.
        summary: what was traded and what held, one sentence each.
        attention: what a person should look at, most urgent first; empty on a clean day.
    """

    level: Level
    headline: str
    summary: tuple[str, ...]
    attention: tuple[str, ...]


def conclude(report: SessionReport) -> Conclusion:
    """Return the verdict on a session."""
    attention = _attention(report)
    latched = report.state in ("HALTED", "LIQUIDATING")
    level = Level.HALTED if latched else Level.ATTENTION if attention else Level.CLEAN
    return Conclusion(level, f"{_kind(report, level)} {_result(report)}", _summary(report), attention)


def _kind(report: SessionReport, level: Level) -> str:
    if level is Level.HALTED:
        return f"Trading is {report.state}."
    if report.go is False:
        return "NO-GO: trading was not enabled."
    traded = "A clean session" if report.trades else "A clean session without trades"
    return f"{traded}." if level is Level.CLEAN else "The session needs attention."


def _result(report: SessionReport) -> str:
    profit = report.profit
    if profit is None:
        return "No account snapshot was taken, so there is no profit to state."
    return f"Day P&L {signed_money(profit.pnl)} ({signed_percent(profit.pnl_ppm)})."


def _summary(report: SessionReport) -> tuple[str, ...]:
    funnel, runs = report.funnel, report.health.runs
    expected = sum(line.expected for line in runs)
    completed = sum(line.completed for line in runs)
    lines = [
        f"{count(funnel.intents, 'decision')} to trade from {count(funnel.ticks, 'tick')}, "
        f"{funnel.filled} filled, {funnel.refused} refused by a limit.",
        _limits_sentence(report.risk),
        _reconciled_sentence(report),
        f"{completed:,} of {count(expected, 'expected run')} completed.",
    ]
    return tuple(line for line in lines if line)


def _limits_sentence(bars: tuple[RiskBar, ...]) -> str:
    if not bars:
        return ""
    broken = [bar.name.lower() for bar in bars if bar.broken]
    if broken:
        return f"Limits reached: {', '.join(broken)}."
    tightest = max(bars, key=lambda bar: bar.used_ppm)
    return f"Every limit held; tightest was {tightest.name.lower()}, {worst_of_limit(tightest)}."


def _reconciled_sentence(report: SessionReport) -> str:
    done = report.reconciliation
    if done.times == 0:
        return "Ledger and broker were never compared."
    state = "agree" if done.clean else "disagree"
    return f"Ledger and broker {state} ({count(done.times, 'comparison')})."


def worst_of_limit(bar: RiskBar) -> str:
    """Return "3.90 % of 6.00 %" or "2 of 3": the worst of the session beside its limit."""
    if bar.bound is Bound.FLOOR:
        return f"{percent(bar.worst)}, at least {percent(bar.limit)}"
    if bar.unit == "ppm":
        return of_limit(bar.worst, bar.limit)
    return f"{bar.worst:,} of {bar.limit:,}"


def health_sentence(health: Health) -> str:
    """Return what started the runs, which alerts were raised, and what had to be done twice."""
    drivers = ", ".join(f"{name} {runs:,}" for name, runs in health.drivers) or "nothing"
    alerts = ", ".join(f"{number:,} {severity}" for severity, number in health.alerts) or "none"
    return (
        f"Runs started by: {drivers}. Alerts: {alerts}, {health.undelivered} not delivered. "
        f"Orders sent again: {health.retried}."
    )


def day_against_limit(report: SessionReport) -> str:
    """Return the day's result beside the daily loss limit: "−3.12 % of −3.00 %"; "" without a snapshot."""
    profit = report.profit
    if profit is None:
        return ""
    for bar in report.risk:
        if bar.name == "Daily loss":
            # The configured daily loss limit is the rung that stops entries; the bar goes on to the halt.
            limit = dict(bar.marks).get("reducing", bar.limit)
            return pnl_of_limit(profit.pnl_ppm, -limit)
    return signed_percent(profit.pnl_ppm)


def sources(report: SessionReport) -> tuple[tuple[str, int], ...]:
    """Return where the change of equity came from, by name; the residual stands last, even when it is 0."""
    told = report.explained
    if told is None:
        return ()
    parts = (
        ("Taken", told.explained.realized),
        ("Not yet taken", told.explained.unrealized),
        ("By others", told.explained.external),
        ("Dividends", told.explained.dividends),
        ("Fees", told.explained.fees),
        ("Interest", told.explained.interest),
        ("Other activities", told.explained.other),
    )
    moved = tuple(part for part in parts if part[1])
    return (*moved, ("Explained by nothing", told.residual))


def _attention(report: SessionReport) -> tuple[str, ...]:
    found = [
        *_halts(report),
        *_breaks(report),
        *_limits(report),
        *_runs(report),
        *_data(report),
        *_rest(report),
    ]
    return tuple(found)


def _halts(report: SessionReport) -> list[str]:
    zone = report.scope.zone
    refused = (
        ["Pre-market said NO-GO: see the failed steps under System health."] if report.go is False else []
    )
    return refused + [
        f"{event.what} at {time_of_day(event.at, zone)}: {event.why}."
        for event in report.states
        if event.severity == "critical"
    ]


def _breaks(report: SessionReport) -> list[str]:
    done = report.reconciliation
    if done.times == 0:
        return ["Ledger and broker were never compared: run `marketday reconcile`."]
    if done.clean:
        return []
    return [f"Ledger and broker disagree: {count(len(done.mismatches), 'discrepancy', 'discrepancies')}."]


def _limits(report: SessionReport) -> list[str]:
    return [f"{bar.name} limit {bar.status}: {worst_of_limit(bar)}." for bar in report.risk if bar.broken]


def _runs(report: SessionReport) -> list[str]:
    lines = []
    for line in report.health.runs:
        runs = count(line.expected, "run")
        if not line.sound:
            lines.append(f"{line.procedure}: {line.missing} missing, {line.failed} failed of {runs}.")
        if line.skipped:
            lines.append(f"{line.procedure}: {line.skipped} of {runs} skipped, late or the account busy.")
    return lines + [
        f"{line.procedure} / {line.name} failed: {line.evidence}"
        for line in report.health.checks
        if line.outcome == "fail"
    ]


def _data(report: SessionReport) -> list[str]:
    return [
        f"{line.symbol}: {line.missing} of {count(line.expected, 'bar')} missing."
        for line in report.data
        if line.missing
    ]


def _rest(report: SessionReport) -> list[str]:
    lines = [f"{symbol} is locked: {reason}." for symbol, reason in report.locks]
    if report.go is None:
        lines.append("Pre-market gave no answer: neither GO nor NO-GO.")
    if report.profit is None:
        lines.append("No account snapshot was taken.")
    if report.funnel.rejected:
        lines.append(f"{count(report.funnel.rejected, 'order')} rejected by the broker.")
    if report.health.undelivered:
        lines.append(f"{count(report.health.undelivered, 'alert')} not delivered within the hour.")
    return lines
