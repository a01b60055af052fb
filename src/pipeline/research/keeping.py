"""Keeping the limits between decisions: ladder, stops, timeouts, releases, as in live trading's passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pipeline.domain.decide import check_release
from pipeline.domain.gates import View
from pipeline.domain.ladder import Condition, Health, assess
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.risk import RiskLimits
from pipeline.domain.session import Session
from pipeline.domain.stops import TRIGGERS, EmergencyPlan, outlives, targets_of, to_cancel
from pipeline.domain.trading_state import StateChange, TradingState, Trigger
from pipeline.research.books import Books

MAX_DECISION_AGE = timedelta(seconds=90)
"""How old a decision may be and still be sent, as in live trading."""

_LADDER = "risk ladder"


class Keeper:
    """Moves the trading state, and ends or releases what waits, on the books it is given."""

    def __init__(
        self, books: Books, limits: RiskLimits, emergency: EmergencyPlan, reconcile_every: timedelta | None
    ) -> None:
        self._books = books
        self._limits = limits
        self._emergency = emergency
        self._every = reconcile_every

    def keep(self, session: Session, view: Callable[[], View], equity: int, now: datetime) -> None:
        """Climb the ladder, cancel what must go, release or give up what is held."""
        ledger = self._books.ledger
        last = ledger.reconciled_at
        if self._every is not None and last is not None and now - last >= self._every:
            self.reconcile(now)
        self._climb(equity, now)
        self._cancel_what_must_go(now)
        self._release_held(session, view, now)
        self._settle_liquidation(now)

    def send(self, life: OrderLife, quantity: int, now: datetime) -> None:
        """Send an order; a runaway, more orders than the gates ever let through, stops trading instead."""
        ledger, limit = self._books.ledger, self._limits.max_orders_per_session
        allowed = limit * 2 if life.intent.purpose.reduces else limit
        if ledger.sent_today >= allowed:
            reason = f"runaway: {ledger.sent_today} orders were sent in this session, {allowed} are allowed"
            self._stop(Trigger.SYSTEM_ERROR, reason, "throttle", now)
        if not ledger.state.state.latched or outlives(life.intent.purpose, ledger.state):
            self._books.send(life, quantity, now)

    def reconcile(self, now: datetime) -> None:
        """Let the books agree with the account, which they always do in here."""
        self._books.recover()
        self._books.ledger.reconciled_at = now

    def settle_stop(self, now: datetime) -> None:
        """Let the books agree after an automatic stop that makes positions smaller."""
        ledger = self._books.ledger
        change = ledger.state
        waits = ledger.reconciled_at is None or ledger.reconciled_at <= change.at
        if change.automatic and change.state is TradingState.HALTED and change.targets and waits:
            self.reconcile(now)

    def finish_stop(self, now: datetime) -> None:
        """Cancel what a stop has left open; the first act of every pass."""
        ledger = self._books.ledger
        for life in to_cancel(ledger.open_lives, ledger.state):
            self._books.cancel(life, f"trading is {ledger.state.state.name}", now)

    def finish_new_stop(self, now: datetime) -> None:
        """Cancel what was on its way when trading stopped in the middle of this pass."""
        change = self._books.ledger.state
        if change.state.latched and change.at >= now:
            self.finish_stop(now)

    def _climb(self, equity: int, now: datetime) -> None:
        """Enter the trading state that the account's condition asks for; a latched one stays."""
        ledger = self._books.ledger
        if ledger.baseline is None:
            return
        condition = assess(Health(equity, ledger.baseline), self._limits.ladder)
        current = ledger.state.state
        sold = not ledger.positions and not ledger.open_lives and current is TradingState.HALTED
        if condition.state.latched and condition.state > current and not sold:
            self._stop_by_condition(condition, now)
        elif not current.latched and condition.state != current and not condition.state.latched:
            self._books.enter(StateChange(condition.state, condition.reason, _LADDER, now))

    def _stop_by_condition(self, condition: Condition, now: datetime) -> None:
        limit = condition.breach.limit if condition.breach is not None else ""
        trigger = TRIGGERS.get(limit)
        if condition.state is TradingState.LIQUIDATING or trigger is None:
            change = StateChange(condition.state, condition.reason, _LADDER, now, trigger or "")
            self._books.enter(change)
            return
        self._stop(trigger, condition.reason, _LADDER, now)

    def _stop(self, trigger: Trigger, reason: str, by: str, now: datetime) -> None:
        """Stop trading, with what the configuration adds to it; what is stopped already stays so."""
        ledger, plan = self._books.ledger, self._emergency
        state = TradingState.LIQUIDATING if plan.stop_closes else TradingState.HALTED
        if ledger.state.state >= state:
            return
        targets = targets_of(ledger.positions, plan.reduce_to) if plan.stop_reduces else {}
        self._books.enter(StateChange(state, reason, by, now, trigger.value, targets=targets))

    def _cancel_what_must_go(self, now: datetime) -> None:
        """Cancel orders that are too old, or that the trading state no longer allows."""
        lives = [life for life in self._books.ledger.open_lives if not life.cancel_requested]
        for life in lives:
            reason = self._cancel_reason(life, now)
            if reason:
                self._books.cancel(life, reason, now)

    def _cancel_reason(self, life: OrderLife, now: datetime) -> str:
        change, purpose = self._books.ledger.state, life.intent.purpose
        stopped = change.state.latched and not outlives(purpose, change)
        if stopped or (not change.state.allows_entries and not purpose.reduces):
            return f"trading is {change.state.name}"
        timeout = timedelta(seconds=self._limits.order_timeout_seconds)
        if life.sent_at is not None and now - life.sent_at >= timeout:
            return f"not done after {timeout.total_seconds():.0f} s"
        return ""

    def _release_held(self, session: Session, view: Callable[[], View], now: datetime) -> None:
        """Send the held intents that are due and still allowed, give up the others."""
        for life in self._books.ledger.open_lives:
            release = life.intent.release_at
            if life.state is not IntentState.HELD or release is None or release > now:
                continue
            if now >= session.close or now - release > MAX_DECISION_AGE:
                self._books.give_up(life, "nobody was there to send it in time", now)
                continue
            verdict = check_release(life.intent, view(), self._limits)
            if verdict.quantity:
                self.send(life, verdict.quantity, now)
            if self._books.ledger.lives[life.intent.id].state is IntentState.HELD:
                self._books.give_up(life, "refused at release", now)

    def _settle_liquidation(self, now: datetime) -> None:
        """Turn LIQUIDATING into HALTED once nothing is held and nothing is open."""
        ledger = self._books.ledger
        change = ledger.state
        if change.state is TradingState.LIQUIDATING and not ledger.positions and not ledger.open_lives:
            reason = f"flat after: {change.reason}"
            self._books.enter(StateChange(TradingState.HALTED, reason, _LADDER, now, change.trigger))
