"""Lint of the risk ladder: rungs out of order, rungs set twice, and how the sections are read together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import pairwise

from pipeline.domain.money import to_ppm
from pipeline.domain.risk import Ladder
from pipeline.settings.effective import LimitSource, limit_sources
from pipeline.settings.findings import Case, Finding, dollars, percent

_RUNGS = {
    "drawdown": ("cautious_drawdown", "reducing_drawdown", "halted_drawdown", "liquidating_drawdown"),
    "daily loss": ("cautious_daily_loss", "reducing_daily_loss", "halted_daily_loss"),
    "broker silence": ("reducing_silence_seconds", "halted_silence_seconds"),
}
_LADDER = frozenset(field.name for field in fields(Ladder))


def _rungs_explained(case: Case) -> Iterator[Finding]:
    rungs = case.limits.ladder
    steps = (
        (rungs.cautious_daily_loss, rungs.reducing_daily_loss, rungs.halted_daily_loss),
        (rungs.cautious_drawdown, rungs.reducing_drawdown, rungs.halted_drawdown, rungs.liquidating_drawdown),
    )
    daily, drawdown = (" / ".join("off" if step is None else percent(step) for step in row) for row in steps)
    yield Finding(
        "one_ladder",
        ("risk_management", "monitoring.risk_monitoring", "emergency_procedures.automatic_stops"),
        f"losses are one ladder: daily loss {daily} (smaller size / exits only / halt), drawdown {drawdown} "
        "(smaller size / exits only / halt / sell everything)",
        "`marketday config show` prints it",
        "info",
    )


def _ladder_order(case: Case) -> Iterator[Finding]:
    keys = {source.limit: source.key for source in limit_sources(case.settings)}
    for what, rungs in _RUNGS.items():
        values = [(rung, value) for rung in rungs if (value := getattr(case.limits.ladder, rung)) is not None]
        for (milder, low), (stricter, high) in pairwise(values):
            if low >= high:
                yield Finding(
                    "ladder_order",
                    (keys.get(milder, f"default {milder}"), keys.get(stricter, f"default {stricter}")),
                    f"{what}: {milder} at {_amount(milder, low)} is not below {stricter} at "
                    f"{_amount(stricter, high)}, so that the milder step is never in force",
                    "let the numbers rise from warning to stop",
                )


def _same_limit_twice(case: Case) -> Iterator[Finding]:
    by_limit: dict[str, list[LimitSource]] = {}
    for source in limit_sources(case.settings):
        by_limit.setdefault(source.limit, []).append(source)
    for limit, sources in by_limit.items():
        if len({source.value for source in sources}) > 1:
            holder = case.limits.ladder if limit in _LADDER else case.limits
            said = ", ".join(_amount(limit, source.value) for source in sources)
            yield Finding(
                "same_limit_twice",
                tuple(source.key for source in sources),
                f"{limit} is set to {said}; {_amount(limit, getattr(holder, limit))} holds, the strictest",
                "set it once, or to the same number",
                "warning"
                if len({source.value for source in sources if not _is_stage(source)}) > 1
                else "info",
            )


def _is_stage(source: LimitSource) -> bool:
    return source.key.startswith("deployment.")


def _amount(limit: str, value: int) -> str:
    if limit.endswith("_seconds"):
        return f"{value} s"
    if limit == "max_position_money":
        return dollars(value)
    is_count = limit in ("max_positions", "max_holding_days", "halted_connectivity_failures")
    return str(value) if is_count else percent(value)


def _two_silences(case: Case) -> Iterator[Finding]:
    keys = {source.limit: source.key for source in limit_sources(case.settings)}
    if {"reducing_silence_seconds", "halted_silence_seconds"} <= keys.keys():
        rungs = case.limits.ladder
        yield Finding(
            "two_silences",
            (keys["reducing_silence_seconds"], keys["halted_silence_seconds"]),
            f"a silent broker is timed twice: after {rungs.reducing_silence_seconds} s no new orders, "
            f"after {rungs.halted_silence_seconds} s the emergency stop",
            "nothing to do when that is what you mean",
            "info",
        )


def _liquidation(case: Case) -> Iterator[Finding]:
    stops = case.settings.emergency_procedures.automatic_stops
    sell = case.limits.ladder.liquidating_drawdown
    halts = [trigger.drawdown_limit for trigger in stops.triggers if trigger.drawdown_limit is not None]
    if sell is None or "reduce_position_sizes" not in stops.actions or not halts:
        return
    if sell <= max(to_ppm(halt) for halt in halts):
        yield Finding(
            "liquidation_wins",
            (
                "emergency_procedures.automatic_stops.actions",
                "risk_management.emergency_controls.auto_liquidation_drawdown",
            ),
            f"at {percent(sell)} drawdown one section reduces sizes and another sells all; selling wins",
            "remove auto_liquidation_drawdown when positions should be kept",
        )


def _criteria(case: Case) -> Iterator[Finding]:
    halted = case.limits.ladder.halted_drawdown
    criteria = {
        "validation.success_criteria.max_drawdown": case.settings.validation.success_criteria.max_drawdown,
        "deployment.scaling_criteria.max_drawdown": case.settings.deployment.scaling_criteria.max_drawdown,
    }
    for key, value in criteria.items():
        if value is not None and halted is not None and to_ppm(value) > halted:
            yield Finding(
                "criterion_never_decides",
                (key, "risk_management.portfolio_controls.max_drawdown_pct"),
                f"trading halts at {percent(halted)} drawdown, so that a criterion of "
                f"{percent(to_ppm(value))} is always met",
                "set the criterion below the halt",
            )


LADDER_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _rungs_explained,
    _ladder_order,
    _same_limit_twice,
    _two_silences,
    _liquidation,
    _criteria,
)
