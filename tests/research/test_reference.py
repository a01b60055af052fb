"""The simulator against a second one that shares no code with it, on real bars."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import exchange_calendars
import pytest

from pipeline.research.results import Result
from pipeline.research.simulator import simulate
from pipeline.settings.loading import read_settings
from pipeline.wiring.backtesting import Source, prepare
from pipeline.wiring.spec import CHECKOUT
from tests.e2e.market import minute_bars
from tests.research.reference import CAUTIOUS, HALTED, REDUCING, Bar, Rules, Trade, run

NEW_YORK = ZoneInfo("America/New_York")
CONFIG = CHECKOUT / "deployments" / "config"
HOUR, MINUTE = 3600, 60
QUIET = ("execution.price_collar_pct=0.2", "data.max_gap_bars=390", "data.frozen_bars=390")
"""Doubts about data are told by no design page; the unit tests of data quality have them."""


def rows(path: Path, column: str, first: date, last: date) -> dict[str, dict[int, Bar]]:
    """Return the file's bars by symbol and first second, read without any code of ours."""
    exact = ", ".join(f"round({name} * 10000)::BIGINT" for name in ("open", "close"))
    start = column if column == "ts" else f"timezone('America/New_York', {column})"
    query = f"""
        SELECT symbol, epoch_us({start}) // 1000000, {exact}, volume::BIGINT FROM read_parquet(?)
        WHERE {start} >= ?::DATE::TIMESTAMPTZ AND {start} < (?::DATE + 1)::TIMESTAMPTZ ORDER BY ALL
    """
    found: dict[str, dict[int, Bar]] = {}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        for symbol, second, *values in connection.execute(query, [str(path), first, last]).fetchall():
            opened, closed, volume = values
            found.setdefault(symbol, {})[second] = opened, closed, volume
    return found


def local(second: int) -> datetime:
    return datetime.fromtimestamp(second, NEW_YORK)


