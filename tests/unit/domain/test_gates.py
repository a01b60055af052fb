from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.gates import Capacity, Proposal, View, capacity_of, check_entry, check_exit
from pipeline.domain.market import Instrument
from pipeline.domain.money import notional
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState, Purpose, Side
from pipeline.domain.portfolio import Position, gross_exposure
from pipeline.domain.risk import Breach, Limit, RiskLimits
from pipeline.domain.rules.sizing import cost_of, share
from pipeline.domain.trading_state import TradingState
from tests.unit.domain.making import SHARE, SPY_PRICE, T0, an_intent

USD = 1_000_000
LIMITS = RiskLimits()
"""The seed's: 2 % a position, 3 positions, 6 % exposure, 10 % stays in cash."""


def a_view(**changes: object) -> View:
    """10,000 USD in cash at 09:31 in New York, SPY at 671.20."""
    view = View(
        instant=T0,
        seconds_to_close=389 * 60,
        bar_seconds=60,
        equity=10_000 * USD,
        cash=10_000 * USD,
        buying_power=10_000 * USD,
        positions={},
        lives=(),
        prices={"SPY": SPY_PRICE},
        prices_at={"SPY": T0},
        instruments={"SPY": Instrument("SPY", lot=1)},
        state=TradingState.NORMAL,
        size_factor=1_000_000,
        entries_enabled=True,
        locks={},
        sent=0,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


ENTRY = Proposal("momentum", "SPY", Side.BUY, Purpose.ENTRY, SPY_PRICE, "because")
EXIT = Proposal("momentum", "SPY", Side.SELL, Purpose.EXIT, SPY_PRICE, "because", quantity=SHARE)
NOTHING = Capacity(frozenset(), 0, 0, 0)


def asked(view: View, limits: RiskLimits = LIMITS, used: Capacity = NOTHING) -> tuple[int, tuple[str, ...]]:
    verdict = check_entry(ENTRY, view, limits, used)
    return verdict.quantity, tuple(breach.limit for breach in verdict.breaches)


FULL = 297_973_778
"""2 % of 10,000 USD at 671.20."""


def test_the_seed_example_trades_a_fraction_of_a_share() -> None:
    assert asked(a_view()) == (FULL, ())


@pytest.mark.parametrize(
    ("limit", "good", "bad"),
    [
        (Limit.TRADING_STATE, a_view(state=TradingState.CAUTIOUS), a_view(state=TradingState.REDUCING)),
        (Limit.TRADING_STATE, a_view(), a_view(state=TradingState.HALTED)),
        (Limit.SESSION_WINDOW, a_view(seconds_to_close=1), a_view(seconds_to_close=0)),
        (Limit.SESSION_WINDOW, a_view(), a_view(entries_enabled=False)),
        (Limit.INSTRUMENT, a_view(), a_view(instruments={})),
        (Limit.INSTRUMENT, a_view(), a_view(instruments={"SPY": Instrument("SPY", tradable=False)})),
        (
            Limit.DATA_FRESH,
            a_view(prices_at={"SPY": T0 - timedelta(seconds=120)}),
            a_view(prices_at={"SPY": T0 - timedelta(seconds=121)}),
        ),
        (Limit.DATA_FRESH, a_view(), a_view(prices_at={})),
        (Limit.PRICE_SANE, a_view(prices={"SPY": 6_846_240}), a_view(prices={"SPY": 6_846_241})),
        (Limit.PRICE_SANE, a_view(prices={"SPY": 6_577_760}), a_view(prices={"SPY": 6_577_759})),
        (Limit.PRICE_SANE, a_view(), a_view(prices={})),
        (Limit.SYMBOL_LOCK, a_view(locks={"QQQ": "x"}), a_view(locks={"SPY": "external order"})),
        (Limit.LOT, a_view(), a_view(instruments={"SPY": Instrument("SPY", lot=SHARE)})),
    ],
)
def test_each_gate_refuses_just_beyond_its_limit(limit: Limit, good: View, bad: View) -> None:
    """The collar is 2 % of 671.20: 13.424. Data may be two one-minute bars old."""
    assert asked(good)[0] > 0
    assert asked(bad) == (0, (limit.value,))


def test_the_last_minutes_before_the_close_are_for_leaving() -> None:
    """Flat 30 minutes before, no entry from 15: the larger counts, and the instant itself is too late."""
    limits = replace(LIMITS, flatten_minutes=30, no_entry_minutes=15)

    assert asked(a_view(seconds_to_close=1_801), limits)[0] == FULL
    assert asked(a_view(seconds_to_close=1_800), limits) == (0, ("session_window",))


@pytest.mark.parametrize(("sent", "quantity"), [(999, FULL), (1_000, 0), (1_001, 0)])
def test_a_session_has_a_thousand_orders(sent: int, quantity: int) -> None:
    assert asked(a_view(), LIMITS, replace(NOTHING, sent=sent))[0] == quantity


@pytest.mark.parametrize(("held", "quantity"), [(2, FULL), (3, 0), (4, 0)])
def test_three_positions_leave_no_room_for_a_fourth(held: int, quantity: int) -> None:
    used = replace(NOTHING, symbols=frozenset(f"S{number}" for number in range(held)))

    assert asked(a_view(), LIMITS, used)[0] == quantity


def test_a_symbol_held_or_under_way_is_not_entered_again() -> None:
    held = a_view(positions={"SPY": Position("SPY", SHARE, 671_200_000, T0)})
    under_way = a_view(lives=(OrderLife(an_intent(quantity=SHARE), IntentState.UNKNOWN),))

    for view in (held, under_way):
        assert asked(view, LIMITS, capacity_of(view)) == (0, ("duplicate_intent",))


@pytest.mark.parametrize(
    ("limit", "limits", "view", "used", "quantity"),
    [
        # 6 % of 10,000 are 600 USD: with 400 in use 200 fit exactly; one micro more in use shrinks.
        ("", LIMITS, a_view(), Capacity(frozenset(), 400 * USD, 0, 0), FULL),
        # 199.999999 USD / 671.20 USD = 0.297973776817…
        ("max_exposure", LIMITS, a_view(), Capacity(frozenset(), 400 * USD + 1, 0, 0), 297_973_776),
        ("max_exposure", LIMITS, a_view(), Capacity(frozenset(), 600 * USD, 0, 0), 0),
        ("max_exposure", LIMITS, a_view(), Capacity(frozenset(), 900 * USD, 0, 0), 0),
        # 500 USD are more than 200; 100 USD / 671.20 = 0.148986889153…
        ("", replace(LIMITS, max_position_money=200 * USD), a_view(), NOTHING, FULL),
        ("max_position_usd", replace(LIMITS, max_position_money=100 * USD), a_view(), NOTHING, 148_986_889),
        ("position_size", LIMITS, a_view(size_factor=500_000), NOTHING, 148_986_889),
        ("position_size", LIMITS, a_view(size_factor=0), NOTHING, 0),
        ("", LIMITS, a_view(buying_power=200 * USD), NOTHING, FULL),
        ("buying_power", LIMITS, a_view(buying_power=200 * USD - 1), NOTHING, 297_973_776),
        (
            "buying_power",
            LIMITS,
            a_view(cash=20_000 * USD),
            Capacity(frozenset(), 0, 9_900 * USD, 0),
            148_986_889,
        ),
        # 10 % of 10,000 stay: of 1,200 in cash 200 may go.
        ("", LIMITS, a_view(cash=1_200 * USD), NOTHING, FULL),
        ("min_cash", LIMITS, a_view(cash=1_200 * USD - 1), NOTHING, 297_973_776),
        ("min_cash", LIMITS, a_view(cash=1_000 * USD), NOTHING, 0),
        # 8,900 of 10,000 are promised to orders under way: 100 above the 1,000 that stay.
        ("min_cash", LIMITS, a_view(), Capacity(frozenset(), 0, 8_900 * USD, 0), 148_986_889),
        ("max_leverage", replace(LIMITS, max_leverage=10_000), a_view(), NOTHING, 148_986_889),
    ],
)
def test_what_a_limit_leaves_is_traded_and_no_more(
    limit: str, limits: RiskLimits, view: View, used: Capacity, quantity: int
) -> None:
    got, breaches = asked(view, limits, used)

    assert got == quantity
    assert (limit in breaches) == bool(limit)
    assert (breaches == ()) == (quantity == FULL)


def test_a_breach_carries_the_limit_and_the_number() -> None:
    verdict = check_entry(ENTRY, a_view(size_factor=500_000), LIMITS, NOTHING)

    assert verdict.outcome == "shrunk"
    assert verdict.breaches == (Breach("position_size", 100 * USD, 200 * USD, "money"),)


def test_a_price_of_nothing_from_a_strategy_is_refused_not_divided_by() -> None:
    verdict = check_entry(replace(ENTRY, price=0), a_view(), LIMITS, NOTHING)

    assert [breach.limit for breach in verdict.breaches] == ["price_sane"]


@given(
    equity=st.integers(-(10**12), 10**12),
    cash=st.integers(-(10**12), 10**12),
    sent=st.integers(0, 10**6),
    to_close=st.integers(0, 23_400),
    state=st.sampled_from([TradingState.NORMAL, TradingState.CAUTIOUS, TradingState.REDUCING]),
    enabled=st.booleans(),
)
def test_no_entry_limit_ever_refuses_an_exit(
    equity: int, cash: int, sent: int, to_close: int, state: TradingState, enabled: bool
) -> None:
    view = a_view(
        equity=equity,
        cash=cash,
        buying_power=0,
        sent=sent,
        seconds_to_close=to_close,
        state=state,
        entries_enabled=enabled,
        prices={},
        prices_at={},
        locks={"SPY": "external"},
        size_factor=0,
    )

    assert check_exit(EXIT, view).quantity == EXIT.quantity


def test_a_halt_stops_exits_and_only_liquidation_sells_while_liquidating() -> None:
    liquidation = replace(EXIT, purpose=Purpose.LIQUIDATION)
    halted, liquidating = a_view(state=TradingState.HALTED), a_view(state=TradingState.LIQUIDATING)

    assert [check_exit(one, halted).quantity for one in (EXIT, liquidation)] == [0, 0]
    assert [check_exit(one, liquidating).quantity for one in (EXIT, liquidation)] == [0, SHARE]
    assert check_exit(EXIT, a_view(instruments={})).quantity == 0


def test_an_order_counts_in_full_until_its_fills_are_in_the_positions() -> None:
    """The broker says filled, our positions do not: 1 share at 671.20 is still room taken."""
    filled = OrderLife(an_intent(quantity=SHARE), IntentState.FILLED, filled=SHARE)
    used = capacity_of(a_view(lives=(filled,)))

    assert used == Capacity(frozenset({"SPY"}), 671_200_000, 671_200_000, 0)
    assert capacity_of(a_view(lives=(filled,)), leaving_out=filled.intent.id) == NOTHING
    assert capacity_of(a_view(lives=(replace(filled, booked=SHARE),))).exposure == 0


symbols = tuple(f"S{number}" for number in range(6))
entry = st.tuples(st.sampled_from(symbols), st.booleans())


@given(
    wishes=st.lists(entry, max_size=12),
    prices=st.lists(st.integers(1_000, 10**8), min_size=6, max_size=6),
    equity=st.integers(10**6, 10**12),
    limits=st.builds(
        RiskLimits,
        position_size=st.integers(1, 1_000_000),
        max_positions=st.integers(1, 5),
        max_exposure=st.integers(1, 2_000_000),
        max_leverage=st.integers(1, 2_000_000),
        min_cash=st.integers(0, 1_000_000),
        max_position_money=st.none() | st.integers(0, 10**11),
    ),
)
def test_whatever_is_accepted_stays_within_every_cap(
    wishes: list[tuple[str, bool]], prices: list[int], equity: int, limits: RiskLimits
) -> None:
    """Entries one after the other, some filled at once and some still under way."""
    marks = dict(zip(symbols, prices, strict=True))
    view = a_view(
        equity=equity,
        cash=equity,
        buying_power=equity,
        prices=marks,
        prices_at=dict.fromkeys(symbols, T0),
        instruments={symbol: Instrument(symbol, lot=1) for symbol in symbols},
    )
    for symbol, fills in wishes:
        wish = replace(ENTRY, symbol=symbol, price=marks[symbol])
        verdict = check_entry(wish, view, limits, capacity_of(view))
        if not verdict.quantity:
            continue
        if fills:
            cost = notional(marks[symbol], verdict.quantity)
            held = {**view.positions, symbol: Position(symbol, verdict.quantity, cost, T0)}
            view = replace(view, positions=held, cash=view.cash - cost, buying_power=view.buying_power - cost)
        else:
            life = OrderLife(an_intent(quantity=verdict.quantity, symbol=symbol), IntentState.UNKNOWN)
            view = replace(view, lives=(*view.lives, life))
        under_way = sum(cost_of(marks[life.intent.symbol], life.unsettled) for life in view.lives)
        exposure = gross_exposure(view.positions, marks) + under_way

        assert exposure <= share(equity, limits.max_exposure)
        assert exposure <= share(equity, limits.max_leverage)
        assert len(view.positions) + len(view.lives) <= limits.max_positions
        assert view.cash - under_way >= share(equity, limits.min_cash)
        assert cost_of(marks[symbol], verdict.quantity) <= share(equity, limits.position_size)
