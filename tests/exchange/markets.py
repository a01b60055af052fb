"""Engines over markets written down by hand, in dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from pipeline.domain.session import Session, SessionTable
from pipeline.exchange.bars import EMPTY, Bars
from pipeline.exchange.config import AccountConfig, Costs, ExchangeConfig, MarketConfig, SymbolProfile
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import to_instant
from pipeline.exchange.tape import Market, Tape
from tests.exchange.running import SESSIONS

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
CLOSE = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)

Rows = Sequence[tuple[float, float, float, float, int]]
"""Open, high, low, close and volume of consecutive minutes."""


def a_table() -> SessionTable:
    """Return the sessions around Thanksgiving 2026."""
    sessions = tuple(
        Session(date.fromisoformat(d), datetime.fromisoformat(o), datetime.fromisoformat(c), early)
        for d, o, c, early in SESSIONS
    )
    return SessionTable("XNYS", "America/New_York", sessions[0].day, sessions[-1].day, sessions)


class WrittenMarket:
    """Minutes from the open of 2026-11-20, and one bar at the end of the day before, at the first open."""

    def __init__(self, rows: Mapping[str, Rows], later: Mapping[date, Rows] | None = None) -> None:
        self.profiles = {symbol: SymbolProfile(symbol, 1_000_000) for symbol in rows}
        self._rows = rows
        self._later = later or {}

    def bars(self, symbol: str, session: Session) -> Bars:
        """Return the written bars of a session."""
        rows = self._rows[symbol]
        if session.day == date(2026, 11, 20):
            return _bars(session.open, rows)
        if session.day == date(2026, 11, 19):
            price = rows[0][0]
            return _bars(session.close - timedelta(minutes=1), [(price, price, price, price, 100)])
        return _bars(session.open, self._later[session.day]) if session.day in self._later else EMPTY


def _bars(first: datetime, rows: Rows) -> Bars:
    start = int(first.timestamp()) + 60 * np.arange(len(rows), dtype=np.int64)
    prices = [np.array([round(row[i] * 10_000) for row in rows], np.int64) for i in range(4)]
    return Bars(start, *prices, np.array([row[4] for row in rows], np.int64))


def a_configuration(costs: Costs | None = None, cash: int = 100_000_000_000) -> ExchangeConfig:
    """Return a configuration with 100,000 USD whose clock starts at 08:00 in New York."""
    return ExchangeConfig(
        seed=1,
        market=MarketConfig("synthetic", {}),
        table=a_table(),
        first_session=date(2026, 11, 20),
        start=datetime(2026, 11, 20, 13, tzinfo=UTC),
        account=AccountConfig("ba3d3977-4363-583c-8bfb-1bd9baaad221", "PA1", "k", "s", cash),
        costs=costs or Costs(half_spread_ppm=0, slippage_ppm=0),
        digest="",
    )


def an_engine(market: Market, costs: Costs | None = None, cash: int = 100_000_000_000) -> Engine:
    """Return an engine at 08:00 of the first session; without costs unless given."""
    config = a_configuration(costs, cash)
    return Engine(config, Tape(market, config.table))


def at_open(minutes: float) -> int:
    """Return the instant so many minutes after the open."""
    return to_instant(OPEN + timedelta(minutes=minutes))
