"""Trading: the ladder, the decision, its record, the releases and cancels of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.domain.codec import encode
from pipeline.domain.decide import Judged, check_release, decide
from pipeline.domain.gates import View
from pipeline.domain.journal import Kind
from pipeline.domain.ladder import size_factor
from pipeline.domain.ledger import Ledger, Snapshot
from pipeline.domain.market import Defect
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.risk import Verdict
from pipeline.domain.session import Session
from pipeline.domain.signals import Signal
from pipeline.domain.stops import beyond_target, outlives
from pipeline.domain.trading_state import TradingState
from pipeline.errors import AppendRefused, BrokerUnavailable
from pipeline.failpoints import reach
from pipeline.operations.cancelling import cancel_every, check_line
from pipeline.operations.climbing import enter
from pipeline.operations.desk import Desk
from pipeline.operations.looking_up import may_arrive
from pipeline.operations.observing import Market, seconds_to_close, sent_in_minute
from pipeline.operations.passes import Pass, moment
from pipeline.operations.recovery import look_again
from pipeline.operations.sending import MAX_DECISION_AGE, send

_LEFT_ALONE = frozenset({"duplicate", "halted", "reducing", "not_reducing", "crossing", "illegal"})
"""Refusals of the journal's guard that are answers: decided already, or forbidden by now."""


def signals_of(desk: Desk, market: Market) -> tuple[Signal, ...]:
    """Return every strategy's wish for every symbol whose newest bar ended just now.

    A symbol without a bar for this instant has nothing new to say; one with too few is not asked, and
    neither is one with a hole in what a strategy would see.
    """
    wishes = []
    torn = {one for one, flaws in market.flaws.items() if any(flaw.defect is Defect.GAP for flaw in flaws)}
    for strategy in desk.strategies:
        for symbol in desk.symbols:
            if symbol in torn:
                continue
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
        positions=ledger.closable,
        lives=ledger.open_lives,
        prices=market.prices,
        prices_at=market.prices_at,
        instruments=market.instruments,
        state=TradingState.REDUCING if market.account.blocked and not state.latched else state,
        size_factor=size_factor(state, ledger.resumed_sessions, desk.limits.ladder),
        entries_enabled=ledger.entries_enabled,
        locks=may_arrive(ledger, market.instant) | ledger.locks,
        sent=ledger.sent_today,
        sent_in_minute=sent_in_minute(ledger.lives, market.instant),
        flaws=market.flaws,
        doubt=market.doubt,
        outside_hours=not session.is_open(market.instant),
        external=ledger.external,
        external_orders=ledger.external_orders,
        excess=_excess(ledger),
    )


def _excess(ledger: Ledger) -> dict[str, int]:
    """Return what is held too much of each symbol: short at all, or more than an automatic stop leaves.

    Of what a stop wants sold nothing before the books agreed after it.
    """
    change, held = ledger.state, ledger.closable
    if not change.state.latched:
        return {symbol: -one.quantity for symbol, one in held.items() if one.quantity < 0}
    if not ledger.agreed_since_stop or ledger.reconciled_at is None or ledger.reconciled_at <= change.at:
        return {}
    wanted = {key: beyond_target(change, key, one.quantity) for key, one in held.items()}
    return {symbol: quantity for symbol, quantity in wanted.items() if quantity}


def settle_liquidation(desk: Desk, now: datetime) -> bool:
    """Turn LIQUIDATING into HALTED once nothing is held and nothing is open; return whether it did."""
    ledger = desk.journal.read()
    if ledger.state.state is not TradingState.LIQUIDATING or ledger.closable or ledger.open_lives:
        return False
    enter(desk, TradingState.HALTED, f"flat after: {ledger.state.reason}", "risk ladder", now)
    return True


def cancel_what_must_go(desk: Desk, now: datetime) -> int:
    """Cancel orders that are too old, or that the trading state no longer allows; return how many.

    Raises:
        BrokerUnavailable: the line is dead.
    """
    ledger = desk.journal.read()
    due: dict[str, list[OrderLife]] = {}
    for life in ledger.open_lives:
        if life.state.terminal or life.cancel_requested:
            continue  # recovery asks again, at every pass
        reason = _cancel_reason(desk, life, ledger.state.state, now)
        if reason:
            due.setdefault(reason, []).append(life)
    done = [cancel_every(desk, lives, reason, now) for reason, lives in due.items()]
    check_line(desk, sum(one.failed for one in done))
    return sum(one.asked for one in done)


