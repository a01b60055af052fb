"""Orders against bars written down by hand; every expected number is worked out in the docstring."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipeline.exchange.config import Costs
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Order, Refused, to_instant
from tests.exchange.markets import CLOSE, OPEN, WrittenMarket, an_engine, at_open

FLAT = (100.0, 100.0, 100.0, 100.0, 10_000)


def body(qty: str, side: str = "buy", kind: str = "market", **more: Any) -> dict[str, Any]:
    """Return a day order for X."""
    return {"symbol": "X", "qty": qty, "side": side, "type": kind, "time_in_force": "day"} | more


def fills(engine: Engine) -> list[tuple[float, float]]:
    """Return (price, quantity) of every fill, in dollars and shares."""
    return [(fill.price / 10_000, fill.qty / 10**9) for fill in engine.book.fills]


def now(engine: Engine, order: Order) -> Order:
    """Return the newest value of an order."""
    return engine.book.registry.get(order.id)


def holding(qty: str, *rows: tuple[float, float, float, float, int], costs: Costs | None = None) -> Engine:
    """Return an engine that bought ``qty`` X at 100 in the first minute, which is just over."""
    engine = an_engine(WrittenMarket({"X": [(100.0, 100.0, 100.0, 100.0, 10**6), *rows]}), costs)
    engine.submit(body(qty))
    engine.advance(at_open(1))
    return engine


def test_a_market_order_waits_for_the_next_open_and_pays_half_the_spread_and_slippage() -> None:
    """Sent at 10:00:30 into the second bar, it fills at the third's open: 102 + 50 ppm = 102.0051."""
    engine = an_engine(WrittenMarket({"X": [FLAT, FLAT, (102, 103, 101, 102, 10_000)]}), Costs())
    engine.advance(at_open(1.5))
    order = engine.submit(body("5"))
    engine.advance(at_open(2))
    assert now(engine, order).status == "new"

    engine.advance(at_open(2) + 1)

    assert fills(engine) == [(102.0051, 5)]
    assert now(engine, order).filled_at == at_open(2)


def test_an_order_received_at_a_bars_start_uses_that_bars_open_but_never_in_the_reply() -> None:
    """At exactly 9:31 the reply is new; once time moves, it filled at 9:31's open."""
    engine = an_engine(WrittenMarket({"X": [FLAT, (101, 101, 101, 101, 10_000)]}))
    engine.advance(at_open(1))
    order = engine.submit(body("5"))
    assert (order.status, order.filled) == ("new", 0)

    engine.advance(at_open(2))

    assert fills(engine) == [(101, 5)]


def test_a_market_order_of_the_evening_before_is_queued_for_the_open() -> None:
    """Accepted at 08:00, new and filled at 09:30."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}))
    order = engine.submit(body("5"))
    engine.advance(at_open(0))
    waiting = now(engine, order).status
    engine.advance(at_open(0) + 1)

    assert (order.status, waiting, now(engine, order).status) == ("accepted", "new", "filled")
    assert [event.kind for event in engine.book.events] == ["received", "accepted", "new", "fill"]


def test_a_big_order_takes_a_tenth_of_each_minute_and_carries_the_rest() -> None:
    """Volumes 1,000, 0 and 555 give 100, nothing and 55 whole shares; 45 of 200 are left at the close."""
    rows = [(100, 100, 100, 100, 1_000), (100, 100, 100, 100, 0), (101, 101, 101, 101, 555)]
    engine = an_engine(WrittenMarket({"X": rows}))
    order = engine.submit(body("200"))
    engine.advance(to_instant(CLOSE))
    final = now(engine, order)

    assert fills(engine) == [(100, 100), (101, 55)]
    assert (final.status, final.remaining, final.expired_at) == ("expired", 45 * 10**9, to_instant(CLOSE))


def test_two_orders_share_a_minutes_volume_in_order_of_arrival() -> None:
    """1,000 shares give 100: 80 to the first, 20 of 50 to the second, the other 30 a minute later."""
    engine = an_engine(WrittenMarket({"X": [(100, 100, 100, 100, 1_000), (101, 101, 101, 101, 1_000)]}))
    engine.submit(body("80"))
    engine.submit(body("50"))
    engine.advance(at_open(2))

    assert fills(engine) == [(100, 80), (100, 20), (101, 30)]


def test_a_minute_without_trades_fills_nothing() -> None:
    """The recorded tape has a hole at 9:31: the order waits for 9:32."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}))
    engine.advance(at_open(1))
    engine.submit(body("5"))
    engine.advance(at_open(30))

    assert fills(engine) == []