def simulated(path: Path, days: tuple[date, date], configured: Sequence[str], folder: Path) -> Result:
    files = [CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml"]
    settings = read_settings(files, [*QUIET, *configured])
    prepared = prepare(settings, Source(path), days, folder)
    return simulate(prepared.history, prepared.setup)


def assert_equal(result: Result, trades: list[Trade], curve: list[tuple[int, int, int]]) -> None:
    ours = [
        (
            int(one.fill.at.timestamp()),
            one.fill.symbol,
            one.fill.side.value,
            one.fill.quantity,
            one.fill.price,
        )
        for one in result.executions
    ]
    points = [(int(point.at.timestamp()), point.equity, int(point.state)) for point in result.curve]
    for mine, theirs in zip(ours, trades, strict=False):
        assert mine == theirs
    for point, other in zip(points, curve, strict=False):
        assert point == other
    assert (len(ours), len(points)) == (len(trades), len(curve))


def aggregated(bars: Mapping[int, Bar], seconds: int) -> dict[int, Bar]:
    """Return longer bars of regular hours: (open, close, volume) by first second."""
    found: dict[int, Bar] = {}
    for second, (opened, closed, volume) in sorted(bars.items()):
        clock = local(second).strftime("%H:%M")
        if "09:30" <= clock < "16:00":
            place = second // seconds * seconds
            first, _, before = found.get(place, (opened, 0, 0))
            found[place] = first, closed, before + volume
    return found


def common(**changes: Any) -> Rules:
    settled: dict[str, Any] = {
        "fast": 5,
        "slow": 12,
        "threshold": Fraction(5, 10_000),
        "cash": 1_000_000 * 10**6,
        "size": Fraction(3, 10),
        "positions": 3,
        "exposure": Fraction(8, 10),
        "min_cash": Fraction(1, 10),
        "stop": Fraction(2, 1000),
        "flatten": 0,
        "timeout": 300,
        "cost": Fraction(50, 10**6),
        "per_share": 5000,
        "sell_fee": Fraction(21, 10**6),
        "participation": Fraction(1, 10),
    }
    return Rules(**(settled | changes))


def as_settings(rules: Rules, timeframe: str, symbols: Sequence[str]) -> list[str]:
    params = {
        "fast_period": rules.fast,
        "slow_period": rules.slow,
        "signal_threshold": float(rules.threshold),
    }
    strategy = {"type": "momentum", "name": "Cross", "params": params, "allocation": 1.0}
    pairs = {
        "strategies": [strategy],
        "data.timeframe": timeframe,
        "data.symbols": list(symbols),
        "portfolio.initial_capital": rules.cash // 10**6,
        "risk_management.position_size_pct": float(rules.size),
        "risk_management.max_positions": rules.positions,
        "risk_management.max_exposure_pct": float(rules.exposure),
        "risk_management.stop_loss_pct": float(rules.stop),
        "risk_management.time_controls.close_positions_minutes": rules.flatten or None,
        "execution.execution_delay_seconds": 0,
        "rehearsal.costs.fee_per_share": rules.per_share / 10**6,
        "rehearsal.costs.participation_pct": float(rules.participation),
        "rehearsal.symbols": {},
        "monitoring.risk_monitoring.check_frequency_seconds": 300,
    }
    return [f"{key}={'null' if value is None else value}" for key, value in pairs.items()]


@pytest.mark.parametrize(
    "changes",
    [{}, {"flatten": 30, "threshold": Fraction(0)}, {"participation": Fraction(2, 10_000)}],
    ids=["over night", "flat at night", "thin"],
)
def test_six_real_sessions_are_traded_alike(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Five-minute bars of four symbols, holes included; the last case fills in pieces and times out."""
    rules, days = common(**changes), (date(2013, 10, 4), date(2013, 10, 11))
    path = minute_bars()
    traded = rows(path, "ts", *days)
    seen = {symbol: aggregated(bars, 300) for symbol, bars in traded.items()}
    sessions = []
    for day in (4, 7, 8, 9, 10, 11):
        opened = int(datetime(2013, 10, day, 9, 30, tzinfo=NEW_YORK).timestamp())
        closed = opened + 390 * MINUTE
        sessions.append(("2013-10", opened, closed, range(opened + 300, closed + 1, 300)))

    trades, curve = run(rules, sessions, traded, seen, (MINUTE, 300))

    assert len(trades) > 20
    assert_equal(simulated(path, days, as_settings(rules, "5m", sorted(traded)), tmp_path), trades, curve)


def hour_bars() -> Path:
    path = minute_bars().with_name("us_equity_hour_bars_1998_2021.parquet")
    if not path.is_file():
        pytest.skip(f"no real market data: {path} is missing")
    return path


@pytest.mark.parametrize(
    ("years", "size"),
    [
        ((2007, 2009), "0.4"),
        ((2000, 2002), "0.2"),
        pytest.param((2015, 2016), "0.4", marks=pytest.mark.slow),
        pytest.param((2000, 2021), "0.1", marks=pytest.mark.slow),
    ],
)
def test_years_of_hours_climb_the_same_ladder(tmp_path: Path, years: tuple[int, int], size: str) -> None:
    """SPY and IBM held over nights and through crashes: states change, and stay where they are latched."""
    rules = common(size=Fraction(size), stop=Fraction(1, 20), threshold=Fraction(0), exposure=Fraction(1))
    days = date(years[0], 1, 1), date(years[1], 12, 31)
    path = hour_bars()
    traded = hours(path, *days)

    trades, curve = run(rules, hours_of(traded, days[0]), traded, traded, (HOUR, HOUR))

    assert {CAUTIOUS, REDUCING} & {state for _, _, state in curve}
    assert_equal(simulated(path, days, as_settings(rules, "1h", ("IBM", "SPY")), tmp_path), trades, curve)


def test_a_drawdown_of_two_thousandths_halts_both(tmp_path: Path) -> None:
    """What is held when trading halts stays held to the end, and is valued at every bar."""
    rules = common(
        size=Fraction(4, 10), stop=Fraction(1, 20), exposure=Fraction(1), halted_drawdown=Fraction(2, 1000)
    )
    days = date(2003, 1, 1), date(2003, 12, 31)
    path = hour_bars()
    traded = hours(path, *days)
    ladder = [
        f"emergency_procedures.automatic_stops.triggers=[{{drawdown_limit: {float(rules.halted_drawdown)}}}]",
        "monitoring.risk_monitoring.automated_responses.reduce_size_on_drawdown=false",
        "monitoring.risk_monitoring.automated_responses.halt_trading_on_critical=false",
    ]

    trades, curve = run(rules, hours_of(traded, days[0]), traded, traded, (HOUR, HOUR))

    assert curve[-1][2] == HALTED
    configured = [*as_settings(rules, "1h", ("IBM", "SPY")), *ladder]
    assert_equal(simulated(path, days, configured, tmp_path), trades, curve)


def hours(path: Path, first: date, last: date) -> dict[str, dict[int, Bar]]:
    """Return bars of hours from three weeks before ``first``, without what traded after early closes."""
    begin = first - timedelta(days=21)
    sessions = calendar(begin, last)
    return {
        symbol: {at: bar for at, bar in held.items() if at < sessions[local(at).date()][1]}
        for symbol, held in rows(path, "ts_et", begin, last).items()
    }


@cache
def calendar(first: date, last: date) -> dict[date, tuple[int, int]]:
    """Return open and close of each session, from the package that the field uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        exchange = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    times = zip(exchange.sessions, exchange.opens, exchange.closes, strict=True)
    return {day.date(): (int(o.timestamp()), int(c.timestamp())) for day, o, c in times}


def hours_of(traded: Mapping[str, Mapping[int, Bar]], first: date) -> list[tuple[str, int, int, list[int]]]:
    """Return the sessions from ``first`` on, each with the ends of the bars of hours that there are."""
    last = max(local(max(held)).date() for held in traded.values())
    ends: dict[date, set[int]] = {}
    for held in traded.values():
        for second in held:
            ends.setdefault(local(second).date(), set()).add(second + HOUR)
    return [
        (f"{day:%Y-%m}", opened, closed, sorted(ends.get(day, ())))
        for day, (opened, closed) in calendar(first, last).items()
    ]