def _cancel_reason(desk: Desk, life: OrderLife, state: TradingState, now: datetime) -> str:
    purpose = life.intent.purpose
    if state.latched and not outlives(purpose, desk.journal.read().state):
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
        released = _released(desk, life, session, market, now)
        sent, expired = sent + released, expired + (not released)
    return sent, expired


def send_again(desk: Desk, run: Pass, market: Market, now: datetime) -> tuple[int, int]:
    """Send what never reached the broker under its old id, if it may still go; return both counts.

    ``run.unsent`` is what recovery is certain of. It meets every gate again: a minute has passed.
    """
    lives = [desk.journal.read().lives[intent_id] for intent_id in run.unsent]
    run.unsent = ()
    sent = sum(_released(desk, life, run.session, market, now) for life in lives)
    return sent, len(lives) - sent


def _released(desk: Desk, life: OrderLife, session: Session, market: Market, now: datetime) -> bool:
    """Send what the gates leave of an intent, or give it up; return whether a request left."""
    verdict = check_release(life.intent, view_of(desk, session, market), desk.limits)
    # What was sent once is sent again in the same size or not at all: the first may arrive yet. Its room
    # has been kept all the time; that the price moved since within the collar takes none of it away.
    quantity = life.intent.quantity if life.sends else verdict.quantity
    if verdict.quantity and _sent(desk, life, quantity, now):
        return True
    _give_up(desk, life, verdict, now)
    return False


def _give_up(desk: Desk, life: OrderLife, verdict: Verdict, now: datetime) -> None:
    if desk.journal.read().lives[life.intent.id].state.terminal:
        return
    named = ", ".join(breach.limit for breach in verdict.breaches) or "the journal's guard"
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
        "flaws": [encode(flaw) for _, flaws in sorted(market.flaws.items()) for flaw in flaws],
        "doubt": encode(market.doubt),
    }
    desk.journal.append(Kind.TICK, data, moment(desk, run))
    reach("after_tick")


def record_decisions(desk: Desk, run: Pass, market: Market, judged: Sequence[Judged]) -> tuple[str, ...]:
    """Journal each verdict and each intent, before anything is sent; return what may be sent at once."""
    reach("after_decide")
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
    if not _made_way(desk, judged, now):
        return False
    reach("before_intent")
    try:
        desk.journal.append(Kind.INTENT, encode(judged.intent), now)
    except AppendRefused as error:
        if error.code in _LEFT_ALONE:
            return False
        raise
    reach("after_intent")
    return True


def _made_way(desk: Desk, judged: Judged, now: datetime) -> bool:
    """Before an exit: give up one that is held, cancel what is left of the entry; tell whether both are gone.

    A broker refuses a sale beside an open purchase of the same symbol as a wash trade (Alpaca: 403
    40310000). So the exit waits for the next pass, once; then it is tried whatever the broker confirms.
    """
    if not judged.proposal.purpose.reduces:
        return True
    gone = True
    for life in desk.journal.read().open_lives:
        superseded = life.state is IntentState.HELD or not life.intent.purpose.reduces
        if life.intent.symbol != judged.proposal.symbol or not superseded:
            continue
        if not life.cancel_requested:
            cancel_every(desk, (life,), f"{judged.proposal.purpose.value}: {judged.proposal.reason}", now)
        ended = look_again(desk, life.intent.id, now).state.terminal
        gone = gone and (ended or life.cancel_requested)
    return gone


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
    return _sent(desk, life, life.intent.quantity, now)


def _available(desk: Desk, symbol: str, quantity: int) -> int:
    """Return how much of an exit can go out: what the broker lets us sell, where it says so.

    Other orders may hold shares back, and rounding may leave it less than we think; nothing at all is
    no answer: a position may be listed late, and then the broker decides.
    """
    try:
        held = desk.broker.fetch_positions()
    except BrokerUnavailable:
        return quantity  # protection does not wait for a number that only makes it exact
    free = next((abs(position.available) for position in held if position.symbol == symbol), 0)
    return min(quantity, free) or quantity


def _sent(desk: Desk, life: OrderLife, quantity: int, now: datetime) -> bool:
    if life.intent.purpose.reduces and not life.sends:
        quantity = _available(desk, life.intent.symbol, quantity)
    try:
        return send(desk, life.intent.id, quantity, now) is not IntentState.EXPIRED
    except AppendRefused as error:
        # Only a refused SENDING means that nothing left; what is refused later must be heard.
        if error.kind == Kind.SENDING and error.code in _LEFT_ALONE:
            return False
        raise


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
