from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.money import notional
from pipeline.domain.orders import Fill, Side
from pipeline.domain.portfolio import Booking, Position, apply_fill, cash_of, gross_exposure
from tests.unit.domain.making import SHARE, T0

USD = 1_000_000


def execution(side: Side, shares: float, price: float, minute: int = 0) -> Fill:
    quantity, at = round(shares * SHARE), T0 + timedelta(minutes=minute)
    return Fill(f"f{minute}", "o", "", "SPY", side, quantity, round(price * 10_000), at)


def booked(fills: list[Fill]) -> tuple[Position | None, int, int]:
    """Return the position, the profit realized and the change in cash."""
    position, realized, cash = None, 0, 0
    for fill in fills:
        booking = apply_fill(position, fill)
        position, realized, cash = booking.position, realized + booking.realized, cash + cash_of(fill)
    return position, realized, cash


def test_buying_twice_averages_and_selling_a_part_takes_out_its_share() -> None:
    """100 at 10, 50 at 13: cost 1,650, average 11. Sell 60 at 12: realize 60 · (12 - 11) = 60 USD."""
    position, realized, cash = booked(
        [execution(Side.BUY, 100, 10), execution(Side.BUY, 50, 13, 1), execution(Side.SELL, 60, 12, 2)]
    )

    assert position == Position("SPY", 90 * SHARE, 990 * USD, T0)
    assert position.average_price == 110_000
    assert (realized, cash) == (60 * USD, -930 * USD)
    assert position.unrealized(120_000) == 90 * USD


def test_a_short_gains_when_the_price_falls() -> None:
    """Sell 100 at 50, cover 40 at 45: realize 200 USD; 60 short stay, worth 300 USD of profit at 45."""
    position, realized, cash = booked([execution(Side.SELL, 100, 50), execution(Side.BUY, 40, 45, 1)])

    assert position == Position("SPY", -60 * SHARE, -3_000 * USD, T0)
    assert (realized, cash) == (200 * USD, 3_200 * USD)
    assert (position.unrealized(450_000), position.average_price) == (300 * USD, 500_000)


def test_a_fill_through_zero_closes_the_old_position_and_opens_a_new_one() -> None:
    """Long 100 at 10, sell 150 at 12: realize 200 USD; short 50 at 12, opened by that fill."""
    position, realized, _ = booked([execution(Side.BUY, 100, 10), execution(Side.SELL, 150, 12, 7)])

    assert position == Position("SPY", -50 * SHARE, -600 * USD, T0 + timedelta(minutes=7))
    assert realized == 200 * USD


@pytest.mark.parametrize("direction", [1, -1])
def test_the_cost_of_a_part_is_rounded_towards_zero(direction: int) -> None:
    """A third of 100 micro is 33, long or short."""
    side = Side.SELL if direction > 0 else Side.BUY
    fill = Fill("f", "o", "", "SPY", side, 1, 1, T0)
    booking = apply_fill(Position("SPY", 3 * direction, 100 * direction, T0), fill)

    assert booking == Booking(Position("SPY", 2 * direction, 67 * direction, T0), -33 * direction)


def test_flat_is_absent() -> None:
    assert apply_fill(Position("SPY", SHARE, 10 * USD, T0), execution(Side.SELL, 1, 9)) == Booking(None, -USD)


def test_gross_exposure_adds_longs_and_shorts() -> None:
    positions = {"SPY": Position("SPY", SHARE, 1, T0), "QQQ": Position("QQQ", -2 * SHARE, -1, T0)}

    assert gross_exposure(positions, {"SPY": 6_712_000, "QQQ": 5_000_000}) == 1_671_200_000


prices = st.integers(1, 10**8)
fills = st.lists(
    st.builds(
        Fill,
        st.just("f"),
        st.just("o"),
        st.just(""),
        st.just("SPY"),
        st.sampled_from(Side),
        st.integers(1, 10**13),
        prices,
        st.just(T0),
    ),
    max_size=12,
)


@given(fills=fills, mark=prices)
def test_profit_is_what_cash_and_positions_say_it_is(fills: list[Fill], mark: int) -> None:
    """Realized + unrealized = change in cash + market value; a crossing of zero may round by one micro."""
    position, realized, cash = booked(fills)
    value = position.value(mark) if position else 0
    unrealized = position.unrealized(mark) if position else 0

    assert abs(realized + unrealized - (cash + value)) <= len(fills)
    assert (position.quantity if position else 0) == sum(fill.signed_quantity for fill in fills)


@given(fills=fills)
def test_without_a_crossing_cash_and_cost_account_for_every_micro(fills: list[Fill]) -> None:
    position, realized, cash = None, 0, 0
    for fill in fills:
        crosses = position is not None and abs(fill.quantity) > abs(position.quantity)
        if crosses and (position.quantity > 0) != (fill.signed_quantity > 0):
            continue
        booking = apply_fill(position, fill)
        position, realized, cash = booking.position, realized + booking.realized, cash + cash_of(fill)
        held = position.cost if position else 0
        assert cash + held == realized
        assert position is None or (position.cost >= 0) == (position.quantity > 0) or position.cost == 0


@given(start=st.integers(-(10**13), 10**13), fill=fills.filter(bool))
def test_a_fill_at_the_mark_never_changes_equity(start: int, fill: list[Fill]) -> None:
    """Money only changes form, to within one micro of rounding per notional."""
    first = fill[0]
    before = Position("SPY", start, notional(first.price, start), T0) if start else None
    after = apply_fill(before, first).position
    equity_before = before.value(first.price) if before else 0
    equity_after = cash_of(first) + (after.value(first.price) if after else 0)

    assert equity_after == pytest.approx(equity_before, rel=0, abs=1)
