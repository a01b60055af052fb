"""What the control port makes true: money, orders and executions nobody asked us for, restrictions."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from pipeline.exchange.activities import list_activities
from pipeline.exchange.changes import advance, carry_out
from pipeline.exchange.config import Costs
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Order, Refused
from pipeline.exchange.wire import account_json, asset_json, clock_json, log_json, order_json
from tests.exchange.markets import WrittenMarket, an_engine, at_open

STEADY = [(100.0, 100.0, 100.0, 100.0, 100_000)] * 30


def steady(costs: Costs | None = None) -> Engine:
    """Return an engine at the open whose symbol X always costs 100 dollars."""
    engine = an_engine(WrittenMarket({"X": STEADY}), costs)
    advance(engine, at_open(0))
    return engine


def body(qty: str, side: str = "buy", **more: Any) -> dict[str, Any]:
    """Return the body of a market day order for X."""
    return {"symbol": "X", "qty": qty, "side": side, "type": "market", "time_in_force": "day"} | more


def change(engine: Engine, kind: str, **fields: Any) -> dict[str, Any]:
    """Carry out a change now."""
    return carry_out(engine, {"kind": kind, **fields})


def bought(engine: Engine, qty: str = "10") -> Order:
    """Return a filled buy; a minute has passed."""
    order = engine.submit(body(qty, client_order_id="ours"))
    advance(engine, engine.now + 60_000_000)
    return engine.book.registry.get(order.id)


def status(engine: Engine, order: Order) -> str:
    """Return an order's status as it is now."""
    return engine.book.registry.get(order.id).status


def test_cash_that_moves_by_itself_is_told_by_activities() -> None:
    """100,000 - 1,000 for ten shares, + 5,000 - 2,000 + 10 × 0.50 - 3.25 - 1.10 = 102,000.65."""
    engine = steady()
    bought(engine)
    change(engine, "deposit", amount=5000)
    change(engine, "withdrawal", amount="2000")
    change(engine, "dividend", symbol="X", per_share="0.50")
    change(engine, "fee", amount="3.25")
    change(engine, "interest", amount="-1.10")
    rows = list_activities(engine, "", {"direction": "asc"})

    assert account_json(engine)["cash"] == "102000.65"
    assert [(r["activity_type"], r.get("net_amount")) for r in rows] == [
        ("FILL", None),
        ("CSD", "5000"),
        ("CSW", "-2000"),
        ("DIV", "5"),
        ("FEE", "-3.25"),
        ("INT", "-1.1"),
    ]
    assert (rows[3]["symbol"], rows[3]["qty"], rows[3]["per_share_amount"]) == ("X", "10", "0.5")
    assert [r["activity_type"] for r in list_activities(engine, "TRANS", {})] == ["CSW", "CSD"]


def test_a_manual_trade_is_an_execution_of_an_order_that_is_not_ours() -> None:
    """At the market's price unless one is given; it cannot spend or sell what is not there."""
    engine = steady()
    made = change(engine, "trade", symbol="X", side="buy", qty="5")
    change(engine, "trade", symbol="X", side="sell", qty="2", price="101.50")

    assert engine.book.ledger.quantity("X") == 3_000_000_000
    assert account_json(engine)["cash"] == "99703"
    assert made["execution_id"] == engine.book.fills[0].id
    assert made["client_order_id"] != "ours"
    with pytest.raises(Refused, match="insufficient qty available for a manual sale"):
        change(engine, "trade", symbol="X", side="sell", qty="9")
    assert [log_json(e)["kind"] for e in engine.book.events][-1] == "change_refused"


def test_a_cancel_that_is_stuck_still_fills_and_ends_when_its_time_is_over() -> None:
    """The fill-after-cancel race, and a cancel that takes 90 seconds."""
    engine = steady()
    change(engine, "cancels", mode="stuck", seconds=90)
    racing = engine.submit(body("10"))
    resting = engine.submit(body("10", type="limit", limit_price="50"))
    for order in (racing, resting):
        assert engine.cancel(order.id).status == "pending_cancel"
        engine.cancel(order.id)  # asking again changes nothing
    advance(engine, at_open(1))
    assert (status(engine, racing), status(engine, resting)) == ("filled", "pending_cancel")
    advance(engine, at_open(2))

    assert status(engine, resting) == "canceled"
    kinds = [e.kind for e in engine.book.events if e.order and e.order.id == resting.id]
    assert kinds.count("pending_cancel") == 1


