"""A report from the store: the journal of two days, written by hand, gives the numbers worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.reports import render_html, render_markdown
from pipeline.domain.alerts import Severity
from pipeline.domain.journal import Kind
from pipeline.domain.market import Bar, Timeframe
from pipeline.domain.money import to_money, to_price, to_qty
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.report_alert import report_alert
from pipeline.domain.report_verdict import Level, conclude
from pipeline.domain.reports import (
    DataQuality,
    Funnel,
    Holding,
    Profit,
    Reconciliation,
    RunLine,
    Scope,
    SessionReport,
    Trade,
)
from pipeline.domain.risk import RiskLimits
from pipeline.domain.session import Session
from pipeline.operations.report_data import load_report
from tests.unit.store.script import MONDAY, TUESDAY, Script, at, run, two_days

LIMITS = RiskLimits()


def session(day: str) -> Session:
    return Session(date.fromisoformat(day), at(day, "13:30:00"), at(day, "20:00:00"))


def load(store: DuckStore, day: str, clock: str = "21:32:00") -> SessionReport:
    scope = Scope(session(day), "PAPER", "ACCOUNT", ("SPY", "QQQ"), Timeframe.ONE_MINUTE)
    return load_report(store, scope, LIMITS, at(day, clock), session(TUESDAY))


@pytest.fixture(scope="module")
def monday(store: DuckStore) -> SessionReport:
    return load(store, MONDAY)


@pytest.fixture(scope="module")
def tuesday(store: DuckStore) -> SessionReport:
    return load(store, TUESDAY)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DuckStore:
    """The two days, and bars of SPY but for the first, ten in the middle, and the last."""
    folder: Path = tmp_path_factory.mktemp("store")
    filled = DuckStore(folder / "store.duckdb", FileLock(folder / "store.lock"))
    filled.project(two_days())
    opened = at(MONDAY, "13:30:00")
    minutes = [minute for minute in range(1, 389) if minute not in range(100, 110)]
    price = to_price("100")
    bars = [Bar("SPY", opened + timedelta(minutes=m), price, price, price, price, 1) for m in minutes]
    filled.record_bars(bars, Timeframe.ONE_MINUTE)
    return filled


def test_the_day_in_money(monday: SessionReport) -> None:
    """Bought 1.5 at 100.02 and 0.5 at 100.04 (200.05), sold at 100.98 and 100.94 (201.92): realized 1.87.

    Slippage of the entry: 1.5 · 0.02 + 0.5 · 0.04 = 0.05; of the exit: 0.02 + 0.06 = 0.08. Fee 0.04.
    """
    report = monday

    assert report.profit == Profit(
        start_equity=to_money("10000"),
        close_equity=to_money("10001.83"),
        deposits=0,
        pnl=to_money("1.83"),
        pnl_ppm=183,
        low_equity=to_money("9990"),
        high_equity=to_money("10001.83"),
        drawdown_ppm=1_000,
        realized=to_money("1.87"),
        fees=to_money("0.04"),
        turnover=to_money("401.97"),
        slippage=to_money("0.13"),
    )
    assert report.profit is not None
    assert report.profit.open_change == 0
    assert [(p.at, p.equity, p.drawdown_ppm) for p in report.curve] == [
        (at(MONDAY, "13:31:30"), to_money("10000"), 0),
        (at(MONDAY, "13:45:00"), to_money("9990"), 1_000),
        (at(MONDAY, "20:00:00"), to_money("10001.83"), 0),
    ]


def test_trades_are_orders_with_the_price_their_decision_saw(monday: SessionReport) -> None:
    """Averages 200.05 / 2 and 201.92 / 2; slippage 0.05 of 200 is 250 ppm, 0.08 of 202 is 396."""
    assert monday.trades == (
        Trade(
            at(MONDAY, "13:31:05"), "SPY", Side.BUY, Purpose.ENTRY, to_qty("2"), to_qty("2"), to_price("100"),
            to_price("100.025"), to_money("0.05"), 250, 0, 2,
        ),
        Trade(
            at(MONDAY, "15:00:00"), "SPY", Side.SELL, Purpose.EXIT, to_qty("2"), to_qty("2"), to_price("101"),
            to_price("100.96"), to_money("0.08"), 396, to_money("1.87"), 2,
        ),
    )  # fmt: skip


def test_decisions_say_why_and_what_became_of_them(monday: SessionReport, tuesday: SessionReport) -> None:
    """Monday's entry was cut from 3 to 2 by the exposure limit; Tuesday's trouble has its notes."""
    entry = monday.choices[0]

    assert (entry.reason, entry.state, entry.cut) == ("because entry-1", "filled", "max_exposure")
    assert monday.funnel == Funnel(1, 1, 1, 0, 2, 2, 2, 0)
    assert [(c.state, c.note) for c in tuesday.choices[-3:]] == [
        ("rejected", "403: insufficient buying power"),
        ("expired", "price moved"),
        ("cancelled", "timeout"),
    ]
    assert tuesday.funnel.rejected == 1


def test_a_limit_that_refused_all_day_is_one_line(tmp_path: Path) -> None:
    """Three refusals of the same limit: how often, from when to when, and the first one's numbers."""
    script = Script()
    script.session(MONDAY)
    breach = {"limit": "max_exposure", "allowed": 60_000, "actual": 80_000, "unit": "ppm"}
    who = {"symbol": "SPY", "side": "buy", "purpose": "entry", "strategy": "momentum"}
    for minute in (31, 32, 40):
        instant = at(MONDAY, f"13:{minute}:00")
        asked = {"asked": to_qty("3"), "quantity": 0, "breaches": [breach], "intent_id": None}
        script.add(Kind.VERDICT, {"instant": instant.isoformat(), **who, **asked}, instant)
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))
    store.project(script.records)

    (refusal,) = load(store, MONDAY).refusals

    assert (refusal.limit, refusal.times, refusal.actual, refusal.allowed) == (
        "max_exposure", 3, "8.00 %", "6.00 %",
    )  # fmt: skip
    assert (refusal.first_at, refusal.last_at) == (at(MONDAY, "13:31:00"), at(MONDAY, "13:40:00"))


