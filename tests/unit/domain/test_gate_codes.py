"""Each denial has a code of its own, at the limit, one below it and one beyond (FAULTS F102)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.decide import exits
from pipeline.domain.gates import Capacity, View, capacity_of, check_entry, check_exit
from pipeline.domain.market import Defect, Flaw, Instrument
from pipeline.domain.orders import IntentState, Order, Purpose, Side
from pipeline.domain.portfolio import Position
from pipeline.domain.risk import Breach, Limit, RiskLimits
from pipeline.domain.rules.limits import beyond_collar, crossed, rung, stop_hit
from pipeline.domain.signals import Signal
from tests.unit.domain.making import SHARE, SPY_PRICE, T0
from tests.unit.domain.test_gates import ENTRY, EXIT, FULL, LIMITS, NOTHING, USD, a_view


def codes(view: View, limits: RiskLimits = LIMITS, used: Capacity = NOTHING) -> tuple[int, list[str]]:
    verdict = check_entry(ENTRY, view, limits, used)
    return verdict.quantity, [breach.limit for breach in verdict.breaches]


Case = Callable[[int], tuple[View, RiskLimits, Capacity]]


@pytest.mark.parametrize(
    ("code", "limit", "case", "beyond_is_shrunk"),
    [
        # The collar is 2 % of 671.20, which is 13.4240 up or down.
        ("price_sane", 6_846_240, lambda at: (a_view(prices={"SPY": at}), LIMITS, NOTHING), False),
        # A position of 200 USD: a cap of exactly so much lets it through.
        (
            "max_position_usd",
            -200 * USD,
            lambda at: (a_view(), replace(LIMITS, max_position_money=-at), NOTHING),
            True,
        ),
        (
            "max_order_quantity",
            -FULL,
            lambda at: (a_view(), replace(LIMITS, max_order_quantity=-at), NOTHING),
            True,
        ),
        # The 31st order of a minute, the 1,001st of a session, the second in a symbol.
        ("orders_per_minute", 29, lambda at: (a_view(), LIMITS, replace(NOTHING, in_minute=at)), False),
        ("orders_per_session", 999, lambda at: (a_view(), LIMITS, replace(NOTHING, sent=at)), False),
        (
            "duplicate_intent",
            0,
            lambda at: (a_view(), LIMITS, replace(NOTHING, symbols=frozenset(["SPY"] * max(at, 0)))),
            False,
        ),
    ],
)
def test_one_below_and_at_the_limit_pass_and_one_beyond_is_denied_by_its_own_code(
    code: str, limit: int, case: Case, beyond_is_shrunk: bool
) -> None:
    """``case`` gives the situation for a number; ``limit`` is the largest that is fine."""
    for fine in (limit - 1, limit):
        assert codes(*case(fine))[1] == []
    quantity, denied = codes(*case(limit + 1))

    assert denied == [code]
    assert (0 < quantity < FULL) if beyond_is_shrunk else quantity == 0


@pytest.mark.parametrize(
    ("code", "view"),
    [
        ("symbol_halted", a_view(instruments={"SPY": Instrument("SPY", halted=True)})),
        ("instrument", a_view(instruments={"SPY": Instrument("SPY", tradable=False)})),
        ("outside_hours", a_view(outside_hours=True)),
        ("clock_skew", a_view(doubt=Breach("clock_skew", 5, 6, "seconds"))),
        *((defect.value, a_view(flaws={"SPY": (Flaw("SPY", defect, T0, "x"),)})) for defect in Defect),
    ],
)
def test_what_stops_new_risk_has_its_own_code(code: str, view: View) -> None:
    """Nothing of it concerns an exit, but for a halt or an instrument that nobody trades."""
    assert codes(view) == (0, [code])
    assert bool(check_exit(EXIT, view).quantity) == (code not in ("symbol_halted", "instrument"))


def test_every_denial_code_is_a_different_word() -> None:
    words = [*(limit.value for limit in Limit), *(defect.value for defect in Defect)]

    assert len(words) == len(set(words))


def test_bad_data_of_one_symbol_says_nothing_about_another() -> None:
    flawed = a_view(flaws={"QQQ": (Flaw("QQQ", Defect.GAP, T0, "x"),)})

    assert codes(flawed) == (FULL, [])


def test_a_short_sale_needs_an_instrument_that_may_be_sold_short() -> None:
    short = replace(ENTRY, side=Side.SELL)
    view = a_view(instruments={"SPY": Instrument("SPY", lot=1, shortable=False)})

    assert [one.limit for one in check_entry(short, view, LIMITS, NOTHING).breaches] == ["not_shortable"]


def test_a_symbol_that_trades_in_whole_shares_is_denied_when_a_position_is_less_than_one() -> None:
    """2 % of 10,000 USD are 200 USD, a share costs 671.20."""
    whole = a_view(instruments={"SPY": Instrument("SPY", lot=SHARE, fractionable=False)})

    assert codes(whole) == (0, ["lot"])


def test_holdings_and_buy_orders_that_are_not_ours_take_their_room() -> None:
    """6 % of 10,000 USD are 600: 400 of it in QQQ by a person, 150 more in an open order of theirs."""
    theirs = Position("QQQ", SHARE, 400 * USD, T0)
    order = Order("o", "manual", "IWM", Side.BUY, 2 * SHARE, SHARE, 0, IntentState.ACKED, "new", T0)
    view = a_view(
        external={"QQQ": theirs},
        external_orders=(order, replace(order, side=Side.SELL)),
        prices={"SPY": SPY_PRICE, "QQQ": 4_000_000, "IWM": 1_500_000},
    )

    assert capacity_of(view).exposure == 550 * USD
    assert codes(view, used=capacity_of(view))[1] == ["max_exposure"]


NONSENSE = st.sampled_from([math.nan, math.inf, -math.inf])


@given(
    number=NONSENSE,
    place=st.sampled_from(["equity", "cash", "buying_power", "price", "quantity", "market price"]),
)
def test_a_number_that_is_none_denies_whatever_it_stands_for(number: Any, place: str) -> None:
    view, proposal = a_view(), ENTRY
    if place in ("price", "quantity"):
        proposal = replace(ENTRY, **{place: number})
    elif place == "market price":
        view = a_view(prices={"SPY": number})
    else:
        view = a_view(**{place: number})

    assert [one.limit for one in check_entry(proposal, view, LIMITS, NOTHING).breaches] == ["not_a_number"]


@given(number=st.just(math.nan), other=st.integers(1, 10**12))
def test_every_limit_holds_against_a_number_that_cannot_be_compared(number: Any, other: int) -> None:
    """``NaN > limit`` is false, and so is ``NaN < limit``: a loss of NaN would never trip anything."""
    assert crossed(number, other, 20_000)
    assert crossed(other, number, 20_000)
    assert rung(number, other, 1, 2, 3) == 3
    assert beyond_collar(number, other, 20_000)
    assert beyond_collar(other, number, 20_000)
    assert stop_hit(number, other, True)
    assert stop_hit(number, other, False)


@given(
    gap=st.integers(-30_000, 30_000),
    base=st.integers(1, 10**9),
    limit=st.integers(1, 100_000),
)
def test_for_numbers_the_limits_are_what_they_were(gap: int, base: int, limit: int) -> None:
    assert crossed(gap, base, limit) == (gap * 1_000_000 >= limit * base)
    assert beyond_collar(base + gap, base, limit) == (abs(gap) * 1_000_000 > limit * base)
    assert stop_hit(base + gap, base, True) == (gap <= 0)


HELD = {"SPY": Position("SPY", SHARE, 800 * USD, T0 - timedelta(hours=1))}
SELL = Signal("SPY", "momentum", -1, 1_000, SPY_PRICE)


@pytest.mark.parametrize(
    "doubtful",
    [
        {"flaws": {"SPY": (Flaw("SPY", Defect.SPIKE, T0, "x"),)}},
        {"prices_at": {"SPY": T0 - timedelta(seconds=121)}},
        {"prices_at": {}},
    ],
)
def test_an_exit_that_follows_from_a_price_waits_until_the_price_is_believed(
    doubtful: dict[str, Any],
) -> None:
    """Bought at 800, now 671.20: a stop. A jump that one bar tells of, or an old price, makes none."""
    view = a_view(positions=HELD)

    def wanted(view: View, signals: tuple[Signal, ...] = ()) -> list[Purpose]:
        return [proposal.purpose for proposal in exits(view, signals, LIMITS)]

    assert wanted(view) == [Purpose.STOP]
    assert wanted(replace(view, **doubtful)) == []
    assert wanted(replace(view, **doubtful), (SELL,)) == []
    assert wanted(replace(view, **doubtful, seconds_to_close=60), (SELL,)) == []
    assert [
        one.purpose
        for one in exits(
            replace(view, **doubtful, seconds_to_close=60), (), replace(LIMITS, flatten_minutes=5)
        )
    ] == [Purpose.FLATTEN]
