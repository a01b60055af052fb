"""A measured claim, and the table in which all of them are printed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """What must hold: ``at most`` or ``at least`` a number. ``loose`` multiplies what is allowed."""

    word: str
    number: float

    def met(self, value: float, loose: float = 1.0) -> bool:
        """Tell whether ``value`` meets it."""
        if self.word == "at most":
            return value <= self.number * loose
        return value >= self.number / loose

    def __str__(self) -> str:
        return f"{'≤' if self.word == 'at most' else '≥'} {self.number:g}"


def at_most(number: float) -> Target:
    """Return the target of something that should be small."""
    return Target("at most", number)


def at_least(number: float) -> Target:
    """Return the target of something that should be large."""
    return Target("at least", number)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results.

    Attributes:
        what: what was measured.
        ours: our number; other: the number it is compared with, None when the claim is absolute.
        unit: of both; ``other_name`` says what the other number is.
        value: what the target is about: a ratio of the two, or our number.
        target: None for a line that only explains.
        met: whether the target is met, None without one.
    """

    what: str
    ours: float
    unit: str
    other: float | None = None
    other_name: str = ""
    value: float | None = None
    target: Target | None = None
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """How thoroughly to measure. A quick run is a check that the benchmark works; its targets are loose."""

    quick: bool

    @property
    def loose(self) -> float:
        """By how much a target may be missed."""
        return 3.0 if self.quick else 1.0

    def pick(self, quick: int, full: int) -> int:
        """Return a count for this scale."""
        return quick if self.quick else full

    def versus(self, what: str, ours: float, other: float, unit: str, claim: tuple[str, Target]) -> Row:
        """Return the row of a ratio; ``claim`` is the other's name and the target.

        The ratio is ours to theirs when it should be small, theirs to ours when it should be large.
        """
        name, target = claim
        ratio = ours / other if target.word == "at most" else other / ours
        return Row(what, ours, unit, other, name, ratio, target, target.met(ratio, self.loose))

    def absolute(self, what: str, ours: float, unit: str, target: Target) -> Row:
        """Return the row of a number that must hold by itself."""
        return Row(what, ours, unit, None, "", ours, target, target.met(ours, self.loose))

    @staticmethod
    def exact(what: str, found: int, unit: str, wanted: int = 0) -> Row:
        """Return the row of a count that must be exactly ``wanted``, however quick the run."""
        return Row(what, found, unit, None, "", found, Target("at most", wanted), found == wanted)


def note(what: str, ours: float, unit: str, other: float | None = None, name: str = "") -> Row:
    """Return a row that explains and claims nothing; its ratio is the larger number to the smaller one."""
    ratio = max(ours, other) / min(ours, other) if other else None
    return Row(what, ours, unit, other, name, ratio)


def show(title: str, rows: Sequence[Row], console: Console) -> None:
    """Print the rows of one benchmark, and how busy the machine is."""
    console.print(title, style="bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("what", "ours", "beside", "", "ratio", "target", ""):
        table.add_column(heading, justify="left" if heading in ("what", "") else "right")
    for row in rows:
        other = "" if row.other is None else f"{_number(row.other)} {row.unit}"
        ratio = "" if row.other is None or row.value is None else f"{row.value:.2f}×"
        verdict = {True: "[green]met[/green]", False: "[red]MISSED[/red]", None: ""}[row.met]
        target = "" if row.target is None else str(row.target)
        ours = f"{_number(row.ours)} {row.unit}"
        table.add_row(row.what, ours, other, row.other_name, ratio, target, verdict)
    console.print(table)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    console.print(f"load average {load} on {os.cpu_count()} processors\n", style="dim")


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"
