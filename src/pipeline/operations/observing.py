"""Observing: account, prices and complete bars at an instant, as one value that decisions are made on."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter

from pipeline.domain.market import SYMBOL, Bar, BySymbol, Flaw, Instrument, Quote
from pipeline.domain.order_life import OrderLife
from pipeline.domain.portfolio import Account
from pipeline.domain.quality import (
    Rules,
    flaws_among,
    in_force,
    quote_flaw,
    rescaled,
    rules_of,
    splits_by_symbol,
)
from pipeline.domain.risk import Breach
from pipeline.domain.session import Session
from pipeline.operations.desk import Desk, Memory

_BEGAN = attrgetter("start")
_INSTANT = timedelta(microseconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_A_MINUTE = timedelta(minutes=1)
_LONGEST_HOLD = timedelta(hours=2)
"""No order is sent this long after its decision: the longest review hold is an hour."""
_LATE_BARS = 3
_SLACK = 2
"""Bars may be missing: the window asked for is this many times the look-back."""


_ASK_AGAIN = timedelta(minutes=5)
_MOST_ASKED_AGAIN = 5
"""A symbol without a new bar may be halted or delisted: the broker is asked, but not all day long."""


@dataclass(frozen=True, slots=True)
class Market:
    """What was seen. ``bars`` are complete and end at or before the instant.

    ``flaws`` are those in force, by symbol, oldest first: a symbol without any is not a key. ``doubt`` is why
    nothing at all may be entered.
    """

    instant: datetime
    account: Account
    bars: Mapping[str, Sequence[Bar]]
    prices: Mapping[str, int]
    prices_at: Mapping[str, datetime]
    instruments: Mapping[str, Instrument]
    flaws: Mapping[str, tuple[Flaw, ...]] = field(default_factory=dict)
    doubt: Breach | None = None

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
        for symbol, flaws in sorted(self.flaws.items()):
            named = ",".join(f"{flaw.defect.value}@{flaw.at.isoformat()}" for flaw in flaws)
            digest.update(f"|{symbol}!{named}".encode())
        if self.doubt is not None:
            digest.update(f"|{self.doubt.limit}".encode())
        return digest.hexdigest()


def observe_bars(desk: Desk, session: Session, instant: datetime) -> Market:
    """Return the market as the last complete bars show it.

    Raises:
        BrokerUnavailable, DataUnavailable: not answered; DataInvalid: cannot be true.
    """
    account = desk.broker.fetch_account()
    rules = rules_of(desk.limits, desk.timeframe.length, longest_lookback(desk))
    bars = _bars(desk, session, instant, rules)
    last = {symbol: held[-1] for symbol, held in bars.items() if held}
    prices_at = {symbol: bar.start + rules.length for symbol, bar in last.items()}
    found = {
        symbol: in_force(told, bars.get(symbol, ()), rules) for symbol, told in desk.memory.flaws.items()
    }
    return Market(
        instant=instant,
        account=account,
        bars=bars,
        prices={symbol: bar.close for symbol, bar in last.items()},
        prices_at=prices_at,
        instruments=instruments(
            desk, instant, [symbol for symbol in bars if prices_at.get(symbol) != instant]
        ),
        flaws={symbol: flaws for symbol, flaws in found.items() if flaws},
    )


def observe_quotes(desk: Desk, instant: datetime) -> Market:
    """Return the market as the latest quotes show it; the price is the middle of bid and ask."""
    account = desk.broker.fetch_account()
    told = desk.data.fetch_quotes(watched(desk))
    flaws = {flaw.symbol: (flaw,) for flaw in _quote_flaws(desk, told)}
    quotes = {symbol: quote for symbol, quote in told.items() if symbol not in flaws}
    return Market(
        instant=instant,
        account=account,
        bars={},
        prices={symbol: (quote.bid + quote.ask) // 2 for symbol, quote in quotes.items()},
        prices_at={symbol: quote.at for symbol, quote in quotes.items()},
        instruments=instruments(desk),
        flaws=flaws,
    )


def _quote_flaws(desk: Desk, told: BySymbol[Quote]) -> Iterator[Flaw]:
    yield from told.flaws
    for quote in told.values():
        flaw = quote_flaw(quote, desk.limits.price_collar)
        if flaw is not None:
            yield flaw


def observe_blind(desk: Desk, instant: datetime) -> Market:
    """Return the market without any price: the account alone, while market data does not arrive.

    No entry passes the gates without a price. Limits, cancels, liquidation and the flat close do not wait
    for one.
    """
    account = desk.broker.fetch_account()
    return Market(instant, account, {}, {}, {}, instruments(desk))


def watched(desk: Desk) -> tuple[str, ...]:
    """Return the configured symbols and whatever else is held, ours or not, in a fixed order."""
    ledger = desk.journal.read()
    held = {*ledger.positions, *(symbol for symbol in ledger.external if SYMBOL.fullmatch(symbol))}
    return desk.symbols + tuple(sorted(held - set(desk.symbols)))


def instruments(
    desk: Desk, instant: datetime | None = None, silent: Sequence[str] = ()
) -> Mapping[str, Instrument]:
    """Return the instruments, asked once per process, and again of symbols that have gone silent.

    Args:
        silent: symbols without a bar at ``instant``; each is asked of every five minutes while it lasts.
    """
    memory = desk.memory
    missing = [symbol for symbol in watched(desk) if symbol not in memory.instruments]
    if instant is not None:
        due = [one for one in silent if instant - memory.asked_again.get(one, _LONG_AGO) >= _ASK_AGAIN]
        again = [symbol for symbol in due if symbol not in missing][:_MOST_ASKED_AGAIN]
        memory.asked_again |= dict.fromkeys(again, instant)
        missing += again
    if missing:
        known = desk.broker.fetch_instruments(missing)
        for symbol in missing:  # what the broker does not know any more is no instrument any more
            memory.instruments.pop(symbol, None)
        memory.instruments.update(known)
    return memory.instruments


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


def _bars(desk: Desk, session: Session, instant: datetime, rules: Rules) -> dict[str, Sequence[Bar]]:
    """Fetch what is new since the last pass and judge it; what was fetched is kept for the next."""
    start = window_start(desk, session, instant)
    memory = desk.memory
    symbols = watched(desk)
    splits = desk.journal.read().splits
    known = memory.fetched_to is not None and set(symbols) <= set(memory.bars)
    if memory.splits != len(splits):
        known, memory.splits = False, len(splits)  # prices from before are counted anew
    since = max(start, _fetched_to(memory, rules)) if known else start
    if since < instant:
        fetched = desk.data.fetch_bars(symbols, desk.timeframe, since, instant)
        anew = splits_by_symbol(splits, instant)
        told = {} if not known else memory.flaws
        memory.flaws = {symbol: [one for one in flaws if one.at >= start] for symbol, flaws in told.items()}
        for flaw in fetched.flaws:
            memory.flaws.setdefault(flaw.symbol, []).append(flaw)
        for symbol in symbols:
            kept = _between(memory.bars.get(symbol, ()), start, since - _INSTANT) if known else ()
            new = rescaled(_regular(desk, session, fetched[symbol]), anew.get(symbol, ()))
            bars = memory.bars[symbol] = [*kept, *new]
            if found := flaws_among(bars, len(kept), rules, partial(_missing, desk)):
                memory.flaws.setdefault(symbol, []).extend(found)
        memory.fetched_to = instant
    last_start = instant - desk.timeframe.length
    return {symbol: _between(memory.bars[symbol], start, last_start) for symbol in symbols}


def _fetched_to(memory: Memory, rules: Rules) -> datetime:
    """Return until when everything is known. A bar that is not there yet may come late: it is asked again."""
    until = memory.fetched_to or _LONG_AGO
    overlap = until - _LATE_BARS * rules.length
    ends = (held[-1].start + rules.length for held in memory.bars.values() if held)
    return overlap if any(overlap <= end < until for end in ends) else until


def _missing(desk: Desk, after: datetime, before: datetime) -> int:
    return desk.sessions.bars_between(after, before, desk.timeframe.length)


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


def sent_in_minute(lives: dict[str, OrderLife], instant: datetime) -> int:
    """Return how many orders were sent in the sixty seconds before ``instant``; ``lives`` oldest first."""
    count = 0
    for life in reversed(lives.values()):
        if instant - life.intent.decided_at > _LONGEST_HOLD:
            break
        count += life.sent_at is not None and instant - life.sent_at < _A_MINUTE
    return count


def seconds_to_close(session: Session, instant: datetime) -> int:
    """Return whole seconds until the session's real close, 0 at and after it."""
    return max(0, int((session.close - instant) / timedelta(seconds=1)))
