"""How an order fills against a bar: scalar integer rules shared by the exchange and the simulator.

Prices are price units, quantities quantity units, volumes whole shares (see
:mod:`pipeline.domain.rules`). ``side`` is :data:`BUY` or :data:`SELL`. Every price is rounded
against the trader, to one price unit. ``0`` means "no fill". ``cost_ppm`` is half the spread
plus slippage, as a fraction of the price.
"""

from __future__ import annotations

BUY = 1
SELL = -1

_MILLION = 1_000_000
_QTY_PER_PPM_SHARE = 1_000
"""One millionth of a share, in quantity units."""


def market_fill_price(open_price: int, side: int, cost_ppm: int) -> int:
    """Return what a market order pays or gets at ``open_price``, costs included."""
    if side == BUY:
        return -(-open_price * (_MILLION + cost_ppm) // _MILLION)
    return open_price * (_MILLION - cost_ppm) // _MILLION


def limit_fill_price(open_price: int, extreme: int, limit: int, side: int, cost_ppm: int) -> int:
    """Return the fill price of a limit order in a bar, or 0 when the bar does not reach ``limit``.

    Args:
        open_price: the bar's open.
        extreme: the bar's most favourable price: its low for a buy, its high for a sell.
        limit: never crossed by the result.
        side: BUY or SELL.
        cost_ppm: paid when the open is already better than the limit, as far as the limit allows.
    """
    at_open = market_fill_price(open_price, side, cost_ppm)
    if side == BUY:
        if extreme > limit:
            return 0
        return at_open if at_open < limit else limit
    if extreme < limit:
        return 0
    return at_open if at_open > limit else limit


def stop_fill_price(open_price: int, extreme: int, stop: int, side: int, cost_ppm: int) -> int:
    """Return the fill price of a stop order in a bar, or 0 when the bar does not reach ``stop``.

    A bar that opens beyond the stop fills at its open: a stop does not protect against a gap.

    Args:
        open_price: the bar's open.
        extreme: the bar's most adverse price: its high for a buy, its low for a sell.
        stop: the trigger.
        side: BUY or SELL.
        cost_ppm: paid on top of the worse of open and stop.
    """
    if side == BUY:
        if extreme < stop:
            return 0
        return market_fill_price(open_price if open_price > stop else stop, side, cost_ppm)
    if extreme > stop:
        return 0
    return market_fill_price(open_price if open_price < stop else stop, side, cost_ppm)


def fill_quantity(remaining: int, bar_volume: int, participation_ppm: int, lot: int) -> int:
    """Return how much of ``remaining`` a bar of ``bar_volume`` shares can take, in multiples of ``lot``.

    An order never takes more than ``participation_ppm`` of the bar's volume; the last piece of
    an order may be smaller than a lot.
    """
    capacity = bar_volume * participation_ppm * _QTY_PER_PPM_SHARE
    if remaining <= capacity:
        return remaining
    return capacity - capacity % lot
