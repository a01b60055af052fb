"""Derived numbers against a computation by hand, of the two days in ``script.two_days``."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from tests.unit.store.script import MONDAY, TUESDAY, WEDNESDAY, at, three_days, two_days


@pytest.fixture
def traded(store: DuckStore) -> DuckStore:
    """The store of the two days."""
    store.project(two_days())
    return store


def test_a_trade_carries_its_prices_fees_and_slippage(traded: DuckStore) -> None:
    """Monday: 1.5 × 100.02 + 0.5 × 100.04 = 200.05 in, 100.98 + 100.94 = 201.92 out: +1.87, fees 0.04.

    Slippage 1.5 × 0.02 + 0.5 × 0.04 + 0.02 + 0.06 = 0.13 of 2 × 100 + 2 × 101 = 402: 323 ppm.
    Tuesday: turnover SPY 203.50, QQQ 196.50, so that of 0.04 of fees SPY bears 0.02035, QQQ 0.01965.
    """
    rows = traded.query(
        "SELECT symbol, direction, quantity, entry_price, exit_price, realized, fees, pnl, slippage, "
        "pnl_ppm, slippage_ppm, fills FROM trades ORDER BY seq"
    )

    def numbers(*texts: str) -> tuple[Decimal, ...]:
        return tuple(map(Decimal, texts))

    assert [tuple(row.values()) for row in rows] == [
        ("SPY", "long", *numbers("2", "100.025", "100.96", "1.87", "0.04", "1.83", "0.13"), 9148, 323, 4),
        ("SPY", "long", *numbers("1", "102", "101.5", "-0.5", "0.02035", "-0.52035", "0.1"), -5101, 491, 2),
        ("QQQ", "short", *numbers("2", "50", "48.25", "3.5", "0.01965", "3.48035", "0"), 34804, 0, 2),
    ]


def test_equity_is_measured_from_a_peak_that_deposits_move(traded: DuckStore) -> None:
    """9,990 of 10,000 is 1,000 ppm; after the deposit of 500 the peak is 10,501.83."""
    rows = traded.query("SELECT equity, peak, drawdown_ppm FROM equity_curve ORDER BY seq")

    assert [tuple(row.values()) for row in rows] == [
        (Decimal(10_000), Decimal(10_000), 0),
        (Decimal(9_990), Decimal(10_000), 1_000),
        (Decimal("10001.83"), Decimal("10001.83"), 0),
        (Decimal(10_000), Decimal("10001.83"), 183),
        (Decimal(10_501), Decimal("10501.83"), 79),
        (Decimal("10504.79"), Decimal("10504.79"), 0),
    ]


def test_a_days_profit_leaves_the_owners_money_out(traded: DuckStore) -> None:
    """Tuesday: 10,504.79 − 10,001.83 − 500 = 2.96 = 3.00 realized − 0.04 fees; of 10,501.83: 282 ppm."""
    rows = traded.query(
        "SELECT session, start_equity, close_equity, deposits, pnl, pnl_ppm, realized, fees, fills "
        "FROM daily_pnl ORDER BY session"
    )

    money = tuple(map(Decimal, ("10000", "10001.83", "0", "1.83")))
    later = tuple(map(Decimal, ("10001.83", "10504.79", "500", "2.96")))
    assert [tuple(row.values()) for row in rows] == [
        (date.fromisoformat(MONDAY), *money, 183, Decimal("1.87"), Decimal("0.04"), 4),
        (date.fromisoformat(TUESDAY), *later, 282, Decimal("3"), Decimal("0.04"), 4),
    ]


def test_an_order_shows_the_last_that_is_known_of_it(traded: DuckStore) -> None:
    """Filled in two parts, rejected, vetoed, cancelled."""
    rows = traded.query(
        "SELECT id, state, order_id, filled, booked, average_price, sent_at, cancel_requested, note "
        "FROM orders WHERE id IN ('entry-1', 'entry-3', 'entry-4', 'entry-5') ORDER BY id"
    )

    two, zero, price = Decimal(2), Decimal(0), Decimal("100.025")
    first, sent = at(MONDAY, "13:31:05"), at(TUESDAY, "14:01:00")
    assert [tuple(row.values()) for row in rows] == [
        ("entry-1", "filled", "o-entry-1", two, two, price, first, False, "timeout"),
        ("entry-3", "rejected", None, zero, zero, None, sent, False, "403: insufficient buying power"),
        ("entry-4", "expired", None, zero, zero, None, None, False, "price moved"),
        ("entry-5", "cancelled", "o-entry-5", zero, zero, None, sent, True, "timeout"),
    ]


def test_the_audit_tells_completed_late_and_missing_runs_apart(traded: DuckStore) -> None:
    """The tick began 70 s late and completed, whatever a second driver that came too late said of it."""
    rows = traded.query("SELECT procedure, status, late_seconds, is_late FROM run_audit ORDER BY instant")

    assert [tuple(row.values()) for row in rows] == [
        ("market-open", "completed", 1, False),
        ("intraday-tick", "completed", 70, True),
        ("daily-report", "missing", None, False),
    ]


def test_incidents_are_everything_a_person_should_look_at(traded: DuckStore) -> None:
    rows = traded.query("SELECT kind, subject FROM incidents ORDER BY seq")

    assert [tuple(row.values()) for row in rows] == [
        ("check", "pre-market/disk"),
        ("unknown_order", "entry-1"),
        ("rejected_order", "entry-3"),
        ("broker_silence", "broker"),
        ("reconciliation", "periodic"),
        ("halt", "HALTED"),
    ]


def test_a_breach_is_kept_in_the_units_people_read(traded: DuckStore) -> None:
    (row,) = traded.query("SELECT limit_name, allowed, actual, unit, session FROM breaches")

    assert tuple(row.values()) == (
        "max_exposure",
        Decimal(200),
        Decimal(300),
        "money",
        date.fromisoformat(MONDAY),
    )


def test_a_third_day_of_books_is_told_as_it_was(store: DuckStore) -> None:
    """By hand: see ``script.three_days``. The bust trip is none; the split's entry price is per new share."""
    store.project(three_days())
    trip = "symbol, quantity, entry_price, exit_price, realized"
    trades = store.query(f"SELECT {trip} FROM trades WHERE session = ? ORDER BY seq", (WEDNESDAY,))
    held = store.query("SELECT symbol, quantity, cost FROM positions WHERE quantity <> 0")
    costs = store.query("SELECT realized, fills FROM session_costs WHERE session = ?", (WEDNESDAY,))
    told = store.query("SELECT change, realized, residual FROM session_explained")
    incidents = store.query(
        "SELECT kind, subject FROM incidents WHERE session = ? ORDER BY seq", (WEDNESDAY,)
    )

    assert [tuple(map(str, row.values())) for row in trades] == [
        ("SPY", "4.000000000", "50.0000", "51.0000", "4.000000"),
        ("QQQ", "3.000000000", "50.0000", "49.0000", "-3.000000"),
    ]
    assert [tuple(map(str, row.values())) for row in held] == [("DIA", "1.000000000", "150.000000")]
    assert [tuple(map(str, row.values())) for row in costs] == [("1.000000", "4")]
    assert [tuple(map(str, row.values())) for row in told] == [("151.000000", "1.000000", "150.000000")]
    assert [tuple(row.values()) for row in incidents] == [
        ("bust", "SPY"),
        ("external_trade", "QQQ"),
        ("balanced", "DIA"),
    ]