def test_a_limit_fills_at_the_limit_when_the_range_reaches_it_and_only_when_the_bar_is_complete() -> None:
    """Buy at 99.50: the bar opens at 100 and falls to 99.40; known at its end, not in its middle."""
    engine = an_engine(WrittenMarket({"X": [(100, 100.2, 99.4, 99.9, 10_000)]}), Costs())
    engine.submit(body("5", kind="limit", limit_price=99.5))
    engine.advance(at_open(0.9))
    assert fills(engine) == []

    engine.advance(at_open(1))

    assert fills(engine) == [(99.5, 5)]


def test_a_limit_better_than_the_open_fills_at_the_open_with_costs() -> None:
    """Buy at 100.01: open 100 plus 50 ppm is 100.005; at 100.00 the limit itself bounds it."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}), Costs())
    engine.submit(body("5", kind="limit", limit_price=100.01))
    engine.submit(body("5", kind="limit", limit_price=100))
    engine.advance(at_open(1))

    assert fills(engine) == [(100.005, 5), (100, 5)]


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((99, 99, 94.9, 96, 10_000), [(95 * (1 - 0.001), 10)]),
        ((92, 93, 91, 92, 10_000), [(92 * (1 - 0.001), 10)]),
        ((99, 99, 95.01, 96, 10_000), []),
    ],
)
def test_a_stop_fills_at_the_worse_of_stop_and_open(bar: Any, expected: list[Any]) -> None:
    """Sell stop 95, slippage 0.1 %: inside the bar 94.905, after a gap to 92 91.908, else nothing."""
    engine = holding("10", bar, costs=Costs(half_spread_ppm=0, slippage_ppm=1_000))
    engine.submit(body("10", "sell", "stop", stop_price=95))
    engine.advance(at_open(2))

    assert [pytest.approx(fill) for fill in expected] == fills(engine)[1:]


def test_a_triggered_stop_is_a_market_order_for_the_rest() -> None:
    """1,000 shares' volume gives 100 of 150 at 95; the next bar opens at 97 and takes the other 50 there."""
    engine = holding("150", (99, 99, 94, 96, 1_000), (97, 99, 97, 98, 1_000))
    engine.submit(body("150", "sell", "stop", stop_price=95))
    engine.advance(at_open(3))

    assert fills(engine)[1:] == [(95, 100), (97, 50)]


def test_a_stop_limit_reached_inside_a_bar_rests_as_a_limit_from_the_next() -> None:
    """Stop 95, limit 94.5: triggered at the end of 9:31; 9:32 opens at 94.8, above the limit."""
    engine = holding("10", (99, 99, 94, 96, 1_000), (94.8, 95, 94.6, 95, 1_000))
    order = engine.submit(body("10", "sell", "stop_limit", stop_price=95, limit_price=94.5))
    engine.advance(at_open(2))
    assert (now(engine, order).triggered, fills(engine)[1:]) == (True, [])

    engine.advance(at_open(3))

    assert fills(engine)[1:] == [(94.8, 10)]


def a_bracket(qty: str = "10") -> dict[str, Any]:
    """Return a bracket around 100: profit at 104, stop at 97."""
    exits = {"take_profit": {"limit_price": "104"}, "stop_loss": {"stop_price": "97"}}
    return body(qty, time_in_force="gtc", order_class="bracket", **exits)


