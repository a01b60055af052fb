"""How the broker behaves just now: account and asset flags, how cancels go, what the clock says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.exchange.config import SymbolProfile
from pipeline.exchange.orders import Order, Refused, Ticket, forbidden, invalid

NORMAL, STUCK, FILLED, REFUSED = CANCEL_MODES = ("normal", "stuck", "filled", "refused")


@dataclass(frozen=True, slots=True)
class CancelMode:
    """How cancels are carried out.

    Attributes:
        delay: microseconds until a stuck one is done, 0 for never.
        left: how many it still concerns, 0 for all.
        symbol: only its orders; empty for all.
    """

    mode: str = NORMAL
    delay: int = 0
    left: int = 0
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class AccountFlags:
    """What stands in the account's way.

    Attributes:
        closing_only: buys are refused.
        buying_power_cap: micro units of money; None for none.
    """

    status: str = "ACTIVE"
    account_blocked: bool = False
    trading_blocked: bool = False
    transfers_blocked: bool = False
    trade_suspended_by_user: bool = False
    closing_only: bool = False
    buying_power_cap: int | None = None


@dataclass(frozen=True, slots=True)
class ClockView:
    """What the clock says: off by ``skew`` microseconds, open or not whatever is true."""

    skew: int = 0
    is_open: bool | None = None


@dataclass(slots=True)
class Conditions:
    """All of it; ``assets`` holds what differs from a symbol's profile."""

    account: AccountFlags = AccountFlags()
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancels: CancelMode = CancelMode()
    clock: ClockView = ClockView()

    def check(self, ticket: Ticket) -> None:
        """Refuse an order that the account or the asset does not admit. Raises Refused."""
        flags = self.account
        if flags.account_blocked or flags.trading_blocked:
            raise forbidden("new orders are rejected: the account is blocked from trading")
        if flags.trade_suspended_by_user:
            raise forbidden("new orders are rejected by user request")
        if flags.closing_only and ticket.buys:
            raise forbidden("account is restricted to liquidation only")
        asset = self.assets.get(ticket.symbol, {})
        if asset.get("status", "active") != "active":
            raise invalid(f'asset "{ticket.symbol}" is not active')
        if not asset.get("tradable", True):
            raise invalid(f'asset "{ticket.symbol}" is not tradable')

    def fractionable(self, profile: SymbolProfile) -> bool:
        """Tell whether orders may be in fractions of a share."""
        return bool(self.assets.get(profile.symbol, {}).get("fractionable", profile.fractionable))

    def capped(self, buying_power: int) -> int:
        """Return the buying power as far as it may be used."""
        cap = self.account.buying_power_cap
        return buying_power if cap is None else min(buying_power, cap)

    def take_cancel(self, order: Order) -> CancelMode:
        """Return how this cancel goes, and count it."""
        mode = self.cancels
        if mode.symbol not in ("", order.ticket.symbol):
            return CancelMode()
        if mode.left == 1:
            self.cancels = CancelMode()
        elif mode.left:
            self.cancels = replace(mode, left=mode.left - 1)
        return mode


def cannot_cancel() -> Refused:
    """Return the answer to a cancel that fails at the broker."""
    return Refused(500, 50010000, "internal server error occurred")
