"""Corporate actions: what happens to a holding without a trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CorporateKind(StrEnum):
    """What happened. Only a split can be booked by arithmetic; the others need a person."""

    SPLIT = "split"
    SYMBOL_CHANGE = "symbol_change"
    SPIN_OFF = "spin_off"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """One corporate action of a symbol, as the broker booked it.

    Attributes:
        id: the broker's; the same id is the same action.
        numerator, denominator: new shares for old ones, without a common divisor: 2 and 1 for a 2:1 split,
            1 and 8 for a reverse one; both 0 when the broker does not tell.
        at: when it took effect, UTC; midnight where only the day is told.
        description: for people: names, other symbols.
    """

    id: str
    kind: CorporateKind
    symbol: str
    numerator: int
    denominator: int
    at: datetime
    description: str = ""

    @property
    def rescales(self) -> bool:
        """Whether it is a split whose ratio is known: positions may be rescaled by it."""
        return self.kind is CorporateKind.SPLIT and self.numerator > 0 and self.denominator > 0


@dataclass(frozen=True, slots=True)
class Split:
    """Shares counted anew, as the ledger booked it: ``numerator`` new ones for ``denominator`` old ones.

    ``activity_id`` is the broker's: the same id is booked once. ``at``: from when on, UTC.
    """

    activity_id: str
    symbol: str
    numerator: int
    denominator: int
    at: datetime
