"""Whether one order fills against one bar, and at what price. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.rules.fills import (
    fill_quantity,
    limit_fill_price,
    market_fill_price,
    stop_fill_price,
)
from pipeline.exchange.bars import Minute
from pipeline.exchange.orders import Order

SHARE = 1_000_000_000
"""Bars fill orders in whole shares; only the last piece of a fractional order is smaller."""


@dataclass(frozen=True, slots=True)
class Match:
    """Outcome for one order: ``price`` 0 is no fill; ``triggered`` is a stop whose price was reached."""

    price: int
    triggered: bool = False


def match_at_open(order: Order, bar: Minute, cost_ppm: int) -> Match:
    """Return what happens to the order at the bar's first trade."""
    return _match(order, Minute(bar.open, bar.open, bar.open, bar.open, bar.volume), cost_ppm, at_open=True)


def match_in_bar(order: Order, bar: Minute, cost_ppm: int) -> Match:
    """Return what happens to the order in the rest of the bar: limits and stops the range reaches."""
    return _match(order, bar, cost_ppm, at_open=False)


def _match(order: Order, bar: Minute, cost_ppm: int, *, at_open: bool) -> Match:
    ticket, side = order.ticket, order.ticket.side
    best, worst = (bar.low, bar.high) if ticket.buys else (bar.high, bar.low)
    if ticket.kind == "market" or (ticket.kind == "stop" and order.triggered):
        return Match(market_fill_price(bar.open, side, cost_ppm) if at_open else 0)
    if ticket.kind == "limit" or order.triggered:
        return Match(limit_fill_price(bar.open, best, ticket.limit, side, cost_ppm))
    price = stop_fill_price(bar.open, worst, ticket.stop, side, cost_ppm)
    if ticket.kind == "stop" or not price:
        return Match(price, triggered=price > 0)
    # A stop-limit reached inside a bar rests as a limit from the next bar on: what traded
    # between the trigger and the bar's end is not known.
    limited = limit_fill_price(bar.open, best, ticket.limit, side, cost_ppm) if at_open else 0
    return Match(limited, triggered=True)


def match_quantity(order: Order, bar: Minute, participation_ppm: int, taken: int) -> int:
    """Return how much of the order the bar fills, of which the account already has ``taken``."""
    reach = fill_quantity(order.remaining + taken, bar.volume, participation_ppm, SHARE)
    qty = max(reach - taken, 0)
    return qty if qty == order.remaining else qty - qty % SHARE
