"""What lint says, and what it may know besides the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.domain.market import Instrument
from pipeline.domain.risk import RiskLimits
from pipeline.settings.models.root import Settings

Severity = Literal["error", "warning", "info"]
"""error: it cannot work as written; warning: it does not do what it says; info: how it is read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something legal but wrong. ``code`` is stable, for machines and for documentation."""

    code: str
    keys: tuple[str, ...]
    message: str
    remedy: str
    severity: Severity = "warning"

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.message} ({', '.join(self.keys)}). {self.remedy}"


@dataclass(frozen=True, slots=True)
class LintFacts:
    """What is known about the market, the account and this installation. All of it is optional.

    Attributes:
        largest_gaps: by strategy name and symbol, the largest ``|fast/slow − 1|`` in the history, ppm.
        prices: by symbol, the latest price, price units.
        instruments: by symbol, as the broker describes it.
        equity: of the account, money units; the initial capital when None.
        notifiers: kinds of channel that this installation can deliver to, as in "slack"; None when not known.
    """

    largest_gaps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    equity: int | None = None
    notifiers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at."""

    settings: Settings
    limits: RiskLimits
    facts: LintFacts


def percent(ppm: int) -> str:
    """Return parts per million as people read them: 25_000 is "2.5 %"."""
    return f"{ppm / 10_000:.10g} %"


def dollars(money: int) -> str:
    """Return micro units as a plain amount: "1,000"."""
    return f"{money / 1_000_000:,.10g}"