def statuses(engine: Engine, order: Order) -> list[str]:
    """Return the statuses of an order and its legs."""
    return [now(engine, order).status, *(engine.book.registry.get(leg).status for leg in order.legs)]


def test_a_brackets_stop_works_in_the_very_bar_of_its_entry_and_cancels_the_profit() -> None:
    """Entry at 100, the bar then falls to 96 (stop 97) and rises to 105 (profit 104): the stop counts."""
    engine = an_engine(WrittenMarket({"X": [(100, 105, 96, 104, 10_000)]}))
    order = engine.submit(a_bracket())
    engine.advance(at_open(0) + 1)
    assert statuses(engine, order) == ["filled", "new", "held"]

    engine.advance(at_open(1))

    assert statuses(engine, order) == ["filled", "canceled", "filled"]
    assert fills(engine) == [(100, 10), (97, 10)]


def test_a_brackets_exits_wait_for_the_whole_entry() -> None:
    """Half filled in the first minute, whole in the second: only then do the exits work."""
    rows = [(100, 100, 100, 100, 50), (100, 100, 98, 100, 50), (100, 104.5, 100, 104, 10_000)]
    engine = an_engine(WrittenMarket({"X": rows}))
    order = engine.submit(a_bracket())
    engine.advance(at_open(1))
    assert statuses(engine, order) == ["partially_filled", "held", "held"]

    engine.advance(at_open(3))

    assert fills(engine) == [(100, 5), (100, 5), (104, 10)]
    assert statuses(engine, order) == ["filled", "filled", "canceled"]


def test_when_the_profit_is_taken_in_parts_the_stop_shrinks() -> None:
    """5 of 10 sold at 104; then the stop sells the other 5 at 97, and nothing is sold twice."""
    rows = [FLAT, (103, 104.5, 103, 104, 50), (98, 98, 96, 97, 10_000)]
    engine = an_engine(WrittenMarket({"X": rows}))
    engine.submit(a_bracket())
    engine.advance(at_open(3))

    assert fills(engine) == [(100, 10), (104, 5), (97, 5)]
    assert engine.book.ledger.quantity("X") == 0


def test_cancelling_one_of_a_family_cancels_the_rest() -> None:
    """The waiting exits go with their entry; a working exit goes with the other."""
    waiting = an_engine(WrittenMarket({"X": [FLAT]}))
    entry = waiting.submit(a_bracket())
    waiting.cancel(entry.id)
    working = an_engine(WrittenMarket({"X": [FLAT]}))
    filled = working.submit(a_bracket())
    working.advance(at_open(1))
    working.cancel(filled.legs[0])

    assert statuses(waiting, entry) == ["canceled", "canceled", "canceled"]
    assert statuses(working, filled) == ["filled", "canceled", "canceled"]


def test_an_oco_holds_the_shares_once_and_one_exit_ends_the_other() -> None:
    """10 shares, profit at 104 and stop at 97: one more sell is refused; the profit fills, the stop goes."""
    engine = holding("10", (100, 104.2, 100, 104, 10_000))
    exits = {"take_profit": {"limit_price": 104}, "stop_loss": {"stop_price": 97}}
    order = engine.submit(body("10", "sell", "limit", order_class="oco", **exits))
    with pytest.raises(Refused, match=r"insufficient qty available for order \(requested: 1, available: 0\)"):
        engine.submit(body("1", "sell"))
    engine.advance(at_open(2))

    assert statuses(engine, order) == ["filled", "canceled"]
    assert fills(engine)[1:] == [(104, 10)]


def test_exits_never_sell_more_than_is_held() -> None:
    """6 of a bracket's first 8 shares are sold before the entry completes: the exits work for 4 of 10."""
    rows = [
        (100, 100, 100, 100, 80),
        (100, 100, 100, 100, 80),
        (100, 100, 100, 100, 80),
        (98, 98, 96, 97, 10_000),
    ]
    engine = an_engine(WrittenMarket({"X": rows}))
    engine.submit(a_bracket())
    engine.advance(at_open(1))
    engine.submit(body("6", "sell"))
    engine.advance(at_open(4))

    assert fills(engine) == [(100, 8), (100, 2), (100, 6), (97, 4)]
    assert engine.book.ledger.holdings == {}


