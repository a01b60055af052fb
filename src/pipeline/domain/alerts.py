"""What people are told, and how urgently."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How urgent an alert is. CRITICAL cannot be switched off or throttled."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to people.

    Attributes:
        id: the same event always has the same id, so that it is told once.
        event: a stable name, as in "position_opened", "daily_loss_limit_reached".
        title: what happened, at most 150 characters.
        text: one sentence: what happened and what the system already did.
        fields: name and value with its limit, at most ten.
        mode: "SIM", "PAPER" or "LIVE".
    """

    id: str
    event: str
    severity: Severity
    title: str
    text: str
    at: datetime
    mode: str
    fields: tuple[tuple[str, str], ...] = ()