def test_a_cancel_may_come_too_late_or_fail_at_the_broker() -> None:
    """Too late: it fills first and the answer is 422; a failure is a 500, once when so counted."""
    engine = steady()
    change(engine, "cancels", mode="filled", count=1)
    late, other = engine.submit(body("10")), engine.submit(body("1"))
    with pytest.raises(Refused, match=r'422 .*already in "filled" state'):
        engine.cancel(late.id)
    change(engine, "cancels", mode="refused", count=1)
    with pytest.raises(Refused, match="500 50010000"):
        engine.cancel(other.id)

    assert engine.book.ledger.quantity("X") == 10_000_000_000
    assert engine.cancel(other.id).status == "canceled"


def test_executions_come_after_the_end_and_beyond_the_quantity() -> None:
    """A cancelled order is filled after all; a filled one gets two shares too many."""
    engine = steady()
    order = engine.submit(body("10", client_order_id="ours"))
    engine.cancel(order.id)
    change(engine, "fill", order="ours", qty="4", price="99")
    assert (status(engine, order), engine.book.registry.get(order.id).filled) == ("canceled", 4_000_000_000)
    change(engine, "fill", order=order.id)
    assert status(engine, order) == "filled"
    with pytest.raises(Refused, match="nothing remains of the order"):
        change(engine, "fill", order=order.id)
    change(engine, "fill", order=order.id, qty="2")
    shown = order_json(engine, engine.book.registry.get(order.id), nested=False)

    assert (shown["qty"], shown["filled_qty"], shown["status"]) == ("10", "12", "filled")
    assert list_activities(engine, "FILL", {})[0]["leaves_qty"] == "0"
    assert account_json(engine)["cash"] == str(100_000 - 4 * 99 - 8 * 100)


def test_a_busted_execution_gives_back_shares_money_and_fee() -> None:
    """It disappears from the activities; the order's record stays as it was."""
    engine = steady(Costs(half_spread_ppm=0, slippage_ppm=0, per_share=10_000))
    order = bought(engine)
    assert account_json(engine)["cash"] == "98999.9"
    said = change(engine, "bust")

    assert account_json(engine)["cash"] == "100000"
    assert (engine.book.ledger.holdings, engine.book.fills) == ({}, [])
    assert list_activities(engine, "", {}) == []
    assert (engine.book.events[-2].kind, said["order_id"]) == ("trade_bust", order.id)
    assert engine.book.registry.get(order.id) == order
    with pytest.raises(Refused, match="execution not found"):
        change(engine, "bust")


def test_a_corrected_execution_has_a_new_id_and_the_old_one_is_gone() -> None:
    """Ten at 100 become ten at 98: 20 dollars come back."""
    engine = steady()
    bought(engine)
    old = engine.book.fills[0].id
    new = change(engine, "correct", price="98")["execution_id"]
    row = list_activities(engine, "FILL", {})

    assert [(r["price"], r["qty"], r["cum_qty"]) for r in row] == [("98", "10", "10")]
    assert new == engine.book.fills[0].id != old
    assert account_json(engine)["cash"] == "99020"
    assert change(engine, "trade", symbol="X", side="buy", qty="1")["execution_id"] not in (old, new)


def test_shares_that_were_sold_cannot_be_taken_back() -> None:
    """The rehearsal account never goes short, not even by a bust."""
    engine = steady()
    bought(engine)
    first = engine.book.fills[0].id
    change(engine, "trade", symbol="X", side="sell", qty="10")

    with pytest.raises(Refused, match="would be short X"):
        change(engine, "bust", execution=first)


@pytest.mark.parametrize("name", ["done_for_day", "suspended", "calculated", "pending_review", "quantum"])
def test_an_order_in_an_odd_status_is_open_and_does_not_meet_the_market(name: str) -> None:
    """It is streamed under its name; the rest of its life goes on: it can be cancelled."""
    engine = steady()
    order = engine.submit(body("10", client_order_id="ours"))
    change(engine, "set_status", order="ours", status=name)
    advance(engine, at_open(2))

    assert (status(engine, order), engine.book.registry.get(order.id).filled) == (name, 0)
    assert name in [event.kind for event in engine.book.events]
    assert engine.cancel(order.id).status == "canceled"
    with pytest.raises(Refused, match='already in "canceled" state'):
        change(engine, "set_status", order="ours", status="held")


