"""Sizes that round to nothing, and the last billionth of a share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.gates import check_entry
from pipeline.domain.money import qty_decimal, to_qty
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.rules.sizing import cost_of, quantity_for
from tests.unit.domain.making import Paper, an_intent
from tests.unit.domain.test_gates import ENTRY, LIMITS, NOTHING, USD, a_view

SHARE = 1_000_000_000


def test_two_percent_of_ten_thousand_is_less_than_one_share_and_is_refused_by_name() -> None:
    """200 USD of SPY at 671.20, in whole shares: 0, with the limit "lot"; in billionths it is 0.298."""
    view = a_view()
    whole = {symbol: replace(one, lot=SHARE) for symbol, one in view.instruments.items()}
    refused = check_entry(ENTRY, replace(view, instruments=whole), LIMITS, NOTHING)

    assert (refused.quantity, [breach.limit for breach in refused.breaches]) == (0, ["lot"])
    assert check_entry(ENTRY, view, LIMITS, NOTHING).quantity == 297_973_778


@given(
    money=st.integers(0, 10_000 * USD),
    price=st.integers(1, 10_000_000),
    lot=st.sampled_from([1, 1_000_000, SHARE]),
)
def test_a_size_is_whole_lots_never_dearer_than_its_money_and_as_much_as_fits(
    money: int, price: int, lot: int
) -> None:
    quantity = quantity_for(money, price, lot)

    assert quantity % lot == 0
    assert price * quantity <= money * 10_000_000
    assert price * (quantity + lot) > money * 10_000_000
    assert cost_of(price, quantity) <= money + 1


@given(quantity=st.integers(1, 10**15))
def test_a_quantity_survives_the_way_to_the_broker_and_back_to_the_billionth(quantity: int) -> None:
    """Nine decimals: with eight, as some clients round, a close leaves dust behind."""
    assert to_qty(f"{qty_decimal(quantity):f}") == quantity


@pytest.mark.parametrize("held", [1, 7, 297_973_778, 3 * SHARE + 1])
def test_an_exit_of_the_last_billionth_leaves_nothing(held: int) -> None:
    paper = Paper().lease()
    paper.trade(an_intent(Side.BUY, held, Purpose.ENTRY))
    paper.trade(an_intent(Side.SELL, held, Purpose.EXIT, 1))

    assert paper.ledger.positions == {}
    assert paper.ledger.open_lives == ()