def test_risk_bars_hold_the_worst_of_the_session(monday: SessionReport) -> None:
    """Low 9,990 of 10,000: 0.10 %. At 13:45 2 SPY at 101.25 are 202.50 of 9,990: 2.0270 %."""
    worst = {bar.name: bar.worst for bar in monday.risk}

    assert worst == {
        "Daily loss": 1_000,
        "Drawdown": 1_000,
        "Monthly loss": 0,
        "Gross exposure": 20_270,
        "Open positions": 1,
        "Cash": 1_000_000,
        "Orders sent": 2,
    }


def test_the_owners_money_is_in_no_months_loss(tmp_path: Path) -> None:
    """10,000, of which 2,000 are taken out and 100 lost: 100 of 8,000 is 1.25 %, not 21 % of 10,000."""
    script = Script()
    script.session(MONDAY)
    base = dict.fromkeys(("day_equity", "month_equity", "peak_equity"), to_money("10000"))
    script.add(Kind.BASELINE, {"day": MONDAY, **base})
    script.snapshot(MONDAY, "13:31:00", "10000")
    script.cash("c-1", "CSW", "-2000", MONDAY)
    script.snapshot(MONDAY, "14:00:00", "7900")
    script.cash("c-2", "CSD", "5000", MONDAY)
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))
    store.project(script.records)

    assert {bar.name: bar.worst for bar in load(store, MONDAY).risk}["Monthly loss"] == 12_500


def test_holes_are_counted_and_the_longest_is_named(monday: SessionReport) -> None:
    """390 minutes less the first, ten from 15:10 UTC, and the last; QQQ has no bar at all."""
    assert monday.data == (
        DataQuality("SPY", 390, 378, 10, at(MONDAY, "15:10:00")),
        DataQuality("QQQ", 390, 0, 390, at(MONDAY, "13:30:00")),
    )


def test_expected_runs_stand_beside_what_ran_and_the_future_is_not_missing(
    store: DuckStore, monday: SessionReport
) -> None:
    """market-open was 1 s late; the tick 70 s (done stays done); the report was due at 21:30."""
    before, after = load(store, MONDAY, "21:30:30"), monday

    assert before.health.runs == (
        RunLine("market-open", 1, 1, 0, 0, 0, 0, 1_000, 1_000),
        RunLine("intraday-tick", 1, 1, 0, 0, 0, 1, 70_000, 70_000),
    )
    assert after.health.runs[-1] == RunLine("daily-report", 1, 0, 0, 0, 1, 0, None, None)
    assert [(c.name, c.outcome, c.evidence) for c in after.health.checks] == [("disk", "fail", "1 GB")]
    assert after.reconciliation == Reconciliation(1, True, at(MONDAY, "21:00:00"))


