"""What a step found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.operations.desk import Desk
from pipeline.operations.passes import Pass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one step, with its evidence in one sentence, numbers included."""

    outcome: str
    evidence: str
    details: dict[str, int | str] = field(default_factory=dict)


Step = Callable[[Desk, Pass], Finding]


def ok(evidence: str, **details: int | str) -> Finding:
    """Return a finding that nothing is wrong."""
    return Finding(OK, evidence, details)


def warn(evidence: str, **details: int | str) -> Finding:
    """Return a finding that a person should see, and that stops nothing."""
    return Finding(WARN, evidence, details)


def fail(evidence: str, **details: int | str) -> Finding:
    """Return a finding that stops what depends on this step."""
    return Finding(FAIL, evidence, details)
