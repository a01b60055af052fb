"""The sentences of a status. State in words, numbers beside their limits, times with a zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.cli.output import shares
from pipeline.cli.standing import Hours, Numbers, held_for_review, unresolved
from pipeline.domain.formatting import (
    count,
    duration,
    long_date,
    minute_of_day,
    money,
    of_limit,
    one_line,
    percent,
    pnl_of_limit,
    signed_money,
    signed_percent,
    time_of_day,
)
from pipeline.domain.ledger import Ledger
from pipeline.domain.orders import Intent
from pipeline.domain.risk import RiskLimits
from pipeline.domain.stops import unconfirmed
from pipeline.domain.trading_state import TradingState

_MEANING = {
    TradingState.CAUTIOUS: "entries in reduced size",
    TradingState.REDUCING: "exits only",
    TradingState.HALTED: "nothing new is sent",
    TradingState.LIQUIDATING: "everything is being cancelled and sold",
}


def head_lines(badge: str, ledger: Ledger, session: Hours, now: datetime, zone: str) -> Iterator[str]:
    """Yield badge, state and session, then why the state is what it is."""
    state = ledger.state
    meaning = _MEANING.get(state.state) or _entries(ledger, session)
    yield f"{badge} · {state.state.name}: {meaning}"
    if state.state is not TradingState.NORMAL:
        yield f"  since {day_and_time(state.at, zone)} by {one_line(state.by)}: {one_line(state.reason)}"
    if state.state.latched:
        yield "  leave it with: marketday resume --reason '…'"
    yield f"{session_text(session, now, zone)} · now {time_of_day(now, zone)} ({now:%H:%M:%S} UTC)"
    day = "no session planned yet" if ledger.session is None else f"session {long_date(ledger.session)}"
    resumed = ledger.resumed_sessions
    yield day if resumed is None else f"{day} · session {resumed + 1} since the resume: size grows"


def _entries(ledger: Ledger, session: Hours) -> str:
    if ledger.entries_enabled and session.is_open:
        return "entries and exits"
    if ledger.go is False:
        return "no entries, because the checks before the open said NO-GO"
    return "no entries until market-open enables them"


def session_text(session: Hours, now: datetime, zone: str) -> str:
    """Return "exchange open, closes 16:00 ET (1h12m)" or when it opens next."""
    if session.is_open and session.close is not None:
        left = duration((session.close - now).total_seconds())
        early = "early " if session.early_close else ""
        return f"exchange open, closes {early}{minute_of_day(session.close, zone)} ({left})"
    if session.next_open is None:
        return "exchange closed"
    return f"exchange closed, opens {day_and_minute(session.next_open, zone)}"


def day_and_minute(at: datetime, zone: str) -> str:
    """Return "Mon 23 Nov 09:30 ET"."""
    return f"{_short_day(at, zone)} {minute_of_day(at, zone)}"


def day_and_time(at: datetime, zone: str) -> str:
    """Return "Mon 23 Nov 09:30:00 ET"."""
    return f"{_short_day(at, zone)} {time_of_day(at, zone)}"


def _short_day(at: datetime, zone: str) -> str:
    return long_date(at.astimezone(ZoneInfo(zone)).date()).rsplit(" ", 1)[0]


def money_lines(found: Numbers | None, limits: RiskLimits | None) -> Iterator[str]:
    """Yield equity, the day's profit, drawdown and exposure, each with its limit where it is known."""
    if found is None:
        yield "no account snapshot yet: equity is known after the first tick"
        return
    ladder = None if limits is None else limits.ladder
    loss = None if ladder is None else ladder.reducing_daily_loss
    day = signed_percent(found.day_ppm) if loss is None else pnl_of_limit(found.day_ppm, -loss)
    yield f"equity {money(found.equity)} · cash {money(found.cash)} · day {signed_money(found.day)} ({day})"
    deepest = None if ladder is None else ladder.halted_drawdown
    drawdown = _beside(-found.drawdown_ppm, None if deepest is None else -deepest)
    exposure = _beside(found.exposure_ppm, None if limits is None else limits.max_exposure)
    yield f"drawdown {drawdown} · exposure {exposure}"


