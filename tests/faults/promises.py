"""The invariants of FAULTS §3, as far as a journal and a broker show them. Each breach is a sentence.

Nothing here asks the product whether it behaved: limits and ages are written out, decisions are told apart
by what was decided and when, and what the broker holds is the broker's own list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain.journal import Kind, Record
from pipeline.domain.orders import Intent, Side
from tests.faults.desk import World

OLDEST_DECISION = timedelta(seconds=90)
"""How old a decision may be when its request leaves (I8)."""
LARGEST_POSITION = 0.0202
"""Fraction of equity in one symbol: the seed's 2 %, and a hundredth of it for prices that moved (I3)."""
HALTED = 3
REDUCING = 2
CLOSING = frozenset({"liquidation", "reduction", "probe"})
"""Purposes that may follow a stop: what it asks for itself, and the recovery's order that cannot fill."""
OPENING = frozenset({"entry"})


@dataclass
class Auditor:
    """Reads a journal record by record, in order, and says what must never follow what.

    Attributes:
        purposes: of every intent, by id; decided: intents by decision.
    """

    seq: int = 0
    epoch: int = 0
    state: int = 0
    purposes: dict[str, str] = field(default_factory=dict)
    decided: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def read(self, world: World) -> Iterator[str]:
        """Audit what is new in the journal."""
        for record in world.desk.journal.records(self.seq):
            self.seq = record.seq
            yield from self._one(record)
        if self.state is not int(world.ledger.state.state) and self.state >= HALTED:
            yield f"I5: the journal was stopped, and the ledger says {world.ledger.state.state.name}"

    def _one(self, record: Record) -> Iterator[str]:
        data = record.data
        if record.kind is Kind.LEASE:
            self.epoch = data["epoch"]
        elif record.kind is Kind.STATE:
            if self.state >= HALTED > data["state"] and not data["resume"]:
                yield f"I5: record {record.seq} leaves a latched state without a person"
            self.state = data["state"]
        elif record.kind is Kind.INTENT:
            self.purposes[data["id"]] = data["purpose"]
            key = (data["strategy"], data["symbol"], data["side"], data["purpose"], data["decided_at"])
            self.decided[key] += 1
            if self.decided[key] > 1:
                yield f"I18: record {record.seq} decides {key} again, under another id"
            yield from self._new_risk(record, data["purpose"])
        elif record.kind is Kind.SENDING:
            yield from self._new_risk(record, self.purposes[data["intent_id"]])

    def _new_risk(self, record: Record, purpose: str) -> Iterator[str]:
        if record.epoch != self.epoch:
            yield f"I7: record {record.seq}, {record.kind}, of epoch {record.epoch} under {self.epoch}"
        if self.state >= HALTED and purpose not in CLOSING:
            yield f"I5: record {record.seq} is {record.kind} of an {purpose} after the halt"
        if self.state == REDUCING and purpose in OPENING:
            yield f"I6: record {record.seq} is {record.kind} of an {purpose} while only reducing"


def unfit(world: World, intent: Intent) -> Iterator[str]:
    """Say what is wrong with a request at the moment when it leaves; the journal is read from the disk."""
    text = (world.folder / "rehearsal.jsonl").read_text()
    lines = [line for line in text.splitlines() if intent.id in line]
    for kind in ("intent", "sending"):
        if not any(f'"kind":"{kind}"' in line for line in lines):
            yield f"I2: {intent.id} left before its {kind} was journalled"
    age = world.venue.now - (intent.release_at or intent.decided_at)
    if age > OLDEST_DECISION and not intent.purpose.reduces:
        yield f"I8: {intent.id} left {age.total_seconds():.0f} s after its decision"
    if intent.side is Side.BUY and intent.purpose.value == "entry":
        yield from _too_much(world, intent)


