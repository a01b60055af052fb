"""Which trading state the account's condition asks for: one ladder, the worst condition decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain.ledger import Baseline
from pipeline.domain.risk import Breach, Ladder
from pipeline.domain.rules.limits import crossed, fraction, rung
from pipeline.domain.rules.sizing import share
from pipeline.domain.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class Condition:
    """One reason for a state, with the limit that asks for it."""

    state: TradingState
    reason: str
    breach: Breach | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What the ladder looks at: equity in money, silence of the broker in seconds."""

    equity: int
    baseline: Baseline
    silence_seconds: int = 0
    failures: int = 0


FINE = Condition(TradingState.NORMAL, "every limit is kept")


def assess(health: Health, ladder: Ladder) -> Condition:
    """Return the strictest condition in force; the first named wins among equals."""
    return max(_conditions(health, ladder), key=lambda condition: condition.state, default=FINE)


def _conditions(health: Health, ladder: Ladder) -> Iterator[Condition]:
    yield from _drawdown(health, ladder)
    base = health.baseline
    yield from _loss(
        "daily loss",
        base.day_equity - health.equity,
        base.day_equity,
        (ladder.cautious_daily_loss, ladder.reducing_daily_loss, ladder.halted_daily_loss),
    )
    yield from _loss(
        "monthly loss",
        base.month_equity - health.equity,
        base.month_equity,
        (None, ladder.reducing_monthly_loss, None),
    )
    yield from _silence(health, ladder)


def _drawdown(health: Health, ladder: Ladder) -> Iterator[Condition]:
    peak = health.baseline.peak_equity
    loss = peak - health.equity
    if crossed(loss, peak, ladder.liquidating_drawdown or 0):
        yield _condition(TradingState.LIQUIDATING, "drawdown", loss, peak, ladder.liquidating_drawdown or 0)
    rungs = (ladder.cautious_drawdown, ladder.reducing_drawdown, ladder.halted_drawdown)
    yield from _loss("drawdown", loss, peak, rungs)


def _loss(
    name: str, loss: int, base: int, rungs: tuple[int | None, int | None, int | None]
) -> Iterator[Condition]:
    cautious, reducing, halted = (limit or 0 for limit in rungs)
    state = rung(loss, base, cautious, reducing, halted)
    if state:
        yield _condition(TradingState(state), name, loss, base, (cautious, reducing, halted)[state - 1])


def _condition(state: TradingState, name: str, loss: int, base: int, limit: int) -> Condition:
    actual = fraction(loss, base)
    reason = f"{name} {actual / 10_000:.2f} % reached its limit of {limit / 10_000:.2f} %"
    return Condition(state, reason, Breach(name.replace(" ", "_"), limit, actual, "ppm"))


def _silence(health: Health, ladder: Ladder) -> Iterator[Condition]:
    silence = health.silence_seconds
    if health.failures >= ladder.halted_connectivity_failures > 0:
        allowed = ladder.halted_connectivity_failures
        yield Condition(
            TradingState.HALTED,
            f"{health.failures} connectivity checks failed in a row (limit {allowed})",
            Breach("connectivity_failures", allowed, health.failures, "count"),
        )
    for state, allowed in (
        (TradingState.HALTED, ladder.halted_silence_seconds),
        (TradingState.REDUCING, ladder.reducing_silence_seconds),
    ):
        if silence > allowed:
            yield Condition(
                state,
                f"the broker has been silent for {silence} s (limit {allowed} s)",
                Breach("broker_silence", allowed, silence, "seconds"),
            )
            return


def size_factor(state: TradingState, resumed_sessions: int | None, ladder: Ladder) -> int:
    """Return the fraction (ppm) of full size in which entries are made now.

    After a resume it grows with each session, as ``ladder.resume_ramp`` says; CAUTIOUS reduces it further.
    """
    ramp = 1_000_000
    if resumed_sessions is not None and ladder.resume_ramp:
        ramp = ladder.resume_ramp[min(resumed_sessions, len(ladder.resume_ramp) - 1)]
    return share(ramp, ladder.cautious_size) if state is TradingState.CAUTIOUS else ramp
