"""What every broker promises (``pipeline.ports.Broker``), asked of a real account on each.

The account is shared, so each test compares with what it found and leaves the account flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from pipeline.domain.money import QTY_SCALE
from pipeline.domain.orders import IntentState, Order, Side
from pipeline.domain.portfolio import cash_of
from pipeline.errors import BrokerRefused, BrokerUnavailable, OrderRejected
from tests.contract.desks import Desk

FRACTION = 297_947_332
"""0.297947332 share: all nine decimals."""


@pytest.fixture(autouse=True)
def a_flat_account(desk: Desk) -> Iterator[None]:
    """Start each test at an instant of its own, for new ids, and leave it flat and without open orders."""
    desk.pass_minutes(1)
    yield
    for order in desk.broker.fetch_open_orders():
        desk.broker.cancel(order.id)
    for leg, held in enumerate(desk.broker.fetch_positions()):
        assert held.available == held.quantity
        desk.broker.submit(desk.an_intent(Side.SELL, held.symbol, held.available, leg=100 + leg))
    while desk.broker.fetch_open_orders():
        desk.pass_minutes(1)


def bought(desk: Desk, symbol: str, quantity: int) -> Order:
    """Buy, let two bars pass, and return the order as it is then."""
    order = desk.broker.submit(desk.an_intent(Side.BUY, symbol, quantity))
    desk.pass_minutes(2)
    found = desk.broker.fetch_order(order.client_id)
    assert found is not None
    return found


def test_an_order_is_acknowledged_under_our_id_and_found_by_it(desk: Desk) -> None:
    intent = desk.an_intent(Side.BUY, desk.liquid, FRACTION)
    order = desk.broker.submit(intent)

    assert (order.client_id, order.symbol, order.side, order.quantity, order.filled) == (
        intent.id,
        desk.liquid,
        Side.BUY,
        FRACTION,
        0,
    )
    assert order.state is IntentState.ACKED
    assert desk.broker.fetch_order(intent.id) == order
    assert desk.broker.fetch_open_orders() == (order,)


def test_sending_the_same_id_again_changes_nothing_while_live_or_filled(desk: Desk) -> None:
    """Again while it is open, and again after it was filled: one order, bought once."""
    before = desk.clock.now()
    intent = desk.an_intent(Side.BUY, desk.liquid, FRACTION)
    first = desk.broker.submit(intent)
    assert desk.broker.submit(intent).id == first.id
    desk.pass_minutes(2)
    again = desk.broker.submit(intent)

    assert (again.id, again.state, again.filled) == (first.id, IntentState.FILLED, FRACTION)
    assert [order.id for order in desk.broker.fetch_orders(before)] == [first.id]
    assert [held.quantity for held in desk.broker.fetch_positions()] == [FRACTION]


def test_the_id_of_a_cancelled_order_is_taken_for_ever(desk: Desk) -> None:
    intent = desk.an_intent(Side.BUY, desk.liquid, FRACTION)
    desk.broker.cancel(desk.broker.submit(intent).id)

    assert desk.broker.submit(intent).state is IntentState.CANCELLED
    assert desk.broker.fetch_open_orders() == ()


def test_an_id_that_nobody_has_used_is_none(desk: Desk) -> None:
    assert desk.broker.fetch_order("md1-nobodyhaseverusedthisone") is None


def test_fills_are_joined_by_order_and_add_up_to_the_order_and_the_position(desk: Desk) -> None:
    since = desk.clock.now()
    order = bought(desk, desk.liquid, 3 * QTY_SCALE + FRACTION)
    fills = [fill for fill in desk.broker.fetch_fills(since) if fill.order_id == order.id]
    held = {position.symbol: position for position in desk.broker.fetch_positions()}

    assert order.state is IntentState.FILLED
    assert sum(fill.quantity for fill in fills) == order.filled == order.quantity
    assert held[desk.liquid].quantity == held[desk.liquid].available == order.quantity
    assert {fill.symbol for fill in fills} == {desk.liquid}
    assert all(fill.at >= since for fill in fills)
    assert desk.broker.fetch_fills(desk.clock.now() + timedelta(seconds=1)) == ()


def test_a_thin_market_fills_in_part_and_a_cancel_keeps_that_part(desk: Desk) -> None:
    """Cancelling once more, and cancelling a filled order, are no errors."""
    order = bought(desk, desk.thin, 500 * QTY_SCALE)
    assert order.state is IntentState.PARTIAL
    assert 0 < order.filled < order.quantity

    desk.broker.cancel(order.id)
    desk.broker.cancel(order.id)
    ended = desk.broker.fetch_order(order.client_id)
    assert ended is not None
    assert (ended.state, ended.filled) == (IntentState.CANCELLED, order.filled)

    filled = bought(desk, desk.liquid, FRACTION)
    desk.broker.cancel(filled.id)
    assert desk.broker.fetch_order(filled.client_id) == filled


def test_a_cancel_of_everything_leaves_nothing_open_and_names_what_it_could_not_cancel(desk: Desk) -> None:
    """Two open orders and one that was filled; once more with nothing open is no error."""
    filled = bought(desk, desk.liquid, FRACTION)
    for leg, quantity in enumerate((QTY_SCALE, 2 * QTY_SCALE)):
        desk.broker.submit(desk.an_intent(Side.BUY, desk.thin, quantity, leg=leg))

    assert desk.broker.cancel_all() == {}
    desk.pass_minutes(1)
    assert desk.broker.fetch_open_orders() == ()
    assert desk.broker.cancel_all() == {}
    assert desk.broker.fetch_order(filled.client_id) == filled


def test_no_corporate_action_is_an_empty_answer(desk: Desk) -> None:
    assert desk.broker.fetch_corporate_actions(desk.clock.now().date()) == ()


def test_an_order_that_cannot_be_is_refused_and_nothing_is_held_under_its_id(desk: Desk) -> None:
    """More than the account can pay, more than it holds, a symbol that is not listed."""
    impossible = [
        desk.an_intent(Side.BUY, desk.liquid, 10**6 * QTY_SCALE),
        desk.an_intent(Side.BUY, "NOSUCH", QTY_SCALE),
        desk.an_intent(Side.SELL, desk.thin, QTY_SCALE),
    ]
    for intent in impossible:
        with pytest.raises(OrderRejected) as caught:
            desk.broker.submit(intent)

        assert caught.value.code
        assert caught.value.reason
        assert desk.broker.fetch_order(intent.id) is None


def test_no_answer_is_unavailable_and_was_not_sent_when_nobody_is_there(desk: Desk) -> None:
    with pytest.raises(BrokerUnavailable) as caught:
        desk.unreachable.submit(desk.an_intent(Side.BUY, desk.liquid, FRACTION))
    assert not caught.value.sent

    with pytest.raises(BrokerUnavailable):
        desk.unreachable.fetch_positions()


def test_wrong_credentials_are_refused_for_reads_and_orders(desk: Desk) -> None:
    intent = desk.an_intent(Side.BUY, desk.liquid, FRACTION)
    with pytest.raises(BrokerRefused):
        desk.stranger.fetch_account()
    with pytest.raises(OrderRejected):
        desk.stranger.submit(intent)

    assert desk.broker.fetch_order(intent.id) is None


def test_empty_positions_are_flat_and_all_equity_is_cash(desk: Desk) -> None:
    account = desk.broker.fetch_account()

    assert desk.broker.fetch_positions() == ()
    assert account.equity == account.cash > 0
    assert not account.blocked


def test_cash_changes_by_exactly_the_fills_and_the_cash_activities(desk: Desk) -> None:
    """Buy, then sell in two pieces, with fees: explained to the cent, which is what brokers book."""
    since = desk.clock.now()
    start = desk.broker.fetch_account().cash
    known = {money.id for money in desk.broker.fetch_cash_activities(since.date())}
    bought(desk, desk.liquid, 5 * QTY_SCALE)
    for leg, quantity in enumerate((2 * QTY_SCALE, 3 * QTY_SCALE)):
        desk.broker.submit(desk.an_intent(Side.SELL, desk.liquid, quantity, leg=leg))
    desk.pass_minutes(2)
    traded = sum(cash_of(fill) for fill in desk.broker.fetch_fills(since))
    booked = desk.broker.fetch_cash_activities(since.date())
    other = sum(money.amount for money in booked if money.id not in known)

    unexplained = desk.broker.fetch_account().cash - start - traded - other

    assert other < 0
    assert abs(unexplained) <= 10_000


def test_the_clock_tells_the_session(desk: Desk) -> None:
    """2026-11-20 is a Friday: it closes at 21:00 UTC, the next open is Monday 14:30."""
    clock = desk.broker.fetch_clock()

    assert clock.is_open
    assert clock.now == desk.clock.now()
    assert clock.next_close == datetime.fromisoformat("2026-11-20T21:00:00Z")
    assert clock.next_open == datetime.fromisoformat("2026-11-23T14:30:00Z")


def test_instruments_say_what_may_be_traded_in_which_steps(desk: Desk) -> None:
    found = desk.broker.fetch_instruments([desk.liquid, desk.thin, "NOSUCH"])

    assert set(found) == {desk.liquid, desk.thin}
    assert found[desk.liquid].fractionable
    assert found[desk.liquid].lot < QTY_SCALE
    assert not found[desk.thin].fractionable
    assert found[desk.thin].lot == QTY_SCALE


def test_the_stream_hints_at_an_order_and_its_fill(desk: Desk) -> None:
    desk.updates.wait(1)
    desk.broker.submit(desk.an_intent(Side.BUY, desk.liquid, FRACTION))
    assert desk.updates.wait(3)
    desk.updates.wait(0.3)
    desk.pass_minutes(2)

    assert desk.updates.wait(3)