def test_runs_that_found_the_account_busy_or_came_late_are_counted_and_warned_of(tmp_path: Path) -> None:
    """Four ticks: one done, two overlapped, one stale."""
    script = Script()
    clocks = ("13:31:00", "13:32:00", "13:33:00", "13:34:00")
    outcomes = ("completed", "overlapped", "overlapped", "skipped")
    script.session(MONDAY, tuple(("intraday-tick", clock) for clock in clocks))
    for clock, outcome in zip(clocks, outcomes, strict=True):
        told = {"driver": "desk", "outcome": outcome, "reason": "why", "summary": {}}
        script.add(Kind.RUN, run(MONDAY, "intraday-tick", clock, **told), at(MONDAY, clock))
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))
    store.project(script.records)
    report = load(store, MONDAY)
    (line,) = report.health.runs

    assert (line.expected, line.completed, line.skipped, line.verdict) == (4, 1, 3, "warn")
    assert "intraday-tick: 3 of 4 runs skipped, late or the account busy." in conclude(report).attention
    assert "| intraday-tick | 4 | 1 | 3 |" in render_markdown(report)
    assert "! warn" in render_html(report).partition("System health")[2].partition("</table>")[0]


def test_a_halted_day_says_so_first(tuesday: SessionReport) -> None:
    """Tuesday: halted by ann, one discrepancy, SPY locked, an order rejected."""
    report = tuesday
    verdict = conclude(report)

    assert (report.state, verdict.level) == ("HALTED", Level.HALTED)
    assert verdict.headline == "Trading is HALTED. Day P&L +$2.96 (+0.03 %)."
    assert verdict.attention[:2] == (
        "HALTED at 10:01:00 ET: kill switch (ann).",
        "Ledger and broker disagree: 1 discrepancy.",
    )
    assert ("SPY", "external position") in report.locks
    assert report.profit is not None
    assert report.profit.deposits == to_money("500")


def test_a_position_carries_its_stop_and_its_share(tmp_path: Path) -> None:
    """2 SPY at 100.025, last 101.25: value 202.50, open profit 2.45, stop 1.5 % below: 98.5247."""
    script = Script()
    script.session(MONDAY)
    held = {"SPY": {"quantity": to_qty("2"), "cost": to_money("200.05")}}
    script.snapshot(MONDAY, "13:45:00", "10000", held)
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))
    store.project(script.records)

    assert load(store, MONDAY).holdings == (
        Holding(
            "SPY", to_qty("2"), to_price("100.025"), to_price("101.25"), to_money("202.5"), to_money("2.45"),
            20_250, to_price("98.5247"),
        ),
    )  # fmt: skip


def test_a_store_without_anything_gives_a_report_that_says_so(tmp_path: Path) -> None:
    """No snapshot, no run, no comparison: each is named, nothing is invented."""
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))

    report = load(store, MONDAY)
    verdict = conclude(report)

    assert (report.profit, report.curve, report.trades, report.risk) == (None, (), (), ())
    assert verdict.level is Level.ATTENTION
    assert "No account snapshot was taken." in verdict.attention
    assert "Ledger and broker were never compared: run `marketday reconcile`." in verdict.attention
    assert "No account snapshot" in render_html(report)


def test_the_same_store_gives_the_same_report_and_the_same_number_everywhere(
    store: DuckStore, monday: SessionReport
) -> None:
    """The day's result on the page, in the text and in the message."""
    first, second = monday, load(store, MONDAY)
    message = report_alert(first, "reports/2013-10-07.html")

    assert first == second
    assert render_html(first) == render_html(second)
    assert message.fields[0] == ("Day P&L", "+$1.83 (+0.02 %, limit −3.00 %)")
    assert "+$1.83 (+0.02 %, limit −3.00 %)" in render_markdown(first)
    assert "+$1.83" in render_html(first)
    assert (message.severity, message.mode, len(message.fields)) == (Severity.NOTICE, "PAPER", 10)
    assert message.at == datetime(2013, 10, 7, 21, 32, tzinfo=UTC)
