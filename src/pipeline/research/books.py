"""The books of a simulation: the ledger's values, moved as the journal's records would move them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from pipeline.domain.decide import Judged
from pipeline.domain.ledger import Baseline, Ledger, Snapshot
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.portfolio import apply_fill
from pipeline.domain.trading_state import StateChange
from pipeline.research.account import Account


class Books:
    """What a desk believes. The ledger is live trading's own; nothing is written anywhere.

    Attributes:
        ledger: lives of orders, positions, trading state, baselines.
        states: every change of the trading state, oldest first.
        rejected: orders that the account could not cover.
    """

    def __init__(self, account: Account) -> None:
        self.ledger = Ledger()
        self.states: list[StateChange] = []
        self.rejected = 0
        self._account = account
        self._booked = 0

    def begin(self, day: date) -> None:
        """Plan a session: losses count from the last equity that was seen; see ``plan_session``."""
        ledger, before = self.ledger, self.ledger.baseline
        ledger.session, ledger.entries_enabled, ledger.sent_today = day, False, 0
        equity = self._account.equity()
        if before is None:
            ledger.baseline = Baseline(day, equity, equity, equity)
            return
        last = before.day_equity if ledger.snapshot is None else ledger.snapshot.equity
        new_month = (before.day.year, before.day.month) != (day.year, day.month)
        month = last if new_month else before.month_equity
        ledger.baseline = Baseline(day, last, month, max(before.peak_equity, last))

    def recover(self) -> None:
        """Learn what became of every open order, and book what was executed since."""
        for life in self.ledger.open_lives:
            if life.sends:
                self.look_again(life.intent.id)
        fresh = self._account.executions[self._booked :]
        self._booked = len(self._account.executions)
        ledger = self.ledger
        for one in fresh:
            fill, key = one.fill, one.fill.intent_id
            ledger.booked[key] = ledger.booked.get(key, 0) + fill.quantity
            ledger.advance(ledger.lives[key])
            done = apply_fill(ledger.positions.get(fill.symbol), fill)
            if done.position is None:
                ledger.positions.pop(fill.symbol, None)
            else:
                ledger.positions[fill.symbol] = done.position

    def look_again(self, intent_id: str) -> OrderLife:
        """Return a life after the account's word about its order."""
        life = self.ledger.lives[intent_id]
        if life.state.at_broker:
            self.ledger.advance(life.heard(self._account.order(intent_id)))
        return self.ledger.lives[intent_id]

    def plan(self, judged: Judged, now: datetime) -> None:
        """Take an intent in; one with a release time waits for it."""
        if judged.intent is None:
            return
        life = OrderLife(judged.intent)
        held = judged.intent.release_at is not None
        self.ledger.advance(life.move(IntentState.HELD, now) if held else life)

    def send(self, life: OrderLife, quantity: int, now: datetime) -> None:
        """Send what is left of an intent; the account takes it, or rejects it for want of cover."""
        moved = life.shrunk(quantity).move(IntentState.SENDING, now)
        self.ledger.sent_today += 1
        taken = self._account.submit(moved.intent, quantity, now)
        self.rejected += not taken
        self.ledger.advance(moved.move(IntentState.ACKED if taken else IntentState.REJECTED, now))

    def give_up(self, life: OrderLife, reason: str, now: datetime) -> None:
        """End an intent that was not sent."""
        self.ledger.advance(life.move(IntentState.EXPIRED, now, reason))

    def cancel(self, life: OrderLife, reason: str, now: datetime) -> None:
        """Cancel an order, or give up an intent; nothing once it has ended."""
        if life.state.terminal:
            return
        if not life.state.at_broker:
            self.give_up(life, reason, now)
            return
        self.ledger.advance(life.cancelling(now))
        self._account.cancel(life.intent.id)

    def enter(self, change: StateChange) -> None:
        """Change the trading state."""
        self.ledger.state = change
        self.states.append(change)

    def snapshot(self, instant: datetime, equity: int, cash: int) -> None:
        """Keep the equity of a tick; a new high becomes the peak that drawdowns are measured from."""
        ledger, base = self.ledger, self.ledger.baseline
        day = instant.date() if ledger.session is None else ledger.session
        ledger.snapshot = Snapshot(instant, day, equity, cash, {})
        if base is not None and equity > base.peak_equity:
            ledger.baseline = replace(base, peak_equity=equity)
