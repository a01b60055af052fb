"""Bars that a strategy is checked on: a lively synthetic market, or a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pipeline.domain.market import Bar
from pipeline.domain.money import to_price
from pipeline.domain.session import Session, SessionTable
from pipeline.errors import ConfigurationError, UsageError
from pipeline.exchange.bars import Bars
from pipeline.exchange.config import AccountConfig, Costs, ExchangeConfig, MarketConfig, SymbolProfile
from pipeline.exchange.recorded import RecordedMarket, contents
from pipeline.exchange.synthetic import SyntheticMarket

SYNTHETIC = "SYN"
"""The synthetic market's one symbol."""

_LIVELY = 3.0
"""Yearly volatility: high enough that strategies with thresholds have something to say within days."""

_FIRST_DAY = date(2026, 1, 5)
_OPEN, _CLOSE = time(14, 30, tzinfo=UTC), time(21, tzinfo=UTC)
_MINUTES = 390
_SAMPLED = timedelta(days=60)
"""The days of a file are sampled every 30 bars, so its last ones may lie this far behind the last sampled."""


def synthetic_bars(count: int, seed: int) -> tuple[Bar, ...]:
    """Return ``count`` one-minute bars of :data:`SYNTHETIC`: the same for the same seed."""
    sessions = _weekdays(_FIRST_DAY, -(-count // _MINUTES))
    table = SessionTable("SYNTHETIC", "UTC", sessions[0].day, sessions[-1].day, sessions)
    profile = SymbolProfile(SYNTHETIC, to_price(100), _LIVELY)
    market = SyntheticMarket(
        ExchangeConfig(
            seed=seed,
            market=MarketConfig("synthetic", {SYNTHETIC: profile}),
            table=table,
            first_session=sessions[0].day,
            start=sessions[0].open,
            account=AccountConfig("", "", "", "", 0),
            costs=Costs(),
            digest="",
        )
    )
    made = [bar for session in sessions for bar in _values(SYNTHETIC, market.bars(SYNTHETIC, session))]
    return tuple(made[:count])


def recorded_bars(file: Path, symbol: str | None, count: int, timezone: str) -> tuple[Bar, ...]:
    """Return the newest ``count`` bars of a symbol in a CSV or Parquet file, or all when there are fewer.

    Args:
        symbol: by default the first one of the file.
        timezone: of times in the file that name none.

    Raises:
        ConfigurationError: the file cannot be read, misses columns, or holds bars that cannot be true.
        UsageError: it has no such symbol.
    """
    try:
        symbols, days = contents(file, timezone)
    except ConfigurationError as error:
        raise ConfigurationError("--data", error.value, error.remedy) from error
    chosen = symbol or symbols[0]
    if chosen not in symbols:
        raise UsageError(f"{file} has no {chosen}; --symbol can be {', '.join(symbols)}")
    market = RecordedMarket(MarketConfig("recorded", {}, file, timezone), "UTC")
    day, found = days[-1] + _SAMPLED, list[Bar]()
    while day >= days[0] - timedelta(days=1) and len(found) < count:
        session = Session(day, datetime.combine(day, _OPEN), datetime.combine(day, _CLOSE))
        found[:0] = _values(chosen, market.bars(chosen, session))
        day -= timedelta(days=1)
    return tuple(found[-count:])


def _weekdays(first: date, count: int) -> tuple[Session, ...]:
    days = (first + timedelta(days=i) for i in range(2 * count + 7))
    open_days = [day for day in days if day.weekday() < 5][:count]
    return tuple(
        Session(day, datetime.combine(day, _OPEN), datetime.combine(day, _CLOSE)) for day in open_days
    )


def _values(symbol: str, bars: Bars) -> Iterator[Bar]:
    columns = (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)
    for start, opened, high, low, close, volume in zip(*(c.tolist() for c in columns), strict=True):
        yield Bar(symbol, datetime.fromtimestamp(start, UTC), opened, high, low, close, volume)