def test_a_blocked_account_takes_no_orders_and_says_so() -> None:
    """Each flag is shown and enforced; a reset lifts them all."""
    engine = steady()
    bought(engine)
    change(engine, "account", trading_blocked=True, buying_power="50", status="ACCOUNT_UPDATED")
    shown = account_json(engine)
    assert (shown["trading_blocked"], shown["buying_power"], shown["status"]) == (
        True,
        "50",
        "ACCOUNT_UPDATED",
    )
    with pytest.raises(Refused, match=r"403 .*blocked from trading"):
        engine.submit(body("0.1"))
    change(engine, "account", reset=True, closing_only=True)
    with pytest.raises(Refused, match="restricted to liquidation only"):
        engine.submit(body("0.1"))
    engine.submit(body("1", "sell"))
    change(engine, "account", reset=True, buying_power="50")
    with pytest.raises(Refused, match="insufficient buying power"):
        engine.submit(body("1"))
    change(engine, "account", buying_power="")

    assert engine.submit(body("1")).status == "new"


def test_an_asset_can_stop_being_tradable_or_fractionable() -> None:
    """What the asset says is what the broker enforces."""
    engine = steady()
    change(engine, "asset", symbol="X", fractionable=False)
    with pytest.raises(Refused, match="not fractionable"):
        engine.submit(body("0.5"))
    change(engine, "asset", symbol="X", tradable=False)
    with pytest.raises(Refused, match="not tradable"):
        engine.submit(body("1"))
    change(engine, "asset", symbol="X", status="inactive")
    with pytest.raises(Refused, match="not active"):
        engine.submit(body("1"))
    shown = asset_json(engine, engine.profile("X"))

    assert (shown["status"], shown["tradable"], shown["fractionable"]) == ("inactive", False, False)


def test_the_clock_can_be_wrong() -> None:
    """Two minutes ahead, and closed while trading goes on."""
    engine = steady()
    change(engine, "clock", skew_seconds=120, is_open=False)
    shown = clock_json(engine)

    assert (shown["timestamp"], shown["is_open"]) == ("2026-11-20T09:32:00-05:00", False)
    change(engine, "clock")
    assert clock_json(engine)["is_open"]


def test_what_is_planned_happens_by_itself_at_its_instant() -> None:
    """Ten shares are bought at the open and sold by hand in the third minute, in one step of time."""
    engine = steady()
    engine.submit(body("10"))
    engine.plan(at_open(2.5), {"kind": "trade", "symbol": "X", "side": "sell", "qty": "10"})
    engine.plan(at_open(2.5), {"kind": "trade", "symbol": "X", "side": "sell", "qty": "1"})
    advance(engine, at_open(10))

    assert [(f.side, f.at) for f in engine.book.fills] == [(1, at_open(0)), (-1, at_open(2.5))]
    assert engine.book.events[-1].kind == "change_refused"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "deposite"}, "change.kind = 'deposite': must be one of deposit"),
        ({"kind": "deposit"}, "change.amount: is missing"),
        ({"kind": "deposit", "amount": "-1"}, "change.amount = '-1': must be above zero"),
        ({"kind": "deposit", "ammount": 1, "amount": 1}, "change.ammount = 1: .* did you mean 'amount'"),
        ({"kind": "split", "symbol": "X", "new": 0}, "change.new = 0: must be a whole number from 1"),
        ({"kind": "fill", "order": "a", "qty": "x"}, "change.qty = 'x': 'x' is not a number"),
        ({"kind": "account", "trading_blocked": 1}, "trading_blocked = 1: must be true or false"),
    ],
)
def test_a_wrong_change_names_key_value_and_remedy(asked: dict[str, Any], said: str) -> None:
    """Nothing is guessed, nothing ignored, nothing changed."""
    engine = steady()
    before = len(engine.book.events)
    with pytest.raises(ConfigurationError, match=said):
        carry_out(engine, asked)

    assert len(engine.book.events) == before
