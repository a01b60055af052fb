"""Every check of a strategy in one report: causality, determinism, look-back, signals, speed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median_high

from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal, Strategy
from pipeline.errors import UsageError
from pipeline.strategies.causality import Answer, Rule, Violation, answers_of, check_causality

MOST_MICROSECONDS = 1_000
"""What a decision may take: 500 symbols then cost half a second of a tick."""

_TIMED = 2_000
"""Decisions that are timed, at most."""

_RULES = {
    "causality": (Rule.MEMORY,),
    "determinism": (Rule.CHANCE,),
    "lookback": (Rule.HISTORY,),
    "signals": (Rule.RAISED, Rule.SHAPE),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and the first row at which the promise is broken."""

    name: str
    passed: bool
    detail: str
    first: Violation | None = None


@dataclass(frozen=True, slots=True)
class StrategyReport:
    """What is known of a strategy after all checks.

    Attributes:
        decisions: rows at which it was asked; buys, sells: answers among them that want to trade.
        digest: fingerprint of all answers, equal wherever the same strategy sees the same bars.
    """

    lookback: int
    decisions: int
    buys: int
    sells: int
    digest: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether it may trade."""
        return all(check.passed for check in self.checks)


def check_strategy(
    build: Callable[[], Strategy],
    bars: Sequence[Bar],
    timer: Callable[[], int],
    most: int = MOST_MICROSECONDS,
) -> StrategyReport:
    """Return the report on what ``build`` makes, asked at every row of ``bars``.

    Args:
        build: makes the strategy anew, the same each time: two of them must agree.
        bars: of one symbol, oldest first.
        timer: nanoseconds that only ever grow, as ``time.perf_counter_ns``.
        most: microseconds that the median decision may take.

    Raises:
        UsageError: too few bars to ask it twice.
    """
    strategy = build()
    require_bars(strategy, bars)
    violations = check_causality(strategy, bars)
    fresh = build()  # the first one has seen the whole future by now
    answers = answers_of(fresh, bars)
    wishes = [answer.direction for answer in answers if isinstance(answer, Signal)]
    checks = [_judged(name, violations, len(answers)) for name in _RULES]
    if checks[1].passed:
        checks[1] = _check_twin(fresh, build(), bars, answers)
    checks.append(_check_speed(strategy, bars, timer, most))
    return StrategyReport(
        strategy.lookback, len(answers), wishes.count(1), wishes.count(-1), digest_of(answers), tuple(checks)
    )


def require_bars(strategy: Strategy, bars: Sequence[Bar]) -> None:
    """Raise UsageError when ``bars`` are too few to ask ``strategy`` at two rows."""
    if len(bars) <= strategy.lookback:
        raise UsageError(
            f"{len(bars):,} bars are too few: {strategy.name} looks back {strategy.lookback:,} bars and is "
            f"checked on at least {strategy.lookback + 1:,}; give a longer file, or shorter periods"
        )


def digest_of(answers: Sequence[Answer]) -> str:
    """Return the SHA-256 of all answers."""
    digest = hashlib.sha256()
    for answer in answers:
        digest.update(f"{answer!r}\n".encode())
    return digest.hexdigest()


def _judged(name: str, violations: Sequence[Violation], asked: int) -> Check:
    broken = [violation for violation in violations if violation.rule in _RULES[name]]
    if not broken:
        return Check(name, True, _KEPT[name])
    return Check(name, False, f"{broken[0].rule} (at {len(broken):,} of {asked:,} rows)", broken[0])


_KEPT = {
    "causality": "no answer changes once later bars were shown",
    "determinism": "the same bars give the same answer",
    "lookback": "older bars change nothing",
    "signals": "every answer is about the last bar, in integers",
}


def _check_twin(strategy: Strategy, twin: Strategy, bars: Sequence[Bar], answers: Sequence[Answer]) -> Check:
    """Compare two strategies that were built alike: they share nothing, not even a sequence of chances."""
    if twin.lookback != strategy.lookback:
        detail = f"two strategies built alike look back {strategy.lookback} and {twin.lookback} bars"
        return Check("determinism", False, detail)
    others, offset = answers_of(twin, bars), strategy.lookback - 1
    differing = [row for row, (one, two) in enumerate(zip(answers, others, strict=True)) if one != two]
    if not differing:
        return Check("determinism", True, _KEPT["determinism"])
    row = differing[0]
    first = Violation(row + offset, bars[row + offset].start, Rule.CHANCE, answers[row], others[row])
    detail = f"two strategies built alike disagree (at {len(differing):,} of {len(answers):,} rows)"
    return Check("determinism", False, detail, first)


def _check_speed(strategy: Strategy, bars: Sequence[Bar], timer: Callable[[], int], most: int) -> Check:
    lookback = strategy.lookback
    windows = [tuple(bars[end - lookback : end]) for end in range(lookback, len(bars) + 1)][-_TIMED:]
    taken = []
    for window in windows:
        begun = timer()
        answers_of(strategy, window)
        taken.append(timer() - begun)
    middle, worst = median_high(taken) / 1_000, max(taken) / 1_000
    detail = f"{middle:,.1f} µs a decision (median of {len(taken):,}; worst {worst:,.1f}; allowed {most:,})"
    return Check("speed", middle <= most, detail)
