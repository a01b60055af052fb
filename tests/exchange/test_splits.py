"""Splits, jumps, halts and closures: the tape changes from an instant on, and never before it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipeline.exchange.activities import list_activities
from pipeline.exchange.changes import advance, carry_out
from pipeline.exchange.corporate import list_actions
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Refused
from pipeline.exchange.series import DAY, Span, bar_rows, latest
from pipeline.exchange.wire import clock_json, position_json
from tests.exchange.markets import CLOSE, OPEN, Rows, WrittenMarket, an_engine, at_open
from tests.exchange.test_truth import body

MORNING: Rows = [(100.0, 101.0, 99.0, 100.5, 10_000)] * 30
WHOLE_DAY = Span(int(OPEN.timestamp()), int(CLOSE.timestamp()))


def holding(rows: Rows = MORNING) -> Engine:
    """Return an engine ten minutes after the open that holds ten shares bought at 100."""
    engine = an_engine(WrittenMarket({"X": rows}, {date(2026, 11, 23): rows}))
    advance(engine, at_open(0))
    engine.submit(body("10"))
    advance(engine, at_open(10))
    return engine


def bars(engine: Engine, *, adjusted: bool = False, seconds: int = 60) -> list[tuple[float, float, int]]:
    """Return open, low and volume of today's bars."""
    span = WHOLE_DAY if seconds < DAY else Span(WHOLE_DAY.start - DAY, WHOLE_DAY.end)
    rows = (json.loads(text) for _, text in bar_rows(engine, "X", span, seconds, adjusted=adjusted))
    return [(row["o"], row["l"], row["v"]) for row in rows]


def test_a_split_rescales_shares_and_prices_and_no_money_is_made() -> None:
    """2:1 in mid-session: 20 shares for the same cost, at half the price; equity stays."""
    engine = holding()
    resting = engine.submit(body("1", type="limit", limit_price="90"))
    before = engine.equity()
    said = carry_out(engine, {"kind": "split", "symbol": "X", "new": 2, "old": 1})
    shown = position_json(engine, "X", engine.book.ledger.holdings["X"])

    assert engine.equity() == before
    assert (shown["qty"], shown["avg_entry_price"], shown["current_price"]) == ("20", "50", "50.25")
    assert (shown["lastday_price"], shown["cost_basis"]) == ("50", "1000")
    assert engine.book.registry.get(resting.id).status == "canceled"
    row = list_activities(engine, "SPLIT", {})[0]
    assert (row["id"], row["qty"], row["net_amount"]) == (said["activity_id"], "10", "0")
    assert row["description"] == "2:1 forward split of X"


def test_bars_are_raw_or_in_shares_of_today() -> None:
    """Raw: 100, then 50. Adjusted: 50 throughout, twice the volume before. Aggregates likewise."""
    engine = holding()
    carry_out(engine, {"kind": "split", "symbol": "X", "new": 2})
    advance(engine, at_open(12))
    assert bars(engine) == [(100.0, 99.0, 10_000)] * 10 + [(50.0, 49.5, 20_000)] * 2
    assert bars(engine, adjusted=True) == [(50.0, 49.5, 20_000)] * 12
    assert bars(engine, adjusted=True, seconds=DAY)[-1] == (50.0, 49.5, 240_000)
    found = latest(engine, "X")

    assert found is not None
    assert found["trade"]["p"] == 50.25


def test_a_reverse_split_leaves_fractions_and_a_limit_order_meets_new_prices() -> None:
    """1:8 of ten shares is 1.25 at 800; a limit at 795 fills when the low of 792 reaches it."""
    engine = holding()
    carry_out(engine, {"kind": "split", "symbol": "X", "new": 1, "old": 8})
    order = engine.submit(body("1", type="limit", limit_price="795"))
    advance(engine, at_open(12))

    assert engine.book.ledger.quantity("X") == 2_250_000_000
    assert engine.book.fills[-1].price == 7_950_000
    assert engine.book.registry.get(order.id).status == "filled"


def test_a_planned_split_is_announced_before_it_happens_under_the_id_it_will_have() -> None:
    """Corporate actions know it the day before; the activity comes with the split."""
    engine = holding()
    monday = at_open(3 * 24 * 60)
    engine.plan(monday, {"kind": "split", "symbol": "X", "new": 2, "old": 1})
    announced = list_actions(engine, {"symbols": "X"})["corporate_actions"]["forward_splits"][0]
    advance(engine, monday)
    happened = list_activities(engine, "SPLIT", {})[0]

    assert (announced["ex_date"], announced["new_rate"], announced["old_rate"]) == ("2026-11-23", 2, 1)
    assert happened["id"].endswith(f"::{announced['id']}")
    assert list_actions(engine, {"types": "reverse_split"})["corporate_actions"] == {}
    assert engine.price("X") == 500_000 + 2_500


def test_executions_before_a_split_cannot_be_busted_after_it() -> None:
    """They name other shares."""
    engine = holding()
    carry_out(engine, {"kind": "split", "symbol": "X", "new": 2})

    with pytest.raises(Refused, match="was split since"):
        carry_out(engine, {"kind": "bust"})


def test_a_shock_moves_the_true_price() -> None:
    """Minus 12 percent from the tenth minute on: marks, bars and fills."""
    engine = holding()
    carry_out(engine, {"kind": "shock", "symbol": "X", "factor": "0.88"})
    assert engine.price("X") == 884_400
    engine.submit(body("1"))
    advance(engine, at_open(11))

    assert engine.book.fills[-1].price == 880_000
    assert bars(engine)[-1] == (88.0, 87.12, 10_000)


def test_a_halted_symbol_has_no_bars_and_no_fills_until_it_resumes() -> None:
    """From 9:40 to 9:45; a market order waits."""
    engine = holding()
    carry_out(engine, {"kind": "halt_symbol", "symbol": "X", "until": "2026-11-20T14:45:00Z"})
    order = engine.submit(body("1"))
    advance(engine, at_open(15))
    assert (len(bars(engine)), engine.book.registry.get(order.id).status) == (10, "new")
    advance(engine, at_open(17))

    assert engine.book.fills[-1].at == at_open(15)
    assert len(bars(engine)) == 12


def test_an_exchange_that_closes_early_says_so_and_trades_nothing() -> None:
    """Closed from 9:40 for the rest of the day: the next open is Monday's."""
    engine = holding()
    carry_out(engine, {"kind": "closure"})
    order = engine.submit(body("1"))
    advance(engine, at_open(20))
    shown = clock_json(engine)

    assert (shown["is_open"], shown["next_open"]) == (False, "2026-11-23T09:30:00-05:00")
    assert engine.book.registry.get(order.id).status == "accepted"
    assert len(bars(engine)) == 10
