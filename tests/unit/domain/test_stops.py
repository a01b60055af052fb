"""What a stop leaves of each position, and which orders it leaves alone."""

from __future__ import annotations

import pytest

from pipeline.domain.decide import Identity, decide
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.portfolio import Position
from pipeline.domain.risk import RiskLimits
from pipeline.domain.stops import EmergencyPlan, beyond_target, outlives, targets_of
from pipeline.domain.trading_state import StateChange, TradingState
from tests.unit.domain.making import T0
from tests.unit.domain.test_gates import a_view

SHARE = 10**9


def held(quantity: int) -> dict[str, Position]:
    return {"SPY": Position("SPY", quantity, (1 if quantity > 0 else -1) * 670_000_000, T0)}


def change(state: TradingState, **targets: int) -> StateChange:
    return StateChange(state, "why", "system", T0, "system_error", targets=targets)


@pytest.mark.parametrize(
    ("quantity", "fraction", "left"),
    [
        (3 * SHARE, 500_000, SHARE),
        (SHARE, 500_000, 0),
        (-4 * SHARE, 250_000, SHARE),
        (328_400_001, 500_000, 164_200_000),
        (100 * SHARE, 1_000_000, 100 * SHARE),
        (100 * SHARE, 0, 0),
    ],
)
def test_no_more_is_left_than_was_asked_for_and_whole_shares_stay_whole(
    quantity: int, fraction: int, left: int
) -> None:
    """Half of three is one; half of one is none; a fraction of a share is halved to the last unit."""
    assert targets_of(held(quantity), fraction) == {"SPY": left}


def test_what_is_beyond_the_target_is_sold_once_and_only_while_halted() -> None:
    halted = change(TradingState.HALTED, SPY=SHARE)

    assert beyond_target(halted, "SPY", 3 * SHARE) == 2 * SHARE
    assert beyond_target(halted, "SPY", -3 * SHARE) == 2 * SHARE
    assert beyond_target(halted, "SPY", SHARE) == 0
    assert beyond_target(halted, "QQQ", SHARE) == 0
    assert beyond_target(change(TradingState.LIQUIDATING, SPY=SHARE), "SPY", 3 * SHARE) == 0


@pytest.mark.parametrize("purpose", list(Purpose))
def test_only_what_the_stop_itself_asked_for_outlives_it(purpose: Purpose) -> None:
    """A liquidation's sales, a reduction's where there is one; no test order either."""
    assert outlives(purpose, change(TradingState.LIQUIDATING)) is (purpose is Purpose.LIQUIDATION)
    assert outlives(purpose, change(TradingState.HALTED, SPY=1)) is (purpose is Purpose.REDUCTION)
    assert not outlives(purpose, change(TradingState.HALTED))


def test_closing_everything_goes_further_than_making_it_smaller() -> None:
    both = EmergencyPlan(stop_actions=("reduce_position_sizes", "close_all_positions"))

    assert (both.stop_closes, both.stop_reduces) == (True, False)


@pytest.mark.parametrize(
    ("state", "excess", "purpose", "quantity"),
    [
        (TradingState.LIQUIDATING, {}, Purpose.LIQUIDATION, 4 * SHARE),
        (TradingState.HALTED, {"SPY": 2 * SHARE}, Purpose.REDUCTION, 2 * SHARE),
    ],
)
def test_an_emergency_closes_a_short_by_buying_a_positive_quantity(
    state: TradingState, excess: dict[str, int], purpose: Purpose, quantity: int
) -> None:
    """Seed defect S12: there the quantity was the signed one, −4 to buy."""
    short = a_view(positions=held(-4 * SHARE), state=state, excess=excess)
    (one,) = decide(short, (), RiskLimits(), Identity("rehearsal", "rehearsal"), {})

    assert one.intent is not None
    assert (one.intent.side, one.intent.purpose, one.intent.quantity) == (Side.BUY, purpose, quantity)