def _too_much(world: World, intent: Intent) -> Iterator[str]:
    """I3: what we hold of a symbol, what is open, what is under way, and this one."""
    venue, symbol = world.venue, intent.symbol
    if intent.id in venue.orders:
        return  # the same id again is the same order
    ours = [held.order for held in venue.ours() if held.order.symbol == symbol]
    held = sum(order.side.sign * order.filled for order in ours)
    opened = [one for one in venue.live() if one in venue.ours() and one.order.symbol == symbol]
    wanted = {one.order.client_id: one.order.quantity - one.order.filled for one in opened}
    wanted |= {late.id: late.quantity for _, late in venue.arrivals if late.symbol == symbol}
    wanted[intent.id] = intent.quantity
    money = (held + sum(wanted.values())) * venue.price(symbol) // 10_000_000
    if money > venue.equity() * LARGEST_POSITION:
        yield f"I3: {symbol} could grow to {money / venue.equity():.2%} of equity"


def one_order_each(world: World) -> Iterator[str]:
    """I1, I2: at most one order at the broker for each decision, and none that was not decided."""
    venue, lives = world.venue, world.ledger.lives
    found: Counter[tuple[Any, ...]] = Counter()
    for held in venue.ours():
        life = lives.get(held.order.client_id)
        if life is None:
            yield f"I2: the broker has {held.order.client_id}, the journal never decided it"
            continue
        intent = life.intent
        found[intent.symbol, intent.side.value, intent.purpose.value, intent.decided_at] += 1
        if intent.purpose.value == "probe" and held.order.filled:
            yield f"I5: the test order {intent.id} was executed"
        if held.order.quantity > intent.quantity:
            yield f"I11: {intent.id} is larger at the broker than it was decided"
    for decision, count in found.items():
        if count > 1:
            yield f"I1: {count} orders at the broker for one decision {decision}"


def never_short(world: World) -> Iterator[str]:
    """Σ of our own executions is never negative: nothing was sold twice."""
    moved: Counter[str] = Counter()
    for held in world.venue.ours():
        moved[held.order.symbol] += held.order.side.sign * held.order.filled
    for symbol, quantity in moved.items():
        if quantity < 0:
            yield f"I6: our orders sold {-quantity} {symbol} more than they bought"


def equal_books(world: World) -> Iterator[str]:
    """I4: after everything came to rest, ledger and broker are equal, or nobody may trade on it."""
    venue, ledger = world.venue, world.ledger
    for symbol in sorted({*venue.positions, *ledger.positions, *ledger.external}):
        both = (ledger.positions, ledger.external)
        ours = sum(held[symbol].quantity for held in both if symbol in held)
        if ours != venue.positions.get(symbol, 0) and symbol not in ledger.locks:
            yield f"I4: {symbol}: the ledger has {ours}, the broker {venue.positions.get(symbol, 0)}"
    cash = (ledger.cash or 0) + ledger.external_cash
    if cash != venue.cash and not ledger.state.state.latched:
        yield f"I4: cash: the ledger has {cash}, the broker {venue.cash}"
    for life in ledger.open_lives:
        there = venue.orders.get(life.intent.id)
        if there is not None and there.open and life.order_id:
            continue  # it rests at the broker, and we know it
        yield f"I4: {life.intent.id} is still {life.state} after everything came to rest"
    for key, count in ledger.booked.items():
        if key in ledger.lives and count > ledger.lives[key].intent.quantity:
            yield f"I11: {key} is booked beyond its quantity"


def settled(world: World, first: datetime) -> Iterator[str]:
    """Let everything come to rest: two quiet passes and two reconciliations, the second without news."""
    for instant in (first, first + timedelta(minutes=1)):
        world.venue.to(instant)
        world.call("risk-monitor", instant, "test")
    world.reconcile()
    before = world.ledger.seq
    world.reconcile()
    news = [one.kind for one in world.records() if one.seq > before and one.kind not in _ROUTINE]
    if news:
        yield f"I4: a second reconciliation still finds news: {news}"


_ROUTINE = frozenset({Kind.RUN, Kind.CLAIM, Kind.LEASE, Kind.RECONCILED, Kind.SNAPSHOT, Kind.ALERT})
