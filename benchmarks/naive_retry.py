"""The crash sweep of ``tests/faults``, once against our desk and once against a straightforward loop.

The loop does what many do: it looks at its positions, sends an order without an id of its own, and sends it
again when an error comes back; when it dies it is started again and repeats its tick. A more careful one
looks at open orders, too. Same broker, same bad answers, same places to die, same second deaths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from benchmarks.results import Row, Scale, at_most, note
from pipeline import failpoints
from pipeline.domain.orders import Intent, Purpose, Side
from pipeline.errors import BrokerUnavailable, OrderRejected
from pipeline.failpoints import reach
from tests.faults.broker import SHARE, Answer, Line, Venue
from tests.faults.desk import Killed, at, one_process, sessions
from tests.faults.sweep import ATTEMPTS, SCRIPT, WANTED, Deaths, Outcome, Scenario, run, scenarios

TITLE = "naive_retry: the same crashes and answers, a loop that retries beside ours"
TRIES = 3
SHARES = 199 * SHARE
BEGINNING = ("after_lock", "after_lease", "before_recover", "in_recover", "after_recover", "in_reconcile")
BEFORE_POST = (
    "after_decide",
    "before_intent",
    "after_intent",
    "before_record",
    "before_sending",
    "after_sending",
)
AFTER_POST = ("after_post", "after_answer", "before_fill", "after_fill")
ENDING = ("after_tick", "before_project", "after_project")
"""Our places by what a loop does there: begin a pass, be about to post, have posted, be done."""


@dataclass
class Loop:
    """The straightforward loop. What it knows of a halt it keeps in memory."""

    venue: Venue
    line: Line
    careful: bool
    wanted: Mapping[tuple[str, datetime], int]
    numbers: Any = field(default_factory=lambda: count(1))
    halted: bool = False

    def tick(self, instant: datetime) -> None:
        """Look at the positions and trade what is wanted now."""
        _pass(BEGINNING)
        held = {position.symbol: position.quantity for position in self.line.fetch_positions()}
        under_way = {order.symbol for order in self.line.fetch_open_orders()} if self.careful else set()
        reach("after_look")
        for (symbol, when), way in self.wanted.items():
            if when != instant or self.halted or symbol in under_way:
                continue
            if way > 0 and symbol not in held:
                self.send(symbol, Side.BUY, SHARES)
            elif way < 0 and held.get(symbol, 0) > 0:
                self.send(symbol, Side.SELL, held[symbol])
        _pass(ENDING)

    def send(self, symbol: str, side: Side, quantity: int) -> None:
        """Send, and again while an error comes back; the broker names the order."""
        for _ in range(TRIES):
            name = f"auto-{symbol}-{side.value}-{next(self.numbers)}"
            order = Intent(name, "", "", symbol, side, Purpose.ENTRY, quantity, self.venue.now, 1)
            _pass(BEFORE_POST)
            try:
                self.line.submit(order)
            except BrokerUnavailable:
                continue
            except OrderRejected:
                return
            _pass(AFTER_POST)
            return

    def halt(self) -> None:
        """Remember to trade no more, and cancel what is open."""
        self.halted = True
        reach("after_halt")
        for order in self.line.fetch_open_orders():
            reach("before_cancel")
            self.line.cancel(order.id)
            reach("after_cancel")


def _pass(places: tuple[str, ...]) -> None:
    for place in places:
        reach(place)


def measure(scale: Scale) -> list[Row]:
    """Run every scenario with all three and count those that leave more than one order for a decision."""
    wanted = scenarios(1)[:: scale.pick(30, 1)]
    with one_process():
        ours = [run(scenario) for scenario in wanted]
        naive = [_live(scenario, careful=False) for scenario in wanted]
        careful = [_live(scenario, careful=True) for scenario in wanted]
    doubled = sum(any(broken.startswith("I1") for broken in outcome.broken) for outcome in ours)
    return [
        note("scenarios", len(wanted), "scenarios"),
        _beside("leave more than one order for a decision", doubled, naive, "doubled"),
        _beside("  a loop that looks at open orders, too", doubled, careful, "doubled"),
        _beside("sold more than was held", _broken(ours, "I6"), naive, "short"),
        _beside("sent something new after the halt", _broken(ours, "I5"), naive, "after the halt"),
        Scale.exact("violations of any promise, ours", sum(len(one.broken) for one in ours), "violations"),
        note("worst: orders for one decision, the loop", max(one["worst"] for one in naive), "orders"),
    ]


def _broken(outcomes: list[Outcome], promise: str) -> int:
    return sum(any(broken.startswith(promise) for broken in outcome.broken) for outcome in outcomes)


def _beside(what: str, ours: int, theirs: list[Counter[str]], key: str) -> Row:
    found = sum(bool(one[key]) for one in theirs)
    share = f"a retrying loop: {found / len(theirs):.0%}"
    return Row(what, ours, "scenarios", found, share, ours, at_most(0), ours == 0)


def _live(scenario: Scenario, careful: bool) -> Counter[str]:
    """Live through a scenario with the loop and return what it left at the broker."""
    venue, table, numbers = Venue(at("14:59")), sessions(), count(1)
    wanted = {(symbol, at(clock)): way for (symbol, clock), way in WANTED.items()}
    answers = _first_is(scenario.answer)

    def begun() -> Loop:
        return Loop(venue, Line(venue, table, answers), careful, wanted, numbers)

    loop = begun()
    failpoints.arm(Deaths(scenario, Outcome(scenario)))
    try:
        for step, clock in SCRIPT:
            venue.to(at(clock))
            for _ in range(ATTEMPTS):
                try:
                    _take(loop, step, at(clock))
                except Killed:
                    venue.to(venue.now + timedelta(seconds=1))
                    loop = begun()
                else:
                    break
    finally:
        failpoints.arm(None)
    venue.to(at("15:10"))
    return _left(venue)


def _take(loop: Loop, step: str, instant: datetime) -> None:
    if step == "halt":
        loop.halt()
    elif step == "intraday-tick":
        loop.tick(instant)


def _first_is(answer: Answer) -> Callable[[Intent], Answer]:
    """Answer the first request of each decision so, and the others well: as for ours."""
    asked: Counter[str] = Counter()

    def answers(intent: Intent) -> Answer:
        decision = intent.id.rpartition("-")[0]
        asked[decision] += 1
        return answer if asked[decision] == 1 else Answer.OK

    return answers


def _left(venue: Venue) -> Counter[str]:
    """Count orders by decision: SPY is wanted at 15:00 and after the halt, which is counted apart."""
    found: Counter[str] = Counter()
    decisions: Counter[tuple[str, str]] = Counter()
    for held in venue.orders.values():
        if held.order.submitted_at >= at("15:04") and held.order.side is Side.BUY:
            found["after the halt"] += 1
        else:
            decisions[held.order.symbol, held.order.side.value] += 1
    found["worst"] = max(decisions.values(), default=0)
    found["doubled"] = sum(number > 1 for number in decisions.values())
    found["short"] = sum(quantity < 0 for quantity in venue.positions.values())
    return found
