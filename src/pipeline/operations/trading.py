"""Trading: the ladder, the decision, its record, the releases and cancels of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.domain.codec import encode
from pipeline.domain.decide import Judged, check_release, decide
from pipeline.domain.gates import View
from pipeline.domain.journal import Kind
from pipeline.domain.ladder import size_factor
from pipeline.domain.ledger import Snapshot
from pipeline.domain.orders import IntentState, OrderLife, Purpose
from pipeline.domain.risk import Verdict
from pipeline.domain.session import Session
from pipeline.domain.signals import Signal
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused
from pipeline.operations.climbing import enter
from pipeline.operations.desk import Desk
from pipeline.operations.observing import Market, seconds_to_close
from pipeline.operations.passes import Pass, moment
from pipeline.operations.sending import MAX_DECISION_AGE, cancel, send


def signals_of(desk: Desk, market: Market) -> tuple[Signal, ...]:
    """Return every strategy's wish for every symbol whose newest bar ended just now.

    A symbol without a bar for this instant has nothing new to say; one with too few is not asked.
    """
    wishes = []
    for strategy in desk.strategies:
        for symbol in desk.symbols:
            bars = market.bars.get(symbol, ())
            if len(bars) >= strategy.lookback and market.prices_at.get(symbol) == market.instant:
                wishes.append(strategy.decide(bars[-strategy.lookback :]))
    return tuple(wishes)


def view_of(desk: Desk, session: Session, market: Market) -> View:
    """Return what a decision sees: the market, and the ledger after recovery."""
    ledger = desk.journal.read()
    state = ledger.state.state
    return View(
        instant=market.instant,
        seconds_to_close=seconds_to_close(session, market.instant),
        bar_seconds=int(desk.timeframe.length.total_seconds()),
        equity=market.account.equity,
        cash=market.account.cash,
        buying_power=market.account.buying_power,
        positions=dict(ledger.positions),
        lives=ledger.open_lives,
        prices=market.prices,
        prices_at=market.prices_at,
        instruments=market.instruments,
        state=TradingState.REDUCING if market.account.blocked and not state.latched else state,
        size_factor=size_factor(state, ledger.resumed_sessions, desk.limits.ladder),
        entries_enabled=ledger.entries_enabled,
        locks=dict(ledger.locks),
        sent=ledger.sent_today,
    )


def settle_liquidation(desk: Desk, now: datetime) -> bool:
    """Turn LIQUIDATING into HALTED once nothing is held and nothing is open; return whether it did."""
    ledger = desk.journal.read()
    if ledger.state.state is not TradingState.LIQUIDATING or ledger.positions or ledger.open_lives:
        return False
    enter(desk, TradingState.HALTED, f"flat after: {ledger.state.reason}", "risk ladder", now)
    return True


def cancel_what_must_go(desk: Desk, now: datetime) -> int:
    """Cancel orders that are too old, or that the trading state no longer allows; return how many."""
    ledger = desk.journal.read()
    due = [life for life in ledger.open_lives if _cancel_reason(desk, life, ledger.state.state, now)]
    return sum(
        cancel(desk, life.intent.id, _cancel_reason(desk, life, ledger.state.state, now), now) for life in due
    )


def _cancel_reason(desk: Desk, life: OrderLife, state: TradingState, now: datetime) -> str:
    purpose = life.intent.purpose
    if state.latched and not (state is TradingState.LIQUIDATING and purpose is Purpose.LIQUIDATION):
        return f"trading is {state.name}"
    if not state.allows_entries and not purpose.reduces:
        return f"trading is {state.name}"
    timeout = timedelta(seconds=desk.limits.order_timeout_seconds)
    if life.sent_at is not None and now - life.sent_at >= timeout:
        return f"not done after {timeout.total_seconds():.0f} s"
    return ""


def release_held(desk: Desk, session: Session, market: Market, now: datetime) -> tuple[int, int]:
    """Send the held intents that are due and still allowed, give up the others; return both counts."""
    sent = expired = 0
    for life in desk.journal.read().open_lives:
        release = life.intent.release_at
        if life.state is not IntentState.HELD or release is None or release > now:
            continue
        over = market.instant >= session.close  # its order would wait for the next open
        if over or now - release > MAX_DECISION_AGE:
            expired += 1
            why = "the session is over" if over else "nobody was there to send it in time"
            data = {"intent_id": life.intent.id, "reason": why}
            desk.journal.append(Kind.VETOED, data, now)
            continue
        verdict = check_release(life.intent, view_of(desk, session, market), desk.limits)
        if verdict.quantity and _sent(desk, life.intent.id, verdict.quantity, now):
            sent += 1
        else:
            expired += 1
            _give_up(desk, life, verdict, now)
    return sent, expired


def _give_up(desk: Desk, life: OrderLife, verdict: Verdict, now: datetime) -> None:
    if desk.journal.read().lives[life.intent.id].state.terminal:
        return
    named = ", ".join(breach.limit for breach in verdict.breaches) or "trading was halted"
    desk.journal.append(
        Kind.VETOED, {"intent_id": life.intent.id, "reason": f"refused at release: {named}"}, now
    )


def judge(desk: Desk, session: Session, market: Market, signals: Sequence[Signal]) -> tuple[Judged, ...]:
    """Decide: every trade wanted now, with its verdict. Pure but for reading the ledger."""
    view = view_of(desk, session, market)
    return decide(view, signals, desk.limits, desk.identity, desk.allocations)


def record_tick(
    desk: Desk, run: Pass, market: Market, signals: Sequence[Signal], judged: Sequence[Judged]
) -> None:
    """Journal what a tick saw, heard and decided: what replay compares."""
    data = {
        "session": run.session.day.isoformat(),
        "instant": market.instant.isoformat(),
        "driver": run.driver,
        "inputs": market.digest(),
        "symbols": len(market.prices),
        "asked": len(signals),
        "signals": [encode(signal) for signal in signals if signal.direction],
        "intents": sum(one.intent is not None for one in judged),
        "state": desk.journal.read().state.state.name,
    }
    desk.journal.append(Kind.TICK, data, moment(desk, run))


def record_decisions(desk: Desk, run: Pass, market: Market, judged: Sequence[Judged]) -> tuple[str, ...]:
    """Journal each verdict and each intent, before anything is sent; return what may be sent at once."""
    now = moment(desk, run)
    run.summary["wanted"] = len(judged)
    ready = []
    for one in judged:
        desk.journal.append(Kind.VERDICT, _verdict_data(one, market), now)
        if one.intent is not None and _planned(desk, one, now) and one.intent.release_at is None:
            ready.append(one.intent.id)
    return tuple(ready)


def _planned(desk: Desk, judged: Judged, now: datetime) -> bool:
    """Journal the intent; a decision already taken, or forbidden meanwhile, is left alone."""
    _make_way(desk, judged, now)
    try:
        desk.journal.append(Kind.INTENT, encode(judged.intent), now)
    except AppendRefused as error:
        if error.code in ("duplicate", "halted", "reducing", "not_reducing"):
            return False
        raise
    return True


def _make_way(desk: Desk, judged: Judged, now: datetime) -> None:
    """Before an exit: give up one that is still held, and cancel what is left of the entry."""
    if not judged.proposal.purpose.reduces:
        return
    for life in desk.journal.read().open_lives:
        superseded = life.state is IntentState.HELD or not life.intent.purpose.reduces
        if life.intent.symbol == judged.proposal.symbol and superseded:
            cancel(desk, life.intent.id, f"{judged.proposal.purpose.value}: {judged.proposal.reason}", now)


def _verdict_data(judged: Judged, market: Market) -> dict[str, object]:
    proposal, verdict = judged.proposal, judged.verdict
    return {
        "instant": market.instant.isoformat(),
        "symbol": proposal.symbol,
        "side": proposal.side.value,
        "purpose": proposal.purpose.value,
        "strategy": proposal.strategy,
        "reason": proposal.reason,
        "asked": verdict.asked,
        "quantity": verdict.quantity,
        "breaches": [encode(breach) for breach in verdict.breaches],
        "intent_id": judged.intent.id if judged.intent else None,
    }


def send_now(desk: Desk, intent_id: str, now: datetime) -> bool:
    """Send one journalled intent; return whether a request left."""
    life = desk.journal.read().lives[intent_id]
    return _sent(desk, intent_id, life.intent.quantity, now)


def _sent(desk: Desk, intent_id: str, quantity: int, now: datetime) -> bool:
    try:
        send(desk, intent_id, quantity, now)
    except AppendRefused as error:
        # Only a refused SENDING means that nothing left; what is refused later must be heard.
        if error.kind == Kind.SENDING and error.code in ("halted", "reducing", "illegal"):
            return False
        raise
    return True


def snapshot(desk: Desk, run: Pass, market: Market) -> None:
    """Journal equity, cash, prices and positions as they are at the end of a pass."""
    before = desk.journal.read().snapshot
    taken = Snapshot(
        at=market.instant,
        session=run.session.day,
        equity=market.account.equity,
        cash=market.account.cash,
        prices=market.prices or (before.prices if before is not None else {}),
    )
    positions = {symbol: encode(held) for symbol, held in sorted(desk.journal.read().positions.items())}
    desk.journal.append(Kind.SNAPSHOT, encode(taken) | {"positions": positions}, moment(desk, run))