def test_a_replacement_keeps_what_was_filled_and_needs_more_than_that() -> None:
    """100 of 150 filled; for 120 in all, 20 more are bought."""
    engine = an_engine(WrittenMarket({"X": [(100, 100, 100, 100, 1_000), (101, 101, 101, 101, 1_000)]}))
    old = engine.submit(body("150"))
    engine.advance(at_open(1))
    with pytest.raises(Refused, match="qty must be > filled_qty"):
        engine.replace(old.id, {"qty": 100})
    new = engine.replace(old.id, {"qty": 120, "client_order_id": "second"})
    engine.advance(at_open(2))

    assert (now(engine, old).status, now(engine, old).replaced_by) == ("replaced", new.id)
    assert fills(engine) == [(100, 100), (101, 20)]
    assert now(engine, new).status == "filled"


def test_open_buys_hold_back_cash_until_they_end() -> None:
    """100,000 USD: a limit for 600 at 100 leaves 40,000; a second one fits only after a cancel."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}))
    first = engine.submit(body("600", kind="limit", limit_price=100))
    assert engine.buying_power() == 40_000_000_000

    with pytest.raises(Refused, match="insufficient buying power"):
        engine.submit(body("401", kind="limit", limit_price=100))
    engine.cancel(first.id)

    assert engine.submit(body("401", kind="limit", limit_price=100)).status == "accepted"


def test_fees_leave_cash_at_the_fill() -> None:
    """10 at 100 cost 1,000 + 0.035; sold at 101 they give 1,010 - 0.035 - 0.02828."""
    engine = holding("10", (101, 101, 101, 101, 10_000), costs=Costs(3_500, 28, 0, 0))
    engine.submit(body("10", "sell"))
    engine.advance(at_open(2))

    assert engine.book.ledger.cash == 100_009_901_720


def test_day_orders_expire_at_the_early_close_and_others_live_on() -> None:
    """The 27th closes at 13:00 (18:00 UTC); a good-till-cancelled order is still there on Monday."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}, later={date(2026, 11, 30): [(95, 95, 95, 95, 10_000)]}))
    engine.advance(to_instant(datetime(2026, 11, 27, 15, tzinfo=UTC)))
    day = engine.submit(body("1", kind="limit", limit_price=96))
    gtc = engine.submit(body("1", kind="limit", limit_price=96, time_in_force="gtc"))
    engine.advance(to_instant(datetime(2026, 11, 27, 18, tzinfo=UTC)))
    assert (now(engine, day).status, now(engine, gtc).status) == ("expired", "new")

    engine.advance(to_instant(datetime(2026, 11, 30, 15, tzinfo=UTC)))

    assert now(engine, gtc).status == "filled"
    assert fills(engine) == [(95, 1)]


def test_time_never_goes_back_nor_past_the_calendar() -> None:
    """409 for the past, 422 beyond the table, and neither changes anything."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}))
    engine.advance(to_instant(OPEN))
    with pytest.raises(Refused) as past:
        engine.advance(to_instant(OPEN) - 1)
    with pytest.raises(Refused) as beyond:
        engine.advance(to_instant(datetime(2027, 1, 1, tzinfo=UTC)))

    assert (past.value.status, beyond.value.status) == (409, 422)
    assert engine.now == to_instant(OPEN)


def test_a_suspended_account_takes_no_orders_but_cancels() -> None:
    """suspend_trade is Alpaca's own switch for "no new orders"."""
    engine = an_engine(WrittenMarket({"X": [FLAT]}))
    order = engine.submit(body("1"))
    engine.configure({"suspend_trade": True})
    with pytest.raises(Refused, match="rejected by user request"):
        engine.submit(body("1"))

    assert engine.cancel(order.id).status == "canceled"
