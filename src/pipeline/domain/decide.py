"""The decision: from what is seen to what is wanted. One pure function, live and in research."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from pipeline.domain.gates import Proposal, View, capacity_of, check_entry, check_exit
from pipeline.domain.money import fraction_decimal, price_decimal, qty_decimal
from pipeline.domain.orders import Decision, Intent, IntentState, Purpose, Side, intent_id
from pipeline.domain.portfolio import Position
from pipeline.domain.risk import Breach, RiskLimits, Verdict
from pipeline.domain.rules.limits import stop_hit, stop_price
from pipeline.domain.rules.sizing import cost_of
from pipeline.domain.signals import Signal
from pipeline.domain.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose decisions these are: the parts of an intent's id that stay the same all day."""

    account: str
    mode: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal, what the gates said, and the intent when something is left to trade."""

    proposal: Proposal
    verdict: Verdict
    intent: Intent | None


def decide(
    view: View,
    signals: Iterable[Signal],
    limits: RiskLimits,
    identity: Identity,
    allocations: Mapping[str, int],
) -> tuple[Judged, ...]:
    """Return every trade wanted at this instant with its verdict: exits first, then entries in order.

    Args:
        signals: in the order of configuration; earlier ones take capacity first.
        allocations: by strategy, the fraction of a full position it may take, ppm.
    """
    signals = tuple(signals)
    judged = [
        _judged(proposal, check_exit(proposal, view), view, limits, identity)
        for proposal in exits(view, signals, limits)
    ]
    used = capacity_of(view)
    for signal in signals:
        if signal.direction <= 0 or signal.symbol in view.positions:
            continue
        proposal = _entry(signal, allocations.get(signal.strategy, 1_000_000))
        verdict = check_entry(proposal, view, limits, used)
        judged.append(_judged(proposal, verdict, view, limits, identity))
        if verdict.quantity:
            cost = cost_of(view.prices[signal.symbol], verdict.quantity)
            used = used.with_entry(signal.symbol, cost)
    return tuple(judged)


def exits(view: View, signals: Iterable[Signal], limits: RiskLimits) -> Iterator[Proposal]:
    """Yield at most one exit for each position that has none at the broker, in symbol order.

    A stop, flatten or liquidation does not wait for a signal exit that is held for review. What follows
    from a price waits for a second word about a jump: the next bar, or the quote of the next monitor pass.

    None at or after the close: the order would wait for the next open.
    """
    if view.seconds_to_close <= 0:
        return
    sells = {signal.symbol: signal for signal in signals if signal.direction < 0}
    under_way = [life for life in view.lives if life.intent.purpose.reduces]
    leaving = {life.intent.symbol for life in under_way if life.state is not IntentState.HELD}
    waiting = {life.intent.symbol for life in under_way} - leaving
    for symbol, held in sorted(view.positions.items()):
        if symbol in leaving:
            continue
        why = _why_exit(held, view, sells.get(symbol), limits)
        if why is not None:
            purpose, strategy, reason = why
            if symbol in waiting and purpose.reviewed:
                continue  # it waits for its review already; only protection goes past it
            yield Proposal(
                strategy=strategy,
                symbol=symbol,
                side=Side.SELL if held.quantity > 0 else Side.BUY,
                purpose=purpose,
                price=view.prices.get(symbol, held.average_price),
                reason=reason,
                quantity=view.excess[symbol] if purpose is Purpose.REDUCTION else abs(held.quantity),
            )


def _why_exit(
    held: Position, view: View, sell: Signal | None, limits: RiskLimits
) -> tuple[Purpose, str, str] | None:
    if view.state is TradingState.LIQUIDATING:
        return Purpose.LIQUIDATION, "risk", "liquidating"
    if view.excess.get(held.symbol):
        stopped = "an automatic stop makes positions smaller"
        return Purpose.REDUCTION, "risk", stopped if held.quantity > 0 else "it was never meant to be short"
    if view.seconds_to_close <= limits.flatten_minutes * 60:
        return Purpose.FLATTEN, "risk", f"flat {limits.flatten_minutes} minutes before the close"
    price = _believed(held.symbol, view, limits)
    if price is not None and limits.stop_loss is not None:
        trigger = stop_price(held.average_price, held.quantity > 0, limits.stop_loss)
        if stop_hit(price, trigger, held.quantity > 0):
            at, level = price_decimal(price), price_decimal(trigger)
            return Purpose.STOP, "risk", f"stop loss: {at} reached {level}"
    days = limits.max_holding_days
    if days is not None and view.instant - held.opened_at >= timedelta(days=days):
        return Purpose.HOLDING_LIMIT, "risk", f"held for {days} days"
    if sell is not None and held.quantity > 0 and price is not None:
        return Purpose.EXIT, sell.strategy, _signal_reason(sell, "below")
    return None


def _believed(symbol: str, view: View, limits: RiskLimits) -> int | None:
    """Return the price that an exit may follow from: fresh, and no jump that one bar alone speaks of.

    A halted symbol has none: an order in it would wait for whatever price trading resumes at.
    """
    age = view.age(symbol)
    if age is None or age > limits.max_data_age_bars * view.bar_seconds or view.unconfirmed(symbol):
        return None
    return view.prices.get(symbol)


def _entry(signal: Signal, allocation: int) -> Proposal:
    return Proposal(
        strategy=signal.strategy,
        symbol=signal.symbol,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        price=signal.price,
        reason=_signal_reason(signal, "above"),
        allocation=allocation,
    )


def _signal_reason(signal: Signal, where: str) -> str:
    percent = fraction_decimal(signal.confidence) * 100
    return f"fast average {percent:.3f} % {where} the slow one at {price_decimal(signal.price)}"


def _judged(
    proposal: Proposal, verdict: Verdict, view: View, limits: RiskLimits, identity: Identity
) -> Judged:
    if not verdict.quantity:
        return Judged(proposal, verdict, None)
    decision = Decision(
        account=identity.account,
        mode=identity.mode,
        strategy=proposal.strategy,
        symbol=proposal.symbol,
        side=proposal.side,
        purpose=proposal.purpose,
        decided_at=view.instant,
    )
    hold = limits.review_hold_seconds if proposal.purpose.reviewed else 0
    intent = Intent(
        id=intent_id(decision),
        account=identity.account,
        strategy=proposal.strategy,
        symbol=proposal.symbol,
        side=proposal.side,
        purpose=proposal.purpose,
        quantity=verdict.quantity,
        decided_at=view.instant,
        decision_price=proposal.price,
        release_at=view.instant + timedelta(seconds=hold) if hold else None,
        reason=proposal.reason,
    )
    return Judged(proposal, verdict, intent)


def check_release(intent: Intent, view: View, limits: RiskLimits) -> Verdict:
    """Return what of an intent may go out now: gated again with fresh prices, so perhaps less of it.

    An entry meets every gate again. An exit is only cut to what is held: a price that ran away
    is no reason to stay in.
    """
    proposal = Proposal(
        strategy=intent.strategy,
        symbol=intent.symbol,
        side=intent.side,
        purpose=intent.purpose,
        price=intent.decision_price,
        reason=intent.reason,
        quantity=intent.quantity,
    )
    if intent.purpose.reduces:
        return _release_exit(proposal, view)
    return check_entry(proposal, view, limits, capacity_of(view, leaving_out=intent.id))


def _release_exit(proposal: Proposal, view: View) -> Verdict:
    held = view.positions.get(proposal.symbol)
    owned = 0 if held is None else max(0, -proposal.side.sign * held.quantity)
    if owned >= proposal.quantity:
        return check_exit(proposal, view)
    cut = Breach("position", owned, proposal.quantity, "quantity")
    rest = check_exit(replace(proposal, quantity=owned), view)
    return Verdict(proposal.quantity, rest.quantity, (cut, *rest.breaches))


def describe(intent: Intent) -> str:
    """Return the intent in one line for people: "buy 0.298 SPY at 671.2000: reason"."""
    at = price_decimal(intent.decision_price)
    return f"{intent.side} {qty_decimal(intent.quantity)} {intent.symbol} at {at}: {intent.reason}"
