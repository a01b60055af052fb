"""What a fill costs besides its price."""

from __future__ import annotations

_MILLION = 1_000_000
_SHARE = 1_000_000_000


def fee(notional_micro: int, qty: int, sell: bool, per_share: int, sell_ppm: int) -> int:
    """Return the fee of one fill in micro units of money, each part rounded up.

    Args:
        notional_micro: price times quantity, positive.
        qty: shares filled, in quantity units, positive.
        sell: whether the fill sells: only sells pay ``sell_ppm``.
        per_share: commission per share, in micro units of money.
        sell_ppm: regulatory fee as a fraction of the notional (SEC section 31), parts per million.
    """
    commission = -(-qty * per_share // _SHARE)
    regulatory = -(-notional_micro * sell_ppm // _MILLION) if sell else 0
    return commission + regulatory
