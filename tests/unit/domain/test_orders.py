from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import (
    MAX_ID_LENGTH,
    Decision,
    Fill,
    Intent,
    IntentState,
    Purpose,
    Side,
    intent_id,
)
from pipeline.errors import IllegalTransition
from tests.unit.domain.making import T0, a_fill, an_intent

P, H, S, U, A, Q, F, C, E, R = IntentState
"""planned, held, sending, unknown, acked, partial (Q), filled, cancelled, expired, rejected."""

ALLOWED = {
    *product([P], [H, S, E]),
    *product([H], [S, E]),
    *product([S], [U, A, Q, F, C, E, R]),
    *product([U], [S, A, Q, F, C, E, R]),
    *product([A], [Q, F, C, E, R]),
    *product([Q], [Q, F, C, E]),
}
"""DESIGN §6, written down once more by hand. What is at the broker never returns to PLANNED or HELD."""


@pytest.mark.parametrize(("before", "after"), list(product(IntentState, IntentState)))
def test_only_the_listed_transitions_exist_and_terminal_states_absorb(
    before: IntentState, after: IntentState
) -> None:
    life = OrderLife(an_intent(), before)
    if (before, after) in ALLOWED:
        assert life.move(after, T0).state is after
    else:
        with pytest.raises(IllegalTransition, match=f"is {before}: it cannot take {after}"):
            life.move(after, T0)


def test_a_resend_counts_and_keeps_the_broker_order_id() -> None:
    later = T0 + timedelta(seconds=4)
    life = OrderLife(an_intent()).move(S, T0).move(U, T0, "timeout").move(S, later).move(A, later, "", "o-1")

    assert (life.sends, life.sent_at, life.order_id, life.note) == (2, later, "o-1", "timeout")


def test_a_release_may_shrink_an_intent_but_never_grow_or_empty_it() -> None:
    life = OrderLife(an_intent(quantity=100))

    assert life.shrunk(40).intent.quantity == 40
    assert life.shrunk(100) is life
    for wrong in (0, -1, 101):
        with pytest.raises(IllegalTransition):
            life.shrunk(wrong)


def test_what_was_sent_once_is_sent_again_in_the_same_size_or_not_at_all() -> None:
    unknown = OrderLife(an_intent(quantity=100)).move(S, T0).move(U, T0)

    with pytest.raises(IllegalTransition):
        unknown.shrunk(40)


def test_executions_only_grow_and_never_exceed_the_order() -> None:
    life = OrderLife(an_intent(quantity=100), A).executed(60)

    assert life.executed(20).filled == 60
    assert life.executed(100).filled == 100
    with pytest.raises(IllegalTransition, match="101 executed of 100"):
        life.executed(101)


@pytest.mark.parametrize(
    ("state", "filled", "booked", "unsettled"),
    [
        (A, 0, 0, 100),  # all of it may still be executed
        (Q, 60, 40, 60),  # 40 open and 20 executed but not in our positions
        (F, 100, 0, 100),  # the broker says filled, our positions do not know it
        (F, 0, 0, 100),  # filled without a number is filled
        (F, 100, 100, 0),
        (C, 30, 10, 20),
        (C, 30, 30, 0),
        (C, 0, 30, 0),  # the late fill came before the order's own number
        (R, 0, 0, 0),
    ],
)
def test_what_is_executed_but_not_booked_still_counts(
    state: IntentState, filled: int, booked: int, unsettled: int
) -> None:
    life = OrderLife(an_intent(quantity=100), state, filled=filled, booked=booked)

    assert life.unsettled == unsettled


texts = st.text(max_size=12)
decisions = st.builds(
    Decision,
    texts,
    texts,
    texts,
    texts,
    st.sampled_from(Side),
    st.sampled_from(Purpose),
    st.datetimes(timezones=st.just(ZoneInfo("UTC"))),
    st.integers(0, 99),
)


@given(one=decisions, other=decisions)
def test_two_decisions_share_an_id_only_when_they_are_the_same(one: Decision, other: Decision) -> None:
    assert (intent_id(one) == intent_id(other)) == (one == other)
    assert intent_id(one) == intent_id(replace(one))
    assert re.fullmatch(r"md1-[a-z2-7]{24}", intent_id(one))
    assert len(intent_id(one)) <= MAX_ID_LENGTH


def test_every_field_of_a_decision_and_nothing_else_makes_the_id() -> None:
    """One id each for the decision and for seven others that differ in a single field."""
    decision = Decision("demo", "paper", "momentum", "SPY", Side.BUY, Purpose.ENTRY, T0)
    others = [
        replace(decision, account="demo2"),
        replace(decision, mode="live"),
        replace(decision, strategy="m2"),
        replace(decision, symbol="QQQ"),
        replace(decision, side=Side.SELL),
        replace(decision, purpose=Purpose.STOP),
        replace(decision, decided_at=T0 + timedelta(microseconds=1)),
        replace(decision, leg=1),
    ]

    assert len({intent_id(each) for each in [decision, *others]}) == 9


def test_names_that_contain_a_separator_do_not_make_two_decisions_one() -> None:
    one = Decision("a|b", "c", "m", "SPY", Side.BUY, Purpose.ENTRY, T0)

    assert intent_id(one) != intent_id(replace(one, account="a", mode="b|c"))


def test_an_instant_has_one_id_in_whatever_zone_it_is_written() -> None:
    """09:31 in New York is 14:31 UTC: a driver in another zone must not make a second order."""
    decision = Decision("demo", "paper", "momentum", "SPY", Side.BUY, Purpose.ENTRY, T0)
    there = replace(decision, decided_at=T0.astimezone(ZoneInfo("America/New_York")))

    assert intent_id(there) == intent_id(decision)
    with pytest.raises(ValueError, match="time zone"):
        intent_id(replace(decision, decided_at=datetime(2026, 11, 20, 14, 31)))  # noqa: DTZ001


def test_values_that_cannot_be_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="not positive"):
        an_intent(quantity=0)
    with pytest.raises(ValueError, match="longer than 48"):
        replace(an_intent(), id="x" * 49)
    with pytest.raises(ValueError, match="not positive"):
        a_fill(an_intent(), 0)


def test_only_entries_and_signal_exits_wait_for_review() -> None:
    assert {purpose for purpose in Purpose if purpose.reviewed} == {Purpose.ENTRY, Purpose.EXIT}
    assert [purpose for purpose in Purpose if not purpose.reduces] == [Purpose.ENTRY, Purpose.PROBE]


def test_a_fill_is_signed_by_its_side() -> None:
    sell = Fill("f", "o", "", "SPY", Side.SELL, 7, 1, T0)

    assert sell.signed_quantity == -7
    assert isinstance(an_intent(), Intent)
