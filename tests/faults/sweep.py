"""The crash sweep: every place where a process can die × every answer of a broker × a second death.

One scenario is a quarter of an hour of a session: a buy, one that rests, a sale, a reconciliation, a halt.
The process dies at one place and, begun again, at another; the broker answers the first request of every
order as badly as it can. Then the line is fine again, and what stands at the broker is held against what
stands in the journal.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from pipeline import failpoints
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Intent
from pipeline.errors import MarketdayError
from pipeline.failpoints import PLACES
from pipeline.operations.emergency import halt
from tests.faults.broker import Answer
from tests.faults.desk import Killed, World, at, one_process, opened_world
from tests.faults.promises import Auditor, equal_books, never_short, one_order_each, settled, unfit

ATTEMPTS = 4
VISITS = {"before_record": 16, "after_lock": 4, "after_lease": 4, "after_sending": 3, "after_intent": 3}
"""How many visits of a place are tried; 2 where nothing is said: the second is another order's."""
SCRIPT = (
    ("intraday-tick", "15:00"),
    ("risk-monitor", "15:00:30"),
    ("intraday-tick", "15:01"),
    ("risk-monitor", "15:01:30"),
    ("intraday-tick", "15:02"),
    ("reconcile", "15:02:30"),
    ("halt", "15:03"),
    ("emergency-stop", "15:03:05"),
    ("risk-monitor", "15:03:30"),
    ("intraday-tick", "15:04"),
    ("risk-monitor", "15:06"),
    ("risk-monitor", "15:08"),
)
WANTED = {("SPY", "15:00"): 1, ("QQQ", "15:01"): 1, ("SPY", "15:02"): -1, ("SPY", "15:04"): 1}
"""What the strategy wants; the last of it after the halt."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where the process dies, at which visit, what the broker answers, and where it dies again ("": nowhere).

    In text: ``after_post@2 | 504 after accept | in_recover``.
    """

    place: str
    visit: int
    answer: Answer
    second: str = ""

    def __str__(self) -> str:
        return f"{self.place}@{self.visit} | {self.answer} | {self.second or 'nowhere'}"

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Return the scenario that its text names."""
        first, answer, second = (part.strip() for part in text.split("|"))
        place, _, visit = first.partition("@")
        return cls(place, int(visit or "1"), Answer(answer), "" if second == "nowhere" else second)


@dataclass(slots=True)
class Outcome:
    """What became of one scenario: deaths, what it broke, and what it saw."""

    scenario: Scenario
    crashes: int = 0
    broken: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Found:
    """What a sweep found."""

    scenarios: int = 0
    crashes: int = 0
    violations: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "scenarios": self.scenarios,
            "crashes": self.crashes,
            "violations": self.violations,
            "seen": dict(self.seen),
        }

    def add(self, outcome: Outcome) -> None:
        """Count one scenario."""
        self.scenarios += 1
        self.crashes += outcome.crashes
        self.seen.update(outcome.seen)
        self.violations += [f"{outcome.scenario}: {broken}" for broken in outcome.broken]


def scenarios(second_places: int) -> list[Scenario]:
    """Return every place, visit and answer, each with one scenario without and some with a second death."""
    firsts = [(place, n + 1) for place in PLACES for n in range(VISITS.get(place, 2))]
    found = []
    for number, ((place, visit), answer) in enumerate(product(firsts, Answer)):
        found.append(Scenario(place, visit, answer))
        # A stride that shares no factor with the number of places visits them all in turn.
        chosen = {PLACES[(number * 5 + each * 7) % len(PLACES)] for each in range(second_places)}
        found += [Scenario(place, visit, answer, second) for second in sorted(chosen)]
    return found


class Deaths:
    """Kills the process at the first place, then at the second; counts what it passes."""

    def __init__(self, scenario: Scenario, outcome: Outcome) -> None:
        self._scenario, self._outcome = scenario, outcome
        self._left = scenario.visit

    def __call__(self, place: str) -> None:
        """Die here, or go on."""
        crashes, scenario = self._outcome.crashes, self._scenario
        self._outcome.seen[f"passed {place}"] += 1
        if crashes == 0 and place == scenario.place:
            self._left -= 1
            if self._left == 0:
                self._die(place)
        elif crashes == 1 and place == scenario.second:
            self._die(place)

    def _die(self, place: str) -> None:
        self._outcome.crashes += 1
        self._outcome.seen[f"died {place}"] += 1
        raise Killed(place)


def run(scenario: Scenario) -> Outcome:
    """Live through one scenario and return what it broke."""
    outcome = Outcome(scenario)
    with opened_world() as world:
        world.wanted.update({(symbol, at(clock)): way for (symbol, clock), way in WANTED.items()})
        world.answers = _answers(scenario.answer)
        world.restart()
        world.venue.watch = lambda intent: outcome.broken.extend(unfit(world, intent))
        failpoints.arm(Deaths(scenario, outcome))
        try:
            for step, clock in SCRIPT:
                _live(world, step, clock, outcome)
        finally:
            failpoints.arm(None)
        world.answers = lambda _intent: Answer.OK
        world.restart()
        outcome.broken += [*settled(world, at("15:10")), *Auditor().read(world)]
        outcome.broken += [*one_order_each(world), *never_short(world), *equal_books(world)]
        outcome.broken += [f"I5: {one.order.client_id} lives on after the halt" for one in world.venue.live()]
        _look(world, outcome.seen)
    return outcome


def _answers(answer: Answer) -> Any:
    asked: Counter[str] = Counter()

    def first_only(intent: Intent) -> Answer:
        asked[intent.id] += 1
        # What is late stays late: every copy of it travels on the same slow line.
        return answer if asked[intent.id] == 1 or answer is Answer.LATE else Answer.OK

    return first_only


def _live(world: World, step: str, clock: str, outcome: Outcome) -> None:
    """Take one step, again after every death; what cannot be done is left to the next step, as in life."""
    world.venue.to(at(clock))
    for _ in range(ATTEMPTS):
        try:
            take(world, step, clock)
        except Killed:
            world.restart()
        except MarketdayError as error:
            outcome.seen[f"failed {type(error).__name__}"] += 1
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            outcome.broken.append(f"{step} {clock}: {type(error).__name__}: {error}")
            return
        else:
            if step == "emergency-stop" and world.venue.live():
                outcome.broken.append("I5: an order is still open after everything was to be cancelled")
            return


def take(world: World, step: str, clock: str) -> None:
    """Do what a step of the script says."""
    if step == "halt":
        halt(world.desk.journal, "a person stops it", "tester", world.venue.now)
    elif step == "reconcile":
        world.reconcile()
    elif step == "emergency-stop":
        world.call(step, "a person stops it", False)
    else:
        world.call(step, at(clock), "test")


def _look(world: World, seen: Counter[str]) -> None:
    """Count what came about: a sweep in which nothing happens proves nothing."""
    seen["orders"] += len(world.venue.ours())
    seen["fills"] += len(world.venue.fills)
    for life in world.ledger.lives.values():
        seen[f"ended {life.state.value}"] += 1
        seen["sent again"] += life.sends > 1
        seen["cancels"] += life.cancel_requested
    seen["unknown"] += len(world.records(Kind.UNKNOWN))


def sweep(wanted: Sequence[Scenario], enough: int = 25) -> Found:
    """Live through scenarios and return what was found; end after ``enough`` violations."""
    found = Found()
    with one_process():
        for scenario in wanted:
            found.add(run(scenario))
            if len(found.violations) >= enough:
                break  # more of them say no more
    return found


def main(arguments: Sequence[str]) -> int:
    """Run one scenario, or the sweep, and say what broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sweep", description=__doc__)
    parser.add_argument("scenario", nargs="?", help="as a violation names it; all by default")
    parser.add_argument("--seconds", type=int, default=3, help="second deaths for each first")
    asked = parser.parse_args(arguments)
    wanted = [Scenario.parse(asked.scenario)] if asked.scenario else scenarios(asked.seconds)
    found = sweep(wanted)
    print(f"{found.scenarios} scenarios, {found.crashes} crashes, {len(found.violations)} violations")
    for name, count in sorted(found.seen.items()):
        print(f"  {name}: {count}")
    for violation in found.violations[:40]:
        print(f"  ✗ {violation}")
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
