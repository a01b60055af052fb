from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.decide import Identity, Judged, check_release, decide, describe
from pipeline.domain.gates import View
from pipeline.domain.market import Instrument
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Decision, IntentState, Purpose, Side, intent_id
from pipeline.domain.portfolio import Position
from pipeline.domain.risk import Breach, RiskLimits
from pipeline.domain.rules.sizing import cost_of, share
from pipeline.domain.signals import Signal
from pipeline.domain.trading_state import TradingState
from tests.unit.domain.making import SHARE, SPY_PRICE, T0, an_intent
from tests.unit.domain.test_gates import FULL, LIMITS, USD, a_view

DEMO = Identity("demo", "paper")


def wish(direction: int, symbol: str = "SPY", price: int = SPY_PRICE, strategy: str = "momentum") -> Signal:
    return Signal(symbol, strategy, direction, 1_234, price)


def judged(view: View, *signals: Signal, limits: RiskLimits = LIMITS) -> tuple[Judged, ...]:
    return decide(view, signals, limits, DEMO, {})


def holding(shares: int = 1, price: int = SPY_PRICE) -> View:
    cost = price * shares * 100
    return a_view(positions={"SPY": Position("SPY", shares * SHARE, cost, T0 - timedelta(days=1))})


def test_a_buy_signal_becomes_an_intent_of_the_seed_size() -> None:
    (one,) = judged(a_view(), wish(1))

    assert one.intent is not None
    assert (one.intent.quantity, one.intent.decision_price, one.intent.release_at) == (FULL, SPY_PRICE, None)
    expected = Decision("demo", "paper", "momentum", "SPY", Side.BUY, Purpose.ENTRY, T0)
    assert one.intent.id == intent_id(expected)
    assert describe(one.intent).startswith("buy 0.297973778 SPY at 671.2000: fast average 0.123 % above")


def test_the_same_view_gives_the_same_decision_and_the_same_ids() -> None:
    assert judged(a_view(), wish(1)) == judged(a_view(), wish(1))


def test_two_strategies_do_not_enter_one_symbol_twice() -> None:
    first, second = judged(a_view(), wish(1), wish(1, strategy="moving_average"))

    assert first.intent is not None
    assert [breach.limit for breach in second.verdict.breaches] == ["duplicate_intent"]


def test_nothing_is_wanted_without_a_signal_and_a_sell_of_nothing_is_nothing() -> None:
    assert judged(a_view(), wish(0), wish(-1)) == ()


def test_a_sell_signal_closes_the_whole_position() -> None:
    (one,) = judged(holding(3), wish(-1))

    assert one.intent is not None
    assert (one.intent.side, one.intent.purpose, one.intent.quantity) == (Side.SELL, Purpose.EXIT, 3 * SHARE)


def test_a_stop_comes_before_the_signal_and_is_never_held_for_review() -> None:
    """671.20 less 1.5 % is 661.132: at that price, to the tick, the stop goes."""
    limits = replace(LIMITS, review_hold_seconds=30)
    view = replace(holding(), prices={"SPY": 6_611_320})
    (stopped,) = judged(view, wish(-1), limits=limits)
    (signalled,) = judged(replace(view, prices={"SPY": 6_611_321}), wish(-1), limits=limits)

    assert stopped.intent is not None
    assert signalled.intent is not None
    assert (stopped.intent.purpose, stopped.intent.release_at) == (Purpose.STOP, None)
    assert stopped.intent.reason == "stop loss: 661.1320 reached 661.1320"
    assert (signalled.intent.purpose, signalled.intent.release_at) == (
        Purpose.EXIT,
        T0 + timedelta(seconds=30),
    )


def test_a_short_is_stopped_above_and_bought_back() -> None:
    """A short at 671.20 stops at 681.268."""
    short = a_view(positions={"SPY": Position("SPY", -SHARE, -671_200_000, T0)}, prices={"SPY": 6_812_680})
    (one,) = judged(short)

    assert (one.proposal.side, one.proposal.purpose) == (Side.BUY, Purpose.STOP)
    assert judged(replace(short, prices={"SPY": 6_812_679})) == ()


def test_near_the_close_everything_goes_and_at_the_close_it_is_too_late() -> None:
    limits = replace(LIMITS, flatten_minutes=30)
    purposes = [
        [one.proposal.purpose for one in judged(replace(holding(), seconds_to_close=left), limits=limits)]
        for left in (1_801, 1_800, 1, 0)
    ]

    assert purposes == [[], [Purpose.FLATTEN], [Purpose.FLATTEN], []]


def test_a_position_is_left_after_its_longest_holding_time() -> None:
    limits = replace(LIMITS, max_holding_days=1)
    (one,) = judged(holding(), limits=limits)

    assert one.proposal.purpose is Purpose.HOLDING_LIMIT
    assert judged(replace(holding(), instant=T0 - timedelta(seconds=1)), limits=limits) == ()


