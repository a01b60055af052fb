"""A broker whose lists lag, go back or leave things out: nothing is given up or traded on their account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION
from pipeline.domain.orders import Fill, Intent, IntentState, Order
from pipeline.domain.portfolio import Account, BrokerPosition
from pipeline.domain.reconcile import CASH_TOLERANCE
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerUnavailable, OrderRejected, UsageError
from pipeline.operations import books
from tests.faults.broker import SHARE, Answer, Line, Venue
from tests.faults.desk import World, at, one_process, opened_world

SECONDS = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Replica:
    """What a replica that lags shows: executions, shares and cash of an earlier instant."""

    fills: tuple[Fill, ...]
    positions: dict[str, int]
    cash: int


class Lagging(Line):
    """Orders are told fresh; executions, positions and cash may come from a replica.

    Attributes:
        stale: from ``after`` questions for executions on, until ``until``, what the replica shows.
        listing: whether executions are listed at all; lying: whether every order is refused, yet taken;
        still_open: orders that the list of open ones shows, though they have ended.
    """

    stale: Replica | None = None
    until = at("23:00")
    after = 0
    listing = True
    lying = False
    still_open: tuple[Order, ...] = ()

    def _old(self) -> Replica | None:
        return self.stale if self.after <= 0 and self.venue.now < self.until else None

    def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        fresh, old = super().fetch_fills(since), self._old()
        self.after -= self.stale is not None
        if not self.listing:
            return ()
        return fresh if old is None else tuple(fill for fill in old.fills if fill.at >= since)

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        fresh, old = super().fetch_positions(), self._old()
        if old is None:
            return fresh
        held = sorted(old.positions.items())
        price = self.venue.price
        return tuple(BrokerPosition(key, n, n, price(key), price(key)) for key, n in held if n)

    def fetch_account(self) -> Account:
        fresh, old = super().fetch_account(), self._old()
        return fresh if old is None else replace(fresh, cash=old.cash)

    def fetch_open_orders(self) -> tuple[Order, ...]:
        return (*super().fetch_open_orders(), *self.still_open)

    def submit(self, intent: Intent) -> Order:
        order: Order = super().submit(intent)
        if self.lying:
            raise OrderRejected(intent.id, "403", "insufficient buying power")
        return order


@pytest.fixture
def world() -> Iterator[World]:
    """A session under way at a broker whose lists may lag."""
    with one_process(), opened_world() as opened:
        line = Lagging(opened.venue, opened.table, lambda intent: opened.answers(intent))  # noqa: PLW0108 - it changes
        opened.desk = replace(opened.desk, broker=line, data=line)
        yield opened


def line_of(world: World) -> Lagging:
    """Return the line that may lag."""
    line: Any = world.desk.broker
    assert isinstance(line, Lagging)
    return line


def replica(venue: Venue) -> Replica:
    """Return what the venue shows now."""
    return Replica(tuple(venue.fills), dict(venue.positions), venue.cash)


def tick(world: World, clock: str, direction: int = 0, symbol: str = "SPY") -> None:
    """Run the tick of an instant at which the strategy wants so much."""
    world.wanted[(symbol, at(clock))] = direction
    world.run("intraday-tick", at(clock))


def monitor(world: World, clock: str) -> None:
    """Run the risk monitor."""
    world.run("risk-monitor", at(clock))


def executed_unheard(world: World, clock: str, direction: int) -> None:
    """An order is sent, not heard of, and executed 117 s later, after a minute of silence."""
    world.answers = lambda _intent: Answer.GATEWAY
    world.venue.resting = frozenset({"SPY", "QQQ"})
    tick(world, clock, direction)
    world.answers = lambda _intent: Answer.OK
    world.venue.silent = True
    with pytest.raises(BrokerUnavailable):
        world.run("intraday-tick", at(clock) + 60 * SECONDS)
    world.venue.silent = False
    world.venue.to(at(clock) + 117 * SECONDS)
    line_of(world).stale = replica(world.venue)
    for held in world.venue.live():
        world.venue.execute(held, held.order.quantity)
    world.venue.resting = frozenset({"QQQ"})


def agree(world: World) -> bool:
    """Tell whether ledger and venue hold the same shares and cash."""
    ledger, venue = world.ledger, world.venue
    shares = {symbol: held for symbol, held in venue.positions.items() if held}
    ours = {symbol: held.quantity for symbol, held in ledger.positions.items()}
    return ours == shares and abs((ledger.cash or 0) - venue.cash) <= CASH_TOLERANCE


def test_an_entry_executed_while_the_lists_lag_is_neither_given_up_nor_made_again(world: World) -> None:
    """Executed at 15:01:57, two minutes after its send; lists lag 8 s, the tick of 15:02 wants in again."""
    executed_unheard(world, "15:00", 1)
    line_of(world).until = at("15:02:05")
    tick(world, "15:02", 1)
    waiting = dict(world.ledger.locked_by)
    monitor(world, "15:02:30")
    tick(world, "15:03", 1)

    assert waiting == {"SPY": RECONCILIATION}
    assert (world.records(Kind.BUST), len(world.venue.orders)) == ([], 1)
    assert world.ledger.locks == {}
    assert agree(world)


def test_an_exit_executed_while_the_lists_lag_is_not_sent_twice(world: World) -> None:
    """The exit of 15:02 is executed at 15:03:57 and listed from 15:04:05 on: a second one would be short."""
    tick(world, "15:00", 1)
    tick(world, "15:01")
    executed_unheard(world, "15:02", -1)
    line_of(world).until = at("15:04:05")
    tick(world, "15:04", -1)
    monitor(world, "15:04:30")
    tick(world, "15:05")

    assert (world.records(Kind.BUST), len(world.venue.orders)) == ([], 2)
    assert not world.venue.positions["SPY"]
    assert agree(world)


def test_what_was_written_off_is_booked_when_it_is_listed_after_all(world: World) -> None:
    """Nothing shows the execution for three minutes: written off. Listed at last, it is booked, once."""
    executed_unheard(world, "15:00", 1)
    line_of(world).until = at("15:08")
    for clock in ("15:02", "15:03", "15:04"):
        tick(world, clock)
    early = world.records(Kind.BUST)
    tick(world, "15:05")
    (bust,) = world.records(Kind.BUST)
    tick(world, "15:08")
    world.reconcile()
    (life,) = world.ledger.lives.values()

    assert early == []
    assert bust.data["unbooked"]
    assert (life.booked, life.filled, world.ledger.locks) == (199 * SHARE, 199 * SHARE, {})
    assert agree(world)


def test_lists_that_go_back_within_a_tick_take_nothing_back(world: World) -> None:
    """Booked from a fresh list; the next lists, shares and cash are those of before the execution."""
    world.venue.resting = frozenset({"SPY", "QQQ"})
    world.answers = lambda _intent: Answer.GATEWAY
    tick(world, "15:00", 1)
    world.answers = lambda _intent: Answer.OK
    world.venue.to(at("15:00:45"))
    line_of(world).stale = replica(world.venue)
    for held in world.venue.live():
        world.venue.execute(held, held.order.quantity)
    world.venue.resting = frozenset({"QQQ"})
    line_of(world).after, line_of(world).until = 1, at("15:01:05")
    tick(world, "15:01", 1)
    doubted = world.ledger.settling, dict(world.ledger.locked_by)
    tick(world, "15:02", 1)

    assert doubted == (True, {"SPY": RECONCILIATION})
    assert (world.records(Kind.BUST), len(world.venue.orders)) == ([], 1)
    assert world.ledger.state.state is TradingState.NORMAL
    assert agree(world)


def test_one_pass_that_misses_an_old_execution_takes_nothing_back(world: World) -> None:
    """Ten minutes after the purchase one look shows the account of before it: asked twice, it is doubted."""
    before = replica(world.venue)
    tick(world, "15:00", 1)
    tick(world, "15:01")
    world.venue.to(at("15:10"))
    line_of(world).stale, line_of(world).until = before, at("15:10:15")
    world.reconcile()
    world.venue.to(at("15:10:10"))
    world.reconcile()
    doubted = world.ledger.settling
    world.venue.to(at("15:10:30"))
    world.reconcile()

    assert doubted
    assert world.records(Kind.BUST) == []
    assert (world.ledger.clean, world.ledger.locks) == (True, {})
    assert agree(world)


def test_an_execution_that_is_never_listed_halts_and_can_be_balanced(world: World) -> None:
    """Shares and cash are there, the list never shows why: told after three minutes, a person settles it."""
    line_of(world).listing = False
    for clock in ("15:00", "15:01", "15:02", "15:03"):
        tick(world, clock, clock == "15:00")
        early = world.ledger.state.state, world.ledger.clean
    tick(world, "15:04")
    halted, found = world.ledger.state, world.records(Kind.RECONCILED)[-1].data["discrepancies"]
    told = [record.data["event"] for record in world.records(Kind.ALERT)]
    books.balance(world.desk, "", "the broker's page shows them", "ann", world.venue.now)
    balanced = world.ledger.clean, world.ledger.open_lives, agree(world)
    line_of(world).listing = True
    world.reconcile()

    assert early == (TradingState.NORMAL, True)
    assert [one["kind"] for one in found] == ["unlisted", "position", "cash"]
    assert halted.state is TradingState.HALTED
    assert halted.reason == "unlisted SPY: ledger 0 booked, broker 199 executed"
    assert told.count("reconciliation_break") == 1
    assert balanced == (True, (), True)
    # Listed after all, it would count twice: nobody trades until it is balanced again.
    assert not world.ledger.clean
    books.balance(world.desk, "", "it was listed after all", "ann", world.venue.now)
    assert (world.ledger.clean, agree(world)) == (True, True)


def test_an_execution_of_seconds_ago_is_nobodys_to_balance(world: World) -> None:
    """The order may be listed any moment: `balance` waits for it."""
    line_of(world).listing = False
    tick(world, "15:00", 1)
    tick(world, "15:01")
    with pytest.raises(UsageError, match="balance SPY: 1 order still open in it"):
        books.balance(world.desk, "SPY", "now", "ann", world.venue.now)


def test_an_order_that_was_refused_and_is_open_halts_and_is_cancelled(world: World) -> None:
    """403 to a request that took effect: found by the next look, cancelled, its symbol a person's."""
    line_of(world).lying = True
    world.venue.resting = frozenset({"SPY", "QQQ"})
    tick(world, "15:00", 1)
    (life,) = world.ledger.lives.values()
    world.reconcile()
    (found,) = world.records(Kind.RECONCILED)[-1].data["discrepancies"]

    assert life.state is IntentState.REJECTED
    assert (found["kind"], found["symbol"], found["broker"]) == ("ended_order", "SPY", "b-1")
    assert world.ledger.state.state is TradingState.HALTED
    assert world.ledger.locked_by == {"SPY": QUARANTINE}
    assert world.venue.live() == []
    world.venue.to(at("15:00:30"))
    world.reconcile()
    assert world.ledger.clean
    assert world.ledger.locked_by == {"SPY": QUARANTINE}


def test_a_list_that_still_shows_a_filled_order_as_open_is_asked_again(world: World) -> None:
    """One look may be behind; two passes that see it halt."""
    tick(world, "15:00", 1)
    tick(world, "15:01")
    (held,) = world.venue.orders.values()
    line_of(world).still_open = (replace(held.order, state=IntentState.ACKED),)
    world.reconcile()
    first = world.ledger.settling, world.ledger.state.state, world.records(Kind.CANCEL)
    world.venue.to(at("15:01:30"))
    world.reconcile()

    assert first == (True, TradingState.NORMAL, [])
    assert world.ledger.state.state is TradingState.HALTED
    assert len(world.records(Kind.CANCEL)) == 1
