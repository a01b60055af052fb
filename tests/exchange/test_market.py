"""Synthetic and recorded markets."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigurationError
from pipeline.exchange.bars import Bars
from pipeline.exchange.config import ExchangeConfig, load_config
from pipeline.exchange.host import Exchange, open_market
from pipeline.exchange.orders import to_instant
from pipeline.exchange.series import Span, bar_rows
from pipeline.exchange.synthetic import SyntheticMarket
from pipeline.exchange.tape import Tape
from tests.exchange.openapi import data_file
from tests.exchange.running import RECORDED_SESSIONS, SYMBOLS, a_config, write_config

FIRST = date(2026, 11, 20)


@pytest.fixture
def config(tmp_path: Path) -> ExchangeConfig:
    """The usual synthetic configuration."""
    return load_config(write_config(tmp_path))


def day(config: ExchangeConfig, symbol: str, on: date) -> Bars:
    """Return the bars of a session."""
    session = config.table.on(on)
    assert session is not None
    return open_market(config).bars(symbol, session)


def test_bars_are_sane_on_a_cent_grid_and_as_many_as_the_session_has_minutes(config: ExchangeConfig) -> None:
    """390 on an ordinary day, 210 on the half day; low <= open, close <= high."""
    for on, minutes in ((date(2026, 11, 13), 390), (FIRST, 390), (date(2026, 11, 27), 210)):
        bars = day(config, "SPY", on)
        assert len(bars) == minutes
        assert np.all(bars.low <= np.minimum(bars.open, bars.close))
        assert np.all(np.maximum(bars.open, bars.close) <= bars.high)
        assert not np.any(np.concatenate((bars.open, bars.high, bars.low, bars.close)) % 100)
        assert np.all(bars.volume > 0)


def test_the_first_session_opens_near_the_configured_price_with_history_before_it(
    config: ExchangeConfig,
) -> None:
    """Within 0.5 % of 671.20; nine sessions of the table lie before it, all with bars."""
    assert day(config, "SPY", FIRST).open[0] == pytest.approx(6_712_000, rel=0.005)
    market = open_market(config)
    earlier = [s for s in config.table.sessions if s.day < FIRST]
    assert [len(market.bars("SPY", s)) for s in earlier] == [390] * 9


def test_a_symbols_path_depends_on_the_seed_but_not_on_its_company_or_the_order_of_asking(
    tmp_path: Path,
) -> None:
    """SPY alone, asked late first, equals SPY among others asked in order; another seed differs."""
    alone = load_config(
        write_config(
            tmp_path / "a", a_config(market={"kind": "synthetic", "symbols": {"SPY": SYMBOLS["SPY"]}})
        )
    )
    among = load_config(write_config(tmp_path / "b"))
    other = load_config(write_config(tmp_path / "c", a_config(seed=8)))
    sessions = [s for s in among.table.sessions if s.day >= FIRST]
    late_first, in_order = open_market(alone), open_market(among)
    backwards = {s.day: late_first.bars("SPY", s).close for s in reversed(sessions)}

    assert all(np.array_equal(in_order.bars("SPY", s).close, backwards[s.day]) for s in sessions)
    assert not np.array_equal(day(other, "SPY", FIRST).close, backwards[FIRST])


def test_volume_and_volatility_are_highest_at_the_ends_of_the_day_and_symbols_move_together(
    config: ExchangeConfig,
) -> None:
    """Over all sessions: the first and last half hours against midday, and the correlation of returns."""
    market = open_market(config)
    full = [s for s in config.table.sessions if not s.early_close]
    spy = np.array([np.log(market.bars("SPY", s).close) for s in full])
    qqq = np.array([np.log(market.bars("QQQ", s).close) for s in full])
    volume = np.array([market.bars("SPY", s).volume for s in full]).mean(0)
    moves = np.abs(np.diff(spy, axis=1)).mean(0)
    together = np.corrcoef(np.diff(spy, axis=1).ravel(), np.diff(qqq, axis=1).ravel())[0, 1]

    assert volume[:30].mean() > 1.5 * volume[180:210].mean() < volume[-30:].mean()
    assert moves[:30].mean() > 1.15 * moves[180:210].mean()
    assert 0.25 < together < 0.5


def test_prices_gap_overnight_and_regimes_change(tmp_path: Path) -> None:
    """Over 20 seeds the sessions see all three regimes, and gaps stay below 40 dollars."""
    seen: set[str] = set()
    for seed in range(20):
        config = load_config(write_config(tmp_path, a_config(seed=seed)))
        market = SyntheticMarket(config)
        seen |= {market.regime(i) for i in range(len(config.table.sessions))}
        gap = (
            market.bars("SPY", config.table.sessions[9]).open[0]
            - market.bars("SPY", config.table.sessions[8]).close[-1]
        )
        assert abs(gap) < 400_000
    assert seen == {"calm", "trend", "stress"}


def test_five_hundred_symbols_are_made_in_time(tmp_path: Path) -> None:
    """A session of 500 symbols: 195,000 bars in under 3 s."""
    symbols = {f"{chr(65 + i // 26)}{chr(65 + i % 26)}": {"price": 50 + i} for i in range(500)}
    config = load_config(write_config(tmp_path, a_config(market={"kind": "synthetic", "symbols": symbols})))
    market, session = open_market(config), config.table.on(FIRST)
    assert session is not None
    began = time.perf_counter()

    assert sum(len(market.bars(symbol, session)) for symbol in symbols) == 195_000
    assert time.perf_counter() - began < 3


def a_recorded_config(folder: Path, file: str, **market: object) -> ExchangeConfig:
    """Return a configuration of recorded bars."""
    kind = {"kind": "recorded", "file": file} | market
    return load_config(
        write_config(folder, a_config(market=kind, first_session="2013-10-04"), RECORDED_SESSIONS)
    )


def test_recorded_bars_keep_their_holes_and_extended_hours(tmp_path: Path) -> None:
    """IBM on 2013-10-04, read by DuckDB directly: every bar of the day, 389 of the session's 390 minutes."""
    import duckdb

    path = data_file("market/us_equity_minute_bars_2013-10.parquet")
    config = a_recorded_config(tmp_path, str(path))
    session = config.table.sessions[0]
    bars = open_market(config).bars("IBM", session)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(
            "SELECT epoch(ts)::BIGINT, open, volume FROM read_parquet(?) WHERE symbol = 'IBM'"
            " AND ts < TIMESTAMPTZ '2013-10-05 04:00:00Z' ORDER BY ts",
            [str(path)],
        ).fetchall()

    assert bars.start.tolist() == [row[0] for row in rows]
    assert (bars.open / 10_000).tolist() == [row[1] for row in rows]
    assert bars.volume.tolist() == [row[2] for row in rows]
    opened, closed = int(session.open.timestamp()), int(session.close.timestamp())
    inside = [row for row in rows if opened <= row[0] < closed]
    assert (len(inside), len(rows)) == (389, 411)


