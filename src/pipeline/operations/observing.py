"""Observing: account, prices and complete bars at an instant, as one value that decisions are made on."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from pipeline.domain.market import Bar, Instrument
from pipeline.domain.portfolio import Account
from pipeline.domain.session import Session
from pipeline.operations.desk import Desk

_BEGAN = attrgetter("start")
_INSTANT = timedelta(microseconds=1)
_SLACK = 2
"""Bars may be missing: the window asked for is this many times the look-back."""


@dataclass(frozen=True, slots=True)
class Market:
    """What was seen. ``bars`` are complete and end at or before the instant."""

    instant: datetime
    account: Account
    bars: Mapping[str, Sequence[Bar]]
    prices: Mapping[str, int]
    prices_at: Mapping[str, datetime]
    instruments: Mapping[str, Instrument]

    def digest(self) -> str:
        """Return a hash of everything a decision saw, hex SHA-256; equal inputs, equal digest."""
        digest = hashlib.sha256()
        account = self.account
        digest.update(f"{self.instant.isoformat()}|{account.equity}|{account.cash}".encode())
        stamps: dict[datetime, str] = {}  # symbols share them, and making one costs more than hashing it
        for symbol in sorted(self.prices):
            text = [f"|{symbol}:{self.prices[symbol]}@{self.prices_at[symbol].isoformat()}"]
            for bar in self.bars.get(symbol, ()):
                stamp = stamps.get(bar.start)
                if stamp is None:
                    stamp = stamps[bar.start] = f",{bar.start.timestamp():.0f}:"
                text.append(f"{stamp}{bar.close}")
            digest.update("".join(text).encode())
        return digest.hexdigest()


def observe_bars(desk: Desk, session: Session, instant: datetime) -> Market:
    """Return the market as the last complete bars show it.

    Raises:
        BrokerUnavailable, DataUnavailable: not answered; DataInvalid: cannot be true.
    """
    account = desk.broker.fetch_account()
    bars = _bars(desk, session, instant)
    last = {symbol: held[-1] for symbol, held in bars.items() if held}
    length = desk.timeframe.length
    return Market(
        instant=instant,
        account=account,
        bars=bars,
        prices={symbol: bar.close for symbol, bar in last.items()},
        prices_at={symbol: bar.start + length for symbol, bar in last.items()},
        instruments=instruments(desk),
    )


def observe_quotes(desk: Desk, instant: datetime) -> Market:
    """Return the market as the latest quotes show it; the price is the middle of bid and ask."""
    account = desk.broker.fetch_account()
    quotes = desk.data.fetch_quotes(watched(desk))
    return Market(
        instant=instant,
        account=account,
        bars={},
        prices={symbol: (quote.bid + quote.ask) // 2 for symbol, quote in quotes.items()},
        prices_at={symbol: quote.at for symbol, quote in quotes.items()},
        instruments=instruments(desk),
    )


def observe_blind(desk: Desk, instant: datetime) -> Market:
    """Return the market without any price: the account alone, while market data does not arrive.

    No entry passes the gates without a price. Limits, cancels, liquidation and the flat close do not wait
    for one.
    """
    account = desk.broker.fetch_account()
    return Market(instant, account, {}, {}, {}, instruments(desk))


def watched(desk: Desk) -> tuple[str, ...]:
    """Return the configured symbols and whatever else is held, in a fixed order."""
    held = desk.journal.read().positions
    return desk.symbols + tuple(sorted(set(held) - set(desk.symbols)))


def instruments(desk: Desk) -> Mapping[str, Instrument]:
    """Return the instruments, asked once per process: they do not change within a session."""
    known = desk.memory.instruments
    missing = [symbol for symbol in watched(desk) if symbol not in known]
    if missing:
        known.update(desk.broker.fetch_instruments(missing))
    return known


def longest_lookback(desk: Desk) -> int:
    """Return the bars that the most demanding strategy needs."""
    return max(strategy.lookback for strategy in desk.strategies)


def window_start(desk: Desk, session: Session, instant: datetime) -> datetime:
    """Return where the window of bars for ``instant`` begins: the same for every process that asks."""
    wanted = longest_lookback(desk) * _SLACK
    starts = [start for start in session.bar_starts(desk.timeframe.length) if start < instant]
    while len(starts) < wanted and session.day > desk.sessions.sessions[0].day:
        session = desk.sessions.before(session.day)
        starts = [*session.bar_starts(desk.timeframe.length), *starts]
    return starts[max(0, len(starts) - wanted)] if starts else instant


def _bars(desk: Desk, session: Session, instant: datetime) -> dict[str, Sequence[Bar]]:
    """Fetch what is new since the last pass; what was fetched is kept for the next."""
    start = window_start(desk, session, instant)
    memory = desk.memory
    symbols = watched(desk)
    known = memory.fetched_to is not None and set(symbols) <= set(memory.bars)
    since = max(start, memory.fetched_to) if known and memory.fetched_to is not None else start
    if since < instant:
        fetched = desk.data.fetch_bars(symbols, desk.timeframe, since, instant)
        for symbol in symbols:
            kept = _between(memory.bars.get(symbol, ()), start, since - _INSTANT)
            memory.bars[symbol] = [*kept, *_regular(desk, session, fetched[symbol])]
        memory.fetched_to = instant
    last_start = instant - desk.timeframe.length
    return {symbol: _between(memory.bars[symbol], start, last_start) for symbol in symbols}


def _between(bars: Sequence[Bar], first: datetime, last: datetime) -> Sequence[Bar]:
    """Return the bars that began from ``first`` to ``last``, inclusive; ``bars`` are oldest first."""
    return bars[bisect_left(bars, first, key=_BEGAN) : bisect_right(bars, last, key=_BEGAN)]


def _regular(desk: Desk, session: Session, bars: Sequence[Bar]) -> list[Bar]:
    """Keep bars of regular sessions: extended hours are another market. ``session`` is looked at first."""
    kept = []
    found: Session | None = session
    for bar in bars:
        if found is None or not found.is_open(bar.start):
            found = desk.sessions.on(bar.start.astimezone(desk.zone).date())
        if found is not None and found.is_open(bar.start):
            kept.append(bar)
    return kept


def seconds_to_close(session: Session, instant: datetime) -> int:
    """Return whole seconds until the session's real close, 0 at and after it."""
    return max(0, int((session.close - instant) / timedelta(seconds=1)))
