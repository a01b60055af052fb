"""Where a change of equity comes from, and what of it nobody can explain. Pure; money throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.domain.portfolio import Position

DEPOSIT, DIVIDEND, FEE, INTEREST, OTHER = "deposit", "dividend", "fee", "interest", "other"
DEPOSITS = frozenset({"CSD", "CSW", "JNLC", "ACATC"})
"""Activity kinds that move the owner's money: not profit, not loss."""
_FEES = frozenset({"FEE", "CFEE", "PTC"})


def source_of(kind: str) -> str:
    """Return what a broker's kind of activity is: deposit (or withdrawal), dividend, fee, interest or other.

    Source: Alpaca, "Account Activities", types of non-trade activities.
    """
    if kind in DEPOSITS:
        return DEPOSIT
    if kind in _FEES:
        return FEE
    if kind.startswith("DIV"):
        return DIVIDEND
    return INTEREST if kind.startswith("INT") else OTHER


@dataclass(frozen=True, slots=True)
class Tally:
    """What moved equity since the session's baseline, as it was booked.

    Attributes:
        start_unrealized: profit not yet taken when the session began, everything that is held counted.
        realized: taken by our own executions; external: taken by executions that are not ours.
        balanced: money that a person set the ledger to without anybody knowing where it came from.
    """

    start_unrealized: int = 0
    realized: int = 0
    external: int = 0
    deposit: int = 0
    dividend: int = 0
    fee: int = 0
    interest: int = 0
    other: int = 0
    balanced: int = 0

    def plus(self, source: str, amount: int) -> Tally:
        """Return the tally with ``amount`` more under one of its names."""
        return replace(self, **{source: getattr(self, source) + amount})


@dataclass(frozen=True, slots=True)
class Explained:
    """The change of equity since the session's baseline, deposits and withdrawals left out, by source."""

    realized: int
    unrealized: int
    external: int
    dividends: int
    fees: int
    interest: int
    other: int

    @property
    def total(self) -> int:
        """All of it."""
        own = self.realized + self.unrealized + self.external
        return own + self.dividends + self.fees + self.interest + self.other


@dataclass(frozen=True, slots=True)
class Explanation:
    """A session's change of equity as a reconciliation found it.

    Attributes:
        equity: the broker's; change: since the session's baseline, deposits left out.
        deposits: of the session, withdrawals negative.
        residual: what of the change nothing explains.
    """

    equity: int
    change: int
    explained: Explained
    deposits: int
    residual: int


def unrealized(held: Mapping[str, Position], prices: Mapping[str, int]) -> int:
    """Return the profit not yet taken; a holding without a price counts as worth what it cost."""
    return sum(one.unrealized(prices[symbol]) for symbol, one in held.items() if symbol in prices)


def explain(tally: Tally, unrealized_now: int, external_now: int) -> Explained:
    """Return what explains a change of equity.

    Args:
        unrealized_now: profit not yet taken of our own holdings.
        external_now: profit not yet taken of holdings that are not ours.
    """
    return Explained(
        realized=tally.realized,
        unrealized=unrealized_now - tally.start_unrealized,
        external=tally.external + external_now,
        dividends=tally.dividend,
        fees=tally.fee,
        interest=tally.interest,
        other=tally.other,
    )


def residual(equity: int, day_equity: int, explained: Explained) -> int:
    """Return the part of a change of equity that nothing explains.

    Args:
        day_equity: the session's baseline, deposits and withdrawals since then already in it.
    """
    return equity - day_equity - explained.total
