"""Anything may happen in any order: a day of one account, with whatever its broker and its people do.

What FAULTS §3 promises is held after every step. ``Chaos.seen`` counts what came about; a run in which
nothing was accepted, killed, fenced or halted would pass by doing nothing, so the counts are asserted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline import failpoints
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Intent, IntentState, Purpose, Side
from pipeline.domain.portfolio import CashActivity
from pipeline.errors import AppendRefused, MarketdayError
from pipeline.failpoints import PLACES
from pipeline.operations.emergency import flatten, halt
from tests.faults.broker import SHARE, Answer
from tests.faults.desk import Killed, NoLock, World, opened_world
from tests.faults.promises import Auditor, equal_books, never_short, one_order_each, settled, unfit

MINUTE = timedelta(minutes=1)
WANTED = (
    *("accepted", "filled", "partials", "rejected", "unknown", "resent", "late", "cancelled", "given up"),
    *("crashes", "fenced", "halts", "resumes", "flattens", "rollovers", "silences", "deposits", "external"),
)
"""What must have come about in a run of the machine."""

symbols = st.sampled_from(["SPY", "QQQ"])
answers = st.sampled_from([*[Answer.OK] * 5, *Answer, Answer.RESET_BEFORE, Answer.REJECTED, Answer.REJECTED])
"""Biased to what usually happens: with faults alone hardly an order would be accepted."""
crashes = st.sampled_from([*[""] * 25, *PLACES])


def answering(answer: Answer) -> Callable[[Intent], Answer]:
    """Answer every request so."""
    return lambda _intent: answer


class Chaos(RuleBasedStateMachine):
    """One account; time moves on by a minute with every step."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.world: World = self.open.enter_context(opened_world())
        self.audit = Auditor()
        self.broken: list[str] = []
        self.hands = self.days = self.silences = 0
        self.world.venue.watch = lambda intent: self.broken.extend(unfit(self.world, intent))

    def later(self, minutes: int = 1) -> datetime:
        """Let time pass to the next whole minute and return it."""
        now = self.world.venue.now
        instant = now.replace(second=0, microsecond=0) + minutes * MINUTE
        self.world.venue.to(instant)
        return instant

    def live(self, act: Callable[[], Any], crash: str = "") -> bool:
        """Do something, die at a place if so armed and begin again; return whether it was done."""

        def die(place: str) -> None:
            if place == crash:
                raise Killed(place)

        failpoints.arm(die if crash else None)
        try:
            act()
        except Killed:
            self.seen["crashes"] += 1
            self.world.restart()
            return False
        except AppendRefused as error:
            self.seen[f"refused {error.code}"] += 1
            return False
        except MarketdayError as error:
            self.seen[f"failed {type(error).__name__}"] += 1
            return False
        finally:
            failpoints.arm(None)
        return True

    @rule(symbol=symbols, way=st.sampled_from([1, 1, 1, -1, -1]), answer=answers, crash=crashes)
    def tick(self, symbol: str, way: int, answer: Answer, crash: str) -> None:
        """A tick with a wish; killed, it is run again at once."""
        instant = self.later()
        self.world.wanted[symbol, instant] = way
        self.world.answers = answering(answer)
        self.world.line.answers = self.world.answers
        if not self.live(lambda: self.world.call("intraday-tick", instant, "test"), crash):
            self.live(lambda: self.world.call("intraday-tick", instant, "test"))

    @rule(crash=crashes, minutes=st.sampled_from([1, 1, 2, 4, 6]))
    def monitor(self, crash: str, minutes: int) -> None:
        """A pass of the risk monitor, perhaps after a while."""
        instant = self.later(minutes)
        self.live(lambda: self.world.call("risk-monitor", instant, "test"), crash)

    @rule(answer=answers, symbol=symbols, again=st.booleans())
    def two_ticks(self, answer: Answer, symbol: str, again: bool) -> None:
        """In and out within two minutes, resumed if need be; the same tick again changes nothing."""
        if self.world.ledger.state.state.latched:
            self.resume("")
        for way in (1, -1):
            self.tick(symbol, way, answer, "")
            answer = Answer.OK
        instant = self.world.venue.now
        if again and self.world.ledger.runs.get(("intraday-tick", instant)) == "completed":
            before = len(self.world.venue.orders)
            self.live(lambda: self.world.call("intraday-tick", instant, "again"))
            assert len(self.world.venue.orders) == before

    @rule(crash=crashes, cancels=st.booleans())
    def some_of_it(self, crash: str, cancels: bool) -> None:
        """Half is executed; the rest is cancelled by an exit, or executed a while later."""
        if self.world.ledger.state.state.latched:
            self.resume("")
        self.tick("SPY", 1, Answer.PARTIAL, "")
        self.monitor(crash, 1)
        if cancels:
            self.tick("SPY", -1, Answer.OK, crash)
        for held in self.world.venue.live():
            self.world.venue.execute(held, held.order.quantity)

    @rule(symbol=symbols, crash=crashes)
    def slow_line(self, symbol: str, crash: str) -> None:
        """A request is so long under way that its decision is given up before it arrives."""
        if self.world.ledger.state.state.latched:
            self.resume("")
        self.tick(symbol, 1, Answer.LATE, "")
        for _ in range(2):
            self.monitor(crash, 2)

    @rule(crash=crashes)
    def reconcile(self, crash: str) -> None:
        """Hold the broker against the ledger."""
        self.later()
        self.live(self.world.reconcile, crash)

    @rule()
    def restart(self) -> None:
        """The process ends in order; another begins."""
        self.world.restart()

    @precondition(lambda self: self.world.venue.live())
    @rule(number=st.integers(0, 9), share=st.sampled_from([1, 2, 3]))
    def execute(self, number: int, share: int) -> None:
        """Somebody takes some of what rests."""
        live = self.world.venue.live()
        held = live[number % len(live)]
        whole = held.order.quantity // SHARE
        self.world.venue.execute(held, max(1, whole // share) * SHARE)

    @precondition(lambda self: self.world.venue.live())
    @rule(number=st.integers(0, 9))
    def cancel_by_broker(self, number: int) -> None:
        """The broker ends an order by itself."""
        live = self.world.venue.live()
        held = live[number % len(live)]
        held.order = replace(held.order, state=IntentState.CANCELLED, raw_status="canceled")

    @rule(deaf=st.integers(0, 3), scrambled=st.booleans())
    def misbehave(self, deaf: int, scrambled: bool) -> None:
        """Cancels get lost; executions are told twice and in the wrong order."""
        self.world.venue.deaf, self.world.venue.scrambled = deaf, scrambled

    @precondition(lambda self: self.silences < 3)
    @rule(minutes=st.sampled_from([1, 2, 6]))
    def silence(self, minutes: int) -> None:
        """The line is dead for some minutes, and the monitor goes on asking."""
        self.silences += 1
        self.seen["silences"] += 1
        self.world.venue.silent = True
        for _ in range(minutes):
            self.live(partial(self.world.call, "risk-monitor", self.later(), "test"))
        self.world.venue.silent = False

    @rule(side=st.sampled_from(Side), symbol=st.sampled_from(["AIG", "AIG", "AIG", "SPY"]))
    def trade_by_hand(self, side: Side, symbol: str) -> None:
        """A person trades past us, in the broker's own app."""
        self.hands += 1
        now, name = self.world.venue.now, f"hand-{self.hands}"
        ticket = Intent(name, "", "", symbol, side, Purpose.ENTRY, 3 * SHARE, now, 1)
        self.world.venue.accept(name, ticket)

    @rule(amount=st.sampled_from([5_000_000_000, -3_000_000_000]))
    def move_money(self, amount: int) -> None:
        """A person deposits or withdraws."""
        venue = self.world.venue
        self.hands += 1
        venue.cash += amount
        kind = "CSD" if amount > 0 else "CSW"
        venue.activities.append(CashActivity(f"a-{self.hands}", kind, amount, venue.now))

    @precondition(lambda self: not self.world.ledger.state.state.latched)
    @rule(crash=st.sampled_from(["", "", "after_halt", "before_cancel", "after_cancel", "before_record"]))
    def halt(self, crash: str) -> None:
        """A person stops everything; whatever dies, the next process finishes it."""
        self.later()

        def stop() -> None:
            halt(self.world.desk.journal, "stop", "tester", self.world.venue.now)
            self.seen["halts"] += 1
            self.world.call("emergency-stop", "stop", False)

        if not self.live(stop, crash):
            self.live(stop)

    @precondition(lambda self: not self.world.ledger.state.state.latched and self.world.ledger.positions)
    @rule()
    def flatten(self) -> None:
        """A person has everything sold."""
        self.later()
        flatten(self.world.desk.journal, "sell it all", "tester", self.world.venue.now)
        self.seen["flattens"] += 1
        self.live(lambda: self.world.call("emergency-stop", "sell it all", True))

    @precondition(lambda self: self.world.ledger.state.state.latched)
    @rule(crash=crashes)
    def resume(self, crash: str) -> None:
        """A person resumes, which is refused until the books agree."""
        self.later()
        self.live(lambda: self.world.call("resume-trading", "looked at it"), crash)
        self.seen["resumes"] += not self.world.ledger.state.state.latched

    @rule(place=st.sampled_from(PLACES), symbol=symbols)
    def zombie(self, place: str, symbol: str) -> None:
        """A process on another host stops in mid-tick; its successor trades; it wakes, and goes on."""
        instant = self.later()
        self.world.wanted[symbol, instant] = 1
        old = replace(self.world.desk, lock=NoLock())
        journal: Any = old.journal
        woken = False

        def stop_here(name: str) -> None:
            nonlocal woken
            if name == place and not woken and journal._held is None:
                woken = True
                failpoints.arm(None)
                self.world.restart()
                self.world.call("intraday-tick", instant, "successor")

        failpoints.arm(stop_here)
        try:
            self.world.call("intraday-tick", instant, "zombie", desk=old)
        except AppendRefused as error:
            self.seen["fenced"] += error.code == "fenced"
        except MarketdayError as error:
            self.seen[f"zombie {type(error).__name__}"] += 1
        finally:
            failpoints.arm(None)
        self.world.restart()

    @precondition(lambda self: self.days < 2)
    @rule()
    def next_session(self) -> None:
        """The day ends, orders expire, and the next morning begins."""
        self.days += 1
        venue, world = self.world.venue, self.world
        session = world.table.at_or_after(venue.now.date())
        venue.to(session.close + 10 * MINUTE)
        venue.close()
        following = world.table.at_or_after(session.day + timedelta(days=1))
        self.seen["rollovers"] += self.live(lambda: world.morning(following.day))
        venue.to(following.open + 20 * MINUTE)

    @invariant()
    def every_promise_holds(self) -> None:
        found = [*self.broken, *self.audit.read(self.world)]
        found += [*one_order_each(self.world), *never_short(self.world)]
        assert found == [], found

    def teardown(self) -> None:
        world = self.world
        world.venue.deaf, world.venue.scrambled, world.venue.silent = 0, False, False
        world.answers = lambda _intent: Answer.OK
        try:
            world.restart()
            found = [*settled(world, self.later(5)), *self.broken, *self.audit.read(world)]
            found += [*one_order_each(world), *never_short(world), *equal_books(world)]
            assert found == [], found
            path = world.folder / "rehearsal.jsonl"
            again = FileJournal(path, FileLock(path.with_suffix(".lock"))).read()
            assert asdict(again) == asdict(world.ledger)
            self._count()
        finally:
            self.open.close()

    def _count(self) -> None:
        world, seen = self.world, self.seen
        seen["examples"] += 1
        seen["accepted"] += len(world.venue.ours())
        seen["late"] += world.venue.late
        seen["deposits"] += len(world.records(Kind.CASH))
        seen["external"] += len(world.records(Kind.EXTERNAL))
        seen["unknown"] += len(world.records(Kind.UNKNOWN))
        seen["rejected"] += len(world.records(Kind.REJECTED))
        told = Counter(record.data["state"] for record in world.records(Kind.ORDER))
        seen["partials"] += told["partial"]
        for life in world.ledger.lives.values():
            seen["filled"] += life.state is IntentState.FILLED
            seen["cancelled"] += life.state is IntentState.CANCELLED
            seen["given up"] += life.state is IntentState.EXPIRED
            seen["resent"] += life.sends > 1