def test_liquidation_sells_everything_and_buys_nothing() -> None:
    view = replace(holding(), state=TradingState.LIQUIDATING)
    instruments = {symbol: Instrument(symbol, lot=1) for symbol in ("SPY", "QQQ")}
    view = replace(view, instruments=instruments, prices={**view.prices, "QQQ": 5_000_000})
    sell, buy = judged(view, wish(1, "QQQ", 5_000_000))

    assert sell.intent is not None
    assert sell.intent.purpose is Purpose.LIQUIDATION
    assert (buy.intent, buy.verdict.breaches) == (None, (Breach("trading_state", 1, 4, "state"),))


def test_an_exit_on_its_way_is_not_sent_a_second_time() -> None:
    """Even when the broker already calls it filled: until its fill is booked the shares look held."""
    for state in (IntentState.PLANNED, IntentState.UNKNOWN, IntentState.FILLED):
        leaving = OrderLife(an_intent(Side.SELL, SHARE, Purpose.EXIT), state)
        view = replace(holding(), lives=(leaving,), prices={"SPY": 1}, prices_at={"SPY": T0})

        assert judged(view, wish(-1)) == ()


def test_a_release_meets_every_gate_again_with_the_fresh_price() -> None:
    """At 677.912 (+1 %) 200 USD buy 0.29502354… shares: less than was decided."""
    intent = an_intent(quantity=FULL)
    life = OrderLife(intent, IntentState.HELD)
    fresh = a_view(prices={"SPY": 6_779_120}, lives=(life,))
    away = replace(fresh, prices={"SPY": 6_846_241})

    assert check_release(intent, a_view(lives=(life,)), LIMITS).quantity == FULL
    assert check_release(intent, fresh, LIMITS).quantity == 200 * USD * 10**7 // 6_779_120
    assert [breach.limit for breach in check_release(intent, away, LIMITS).breaches] == ["price_sane"]
    assert check_release(intent, replace(fresh, state=TradingState.HALTED), LIMITS).quantity == 0
    assert check_release(intent, replace(fresh, locks={"SPY": "external"}), LIMITS).quantity == 0


def test_a_price_that_ran_away_is_no_reason_to_stay_in() -> None:
    """An exit held for review goes out after a crash of 10 %, and even without any price."""
    exit_ = an_intent(Side.SELL, SHARE, Purpose.EXIT)

    for prices in ({"SPY": SPY_PRICE * 9 // 10}, {}):
        assert check_release(exit_, replace(holding(), prices=prices), LIMITS).quantity == SHARE


def test_an_exit_is_cut_to_what_is_held_by_now_and_never_turns_around() -> None:
    exit_ = an_intent(Side.SELL, 3 * SHARE, Purpose.EXIT)
    short = Position("SPY", -3 * SHARE, -1, T0)
    cut = check_release(exit_, holding(1), LIMITS)

    assert (cut.quantity, cut.breaches) == (SHARE, (Breach("position", SHARE, 3 * SHARE, "quantity"),))
    assert check_release(exit_, a_view(), LIMITS).quantity == 0
    assert check_release(exit_, a_view(positions={"SPY": short}), LIMITS).quantity == 0


names = tuple(f"S{number}" for number in range(5))


@given(
    prices=st.lists(st.integers(10_000, 10**8), min_size=5, max_size=5),
    directions=st.lists(st.integers(-1, 1), min_size=5, max_size=5),
    held=st.sets(st.sampled_from(names), max_size=3),
    state=st.sampled_from(TradingState),
    size=st.integers(10_000, 300_000),
)
def test_one_decision_stays_within_the_caps_and_never_widens_what_it_must_close(
    prices: list[int], directions: list[int], held: set[str], state: TradingState, size: int
) -> None:
    marks = dict(zip(names, prices, strict=True))
    positions = {name: Position(name, SHARE, marks[name] * 100, T0) for name in sorted(held)}
    view = a_view(
        equity=10**11,
        cash=10**11,
        buying_power=10**11,
        prices=marks,
        prices_at=dict.fromkeys(names, T0),
        instruments={name: Instrument(name, lot=1) for name in names},
        positions=positions,
        state=state,
    )
    limits = replace(LIMITS, position_size=size, max_exposure=400_000)
    signals = [wish(direction, name, marks[name]) for name, direction in zip(names, directions, strict=True)]
    intents = [one.intent for one in judged(view, *signals, limits=limits) if one.intent]
    entries = [intent for intent in intents if intent.purpose is Purpose.ENTRY]
    exposure = sum(held_.value(marks[name]) for name, held_ in positions.items())

    assert len({intent.id for intent in intents}) == len(intents)
    assert not entries or state.allows_entries
    if entries:
        bought = sum(cost_of(marks[intent.symbol], intent.quantity) for intent in entries)
        assert exposure + bought <= share(10**11, 400_000)
        assert len(positions) + len(entries) <= limits.max_positions
    for intent in intents:
        if intent.purpose.reduces:
            assert (intent.side, intent.quantity) == (Side.SELL, positions[intent.symbol].quantity)