def _beside(actual: int, limit: int | None) -> str:
    return percent(actual) if limit is None else of_limit(actual, limit)


def health_lines(ledger: Ledger, age: str, now: datetime, zone: str) -> Iterator[str]:
    """Yield the data's age, the broker and the last tick; then reconciliation, orders, alerts that wait."""
    broker = "broker OK"
    if ledger.silent_since is not None:
        broker = f"broker SILENT for {_since(ledger.silent_since, now)} ({count(ledger.failures, 'failure')})"
    yield f"{age} · {broker} · {_tick_text(ledger, zone)}"
    waiting = f" · {count(len(ledger.outbox), 'alert')} not delivered" if ledger.outbox else ""
    yield f"{_reconciled_text(ledger, zone)} · {count(len(ledger.open_lives), 'order')} under way{waiting}"


def unattended_line(session: Hours, held: int) -> str:
    """Return what it means that no session process runs in the desk's folder."""
    if not session.is_open:
        return "no session process runs in this folder: `marketday up` starts one"
    left = f"; {count(held, 'position')} held, stops unwatched" if held else ""
    return f"NO SESSION PROCESS RUNS IN THIS FOLDER while the exchange is open{left}: `marketday up`"


def data_age(found: Numbers | None, now: datetime, stale_after: timedelta | None) -> str:
    """Return "data 12.0 s old", with STALE behind it when it is older than ``stale_after``."""
    if found is None:
        return "no data yet"
    stale = stale_after is not None and now - found.at > stale_after
    return f"data {_since(found.at, now)} old{': STALE' if stale else ''}"


def _since(at: datetime, now: datetime) -> str:
    return duration(max(0.0, (now - at).total_seconds()))


def _tick_text(ledger: Ledger, zone: str) -> str:
    ticks = [at for procedure, at in ledger.claims if procedure == "intraday-tick"]
    if not ticks:
        return "no tick yet"
    outcome = ledger.runs.get(("intraday-tick", last := max(ticks)), "under way")
    return f"last tick {time_of_day(last, zone)} {'OK' if outcome == 'completed' else outcome}"


def _reconciled_text(ledger: Ledger, zone: str) -> str:
    if ledger.reconciled_at is None:
        return "never reconciled"
    verdict = "ledger = broker" if ledger.clean else "ledger DIFFERS from broker"
    return f"{verdict} at {minute_of_day(ledger.reconciled_at, zone)}"


def trouble_lines(ledger: Ledger, now: datetime, zone: str) -> Iterator[str]:
    """Yield what waits for a person: unconfirmed cancels, held intents, doubts, locks, others' shares."""
    for life in unconfirmed(ledger.open_lives, ledger.state):
        asked = "asked for at every pass" if life.cancel_requested else "not asked for yet"
        yield f"CANCEL UNCONFIRMED {order_text(life.intent)}: it may still be executed; {asked}"
    for life in held_for_review(ledger):
        release = life.intent.release_at or now
        left = max(0.0, (release - now).total_seconds())
        yield (
            f"HELD {order_text(life.intent)} until {time_of_day(release, zone)} ({duration(left)}): "
            f"marketday veto {life.intent.id} --reason '…'"
        )
    for life in unresolved(ledger):
        note = one_line(life.note) or "the broker is being asked"
        yield f"IN DOUBT ({life.state.upper()}) {order_text(life.intent)}: {note}"
    for symbol, reason in sorted(ledger.locks.items()):
        yield f"LOCKED {symbol}: {one_line(reason)}"
    for symbol, held in sorted(ledger.external.items()):
        yield f"NOT OURS {shares(held.quantity)} {symbol}: marketday adopt {symbol} --reason '…'"


def order_text(intent: Intent) -> str:
    """Return "buy 0.2981 SPY (entry)"."""
    return f"{intent.side} {shares(intent.quantity)} {intent.symbol} ({intent.purpose})"