def test_recorded_orders_fill_only_in_session_minutes_that_traded(tmp_path: Path) -> None:
    """An IBM order sent just before a minute without trades fills at the next minute's open."""
    path = data_file("market/us_equity_minute_bars_2013-10.parquet")
    exchange = Exchange(a_recorded_config(tmp_path, str(path)), tmp_path)
    engine = exchange.engine
    session = engine.tape.table.sessions[0]
    bars = engine.tape.market.bars("IBM", session)
    opened, closed = int(session.open.timestamp()), int(session.close.timestamp())
    inside = [s for s in bars.start.tolist() if opened <= s < closed]
    hole = next(s for s in range(opened, closed, 60) if s not in inside)
    following = next(s for s in inside if s > hole)
    exchange.advance(hole * 1_000_000)
    exchange.submit({"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"})
    exchange.advance((following + 60) * 1_000_000)
    exchange.close()
    (fill,) = engine.book.fills

    assert fill.at == following * 1_000_000
    assert fill.price == pytest.approx(bars.open[bars.at(following)] * 1.00005, abs=1)
    assert engine.tape.bar("IBM", hole) is None


def test_a_recorded_session_before_the_open_is_shown_but_not_traded(tmp_path: Path) -> None:
    """At 09:00 the bars of the early morning are there; a market order waits until 09:30."""
    path = data_file("market/us_equity_minute_bars_2013-10.parquet")
    exchange = Exchange(a_recorded_config(tmp_path, str(path)), tmp_path)
    exchange.advance(to_instant(datetime(2013, 10, 4, 13, tzinfo=UTC)))
    exchange.submit({"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"})
    exchange.advance(to_instant(datetime(2013, 10, 4, 13, 30, tzinfo=UTC)))
    early = bar_rows(exchange.engine, "SPY", Span(0, 2**33), 60)
    filled = len(exchange.engine.book.fills)
    exchange.advance(to_instant(datetime(2013, 10, 4, 13, 31, tzinfo=UTC)))
    exchange.close()

    assert len(early) > 50
    assert (filled, len(exchange.engine.book.fills)) == (0, 1)


CSV = """symbol,ts,open,high,low,close,volume
X,2013-10-04 09:30:00,10.00,10.05,9.99,10.01,1500
X,2013-10-04 09:32:00,10.01,10.02,10.00,10.02,700
"""


def test_a_csv_without_time_zone_is_read_in_the_configured_one(tmp_path: Path) -> None:
    """09:30 in New York is 13:30 UTC in October."""
    (tmp_path / "bars.csv").write_text(CSV)
    config = a_recorded_config(tmp_path, "bars.csv", timezone="America/New_York")
    bars = Tape(open_market(config), config.table).market.bars("X", config.table.sessions[0])

    assert [datetime.fromtimestamp(s, UTC).isoformat() for s in bars.start.tolist()] == [
        "2013-10-04T13:30:00+00:00",
        "2013-10-04T13:32:00+00:00",
    ]
    assert bars.high.tolist() == [100_500, 100_200]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "bars.csv",
            "symbol,time,open\nX,1,2\n",
            "has columns symbol, time, open; wanted are symbol, ts, open",
        ),
        ("bars.csv", CSV.replace("10.05", "9.00"), "X: prices are out of order"),
        ("bars.csv", CSV.replace("09:32", "09:30"), "X: two bars start at the same minute"),
        ("bars.csv", CSV.replace("700", ""), "rows with missing values"),
        ("bars.parquet", "not parquet", "cannot be read"),
        ("bars.xlsx", "", "must end in .csv or .parquet"),
        ("absent.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    """What was found and what is wanted stand in the sentence."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=reason):
        open_market(a_recorded_config(tmp_path, name))
