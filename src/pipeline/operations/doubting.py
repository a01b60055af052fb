"""Doubts about the world: bad data of a symbol, a clock that is wrong, a market that is not open after all.

A doubt stops new risk and nothing else, is told to people, and ends by itself.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from pipeline.domain.risk import Breach, Limit
from pipeline.domain.session import Session
from pipeline.operations.desk import Desk
from pipeline.operations.observing import Market
from pipeline.operations.telling import tell_lasting
from pipeline.ports import BrokerClock

WARN_SKEW, MOST_SKEW = timedelta(seconds=2), timedelta(seconds=5)
_ASK_EVERY = timedelta(minutes=5)
_EDGE = timedelta(seconds=5)
"""Around open and close the broker may be a moment ahead or behind."""
_SHOWN = 5
_SILENT_FOR = timedelta(minutes=3)
"""Prices may be stale for a moment in a thin symbol; a position without a stop this long is told."""


def doubted(desk: Desk, session: Session, market: Market, now: datetime) -> Market:
    """Return the market with what is to be doubted about it, and tell people of it.

    Raises:
        BrokerUnavailable: the broker does not tell its time.
    """
    _tell_flaws(desk, market, now)
    _tell_silent(desk, session, market, now)
    return replace(market, doubt=_doubt_of(desk, session, now))


def _tell_flaws(desk: Desk, market: Market, now: datetime) -> None:
    """Tell people, once an hour, of each symbol that is not entered because of its data."""
    for symbol, flaws in sorted(market.flaws.items())[:_SHOWN]:
        text = f"{flaws[0].detail}. No entries in {symbol} until its data is good again; exits go on."
        tell_lasting(desk, "data_quality", symbol, f"{flaws[0].defect.value}: {text}", now)
    if len(market.flaws) > _SHOWN:
        named = ", ".join(sorted(market.flaws)[:_SHOWN])
        text = f"{len(market.flaws)} symbols have bad data, {named} among them. No entries in them."
        tell_lasting(desk, "data_quality", "many symbols", text, now)


def _tell_silent(desk: Desk, session: Session, market: Market, now: datetime) -> None:
    """Tell people, once an hour, of what is held without a fresh bar or quote while the session is open."""
    priced = desk.memory.priced
    for symbol, at in market.prices_at.items():
        priced[symbol] = max(at, priced.get(symbol, at))
    if not session.is_open(market.instant):
        return
    allowed = desk.limits.max_data_age_bars * desk.timeframe.length + _SILENT_FOR
    for symbol in sorted(desk.journal.read().positions):
        since = max(priced.get(symbol, session.open), session.open)
        if market.instant - since > allowed:
            text = f"held, and no new price since {since:%H:%M:%S}Z: its stop cannot be evaluated."
            tell_lasting(desk, "data_stale", symbol, text, now)


def _doubt_of(desk: Desk, session: Session, now: datetime) -> Breach | None:
    """Return why nothing may be entered: the broker's clock or session is not ours. None when they agree.

    The broker is asked every five minutes, and at every pass while there is a doubt. Time of a rehearsal is
    the exchange's own: there is no second clock to compare.

    Raises:
        BrokerUnavailable: no answer.
    """
    memory = desk.memory
    asked = memory.clock_asked
    if asked is not None and memory.doubt is None and timedelta() <= now - asked < _ASK_EVERY:
        return None
    theirs = desk.broker.fetch_clock()
    skew = timedelta() if desk.virtual else abs(desk.clock.now() - theirs.now)
    memory.clock_asked, memory.doubt = now, _compared(theirs, session, skew)
    _tell(desk, theirs, skew, now)
    return memory.doubt


def _compared(theirs: BrokerClock, session: Session, skew: timedelta) -> Breach | None:
    if skew > MOST_SKEW:
        seconds = int(skew.total_seconds())
        return Breach(Limit.CLOCK_SKEW.value, int(MOST_SKEW.total_seconds()), seconds, "seconds")
    near = min(abs(theirs.now - session.open), abs(theirs.now - session.close)) <= _EDGE
    if theirs.is_open == session.is_open(theirs.now) or near:
        return None
    return Breach(Limit.CALENDAR.value, int(session.is_open(theirs.now)), int(theirs.is_open), "open")


def _tell(desk: Desk, theirs: BrokerClock, skew: timedelta, now: datetime) -> None:
    doubt = desk.memory.doubt
    if skew > WARN_SKEW:
        what = "No entries until they agree" if skew > MOST_SKEW else "Above 5 s nothing is entered"
        text = f"our clock and the broker's differ by {skew.total_seconds():.1f} s. {what}."
        tell_lasting(desk, "clock_skew", "", text, now)
    if doubt is not None and doubt.limit == Limit.CALENDAR.value:
        says = "open" if theirs.is_open else f"closed until {theirs.next_open:%Y-%m-%d %H:%M}Z"
        text = f"the broker says that the exchange is {says}, our calendar says otherwise. No entries."
        tell_lasting(desk, "calendar_disagrees", desk.sessions.exchange, text, now)
