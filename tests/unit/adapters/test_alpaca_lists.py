"""Rows that cannot be read, orders that were replaced, cancels that failed, shares that changed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.alpaca import AlpacaBroker, parsing
from pipeline.domain.corporate import CorporateAction, CorporateKind
from pipeline.domain.orders import IntentState
from pipeline.errors import AnswerUnreadable, BrokerUnavailable, RowsUnreadable
from tests.exchange.openapi import data_file
from tests.unit.adapters.fake_alpaca import FakeAlpaca, Handler, an_order, fake_alpaca, says, settings_for

BY_CLIENT_ID = "GET /v2/orders:by_client_order_id"
OURS = "md1-aaaaaaaaaaaaaaaaaaaaaaaa"
DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as server:
        yield server


@pytest.fixture
def broker(alpaca: FakeAlpaca) -> Iterator[AlpacaBroker]:
    opened = AlpacaBroker(settings_for(alpaca.url))
    yield opened
    opened.close()


def a_fill(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"f-{number}",
        "activity_type": "FILL",
        "order_id": "o-1",
        "symbol": "SPY",
        "side": "buy",
        "qty": "1",
        "price": "671.2",
        "transaction_time": "2026-11-20T15:00:00Z",
    } | fields


BROKEN_ORDERS = [
    an_order(id="o-2", qty="many"),
    an_order(id="o-2", side="sideways"),
    an_order(id="o-2", symbol=None),
    {"id": "o-2"},
    "o-2",
]


@pytest.mark.parametrize("broken", BROKEN_ORDERS, ids=lambda row: str(row)[:30])
def test_an_order_that_cannot_be_read_is_told_beside_those_that_can(
    broker: AlpacaBroker, alpaca: FakeAlpaca, broken: Any
) -> None:
    """Of three open orders one is garbage: two can be cancelled, and nobody takes them for all."""
    rows = [an_order(id="o-1"), broken, an_order(id="o-3")]
    alpaca.scripts["GET /v2/orders"] = says(200, rows)

    for ask in (broker.fetch_open_orders, lambda: broker.fetch_orders(DAY)):
        with pytest.raises(RowsUnreadable) as caught:
            ask()
        error = pickle.loads(pickle.dumps(caught.value))

        assert [order.id for order in error.readable] == ["o-1", "o-3"]
        assert len(error.unreadable) == 1
        assert "1 of 3" in str(error)


def test_an_execution_that_cannot_be_read_does_not_hide_the_others(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    rows = [a_fill(1), a_fill(2, price=None), a_fill(3, qty=2, price=671.25)]
    alpaca.scripts["GET /v2/account/activities/FILL"] = says(200, rows)

    with pytest.raises(RowsUnreadable) as caught:
        broker.fetch_fills(DAY)

    assert [getattr(fill, "quantity", 0) for fill in caught.value.readable] == [10**9, 2 * 10**9]
    assert caught.value.unreadable == ("f-2: price is None",)


def test_positions_of_which_one_cannot_be_read_are_not_answered(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Part of the list would be taken for the rest being flat."""
    held = {"symbol": "SPY", "qty": "2", "side": "long", "avg_entry_price": "671"}
    alpaca.scripts["GET /v2/positions"] = says(200, [held, held | {"qty": None, "symbol": "QQQ"}])

    with pytest.raises(AnswerUnreadable) as caught:
        broker.fetch_positions()

    assert not isinstance(caught.value, RowsUnreadable)


def test_an_order_that_cannot_be_read_concerns_itself_alone(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    """The line is fine: recovery goes on with the other orders. A dead line is another error."""
    alpaca.scripts[BY_CLIENT_ID] = says(200, an_order(client_order_id=OURS, qty={"a": 1}))
    with pytest.raises(AnswerUnreadable):
        broker.fetch_order(OURS)

    alpaca.scripts[BY_CLIENT_ID] = says(503)
    with pytest.raises(BrokerUnavailable) as caught:
        broker.fetch_order(OURS)
    assert not isinstance(caught.value, AnswerUnreadable)


DRIFT: list[dict[str, Any]] = [
    {"filled_avg_price": "n/a"},
    {"filled_avg_price": {"amount": "1"}},
    {"submitted_at": "yesterday", "created_at": None},
    {"submitted_at": 1_795_000_000},
    {"id": 61},
    {"side": "BUY"},
    {"legs": "none"},
    {"qty": 0.297947332, "filled_qty": 0},
    {"hwm": [1], "brand_new": None},
]


@pytest.mark.parametrize("changes", DRIFT, ids=str)
def test_a_field_that_changed_its_type_stops_no_reader_that_does_not_need_it(changes: dict[str, Any]) -> None:
    order = parsing.parse_order(an_order(**changes))

    assert (order.quantity, order.filled, order.state) == (297_947_332, 0, IntentState.ACKED)


@pytest.mark.parametrize("filled", [None, "many", {"a": 1}, True, "-1"])
def test_an_order_that_does_not_say_what_was_executed_is_unknown(filled: Any) -> None:
    assert parsing.parse_order(an_order(status="filled", filled_qty=filled)).state is IntentState.UNKNOWN


def test_every_status_of_alpacas_specification_has_a_meaning() -> None:
    """The enum of trading-api.json: five of them end an order, the others leave it alive."""
    specification = json.loads(data_file("alpaca_openapi/trading-api.json").read_text("utf-8"))
    named = specification["components"]["schemas"]["OrderStatus"]["enum"]
    states = {status: parsing.order_state(status, 0) for status in named}

    assert len(named) >= 17
    assert {status for status, state in states.items() if state.terminal} == {
        "filled",
        "canceled",
        "expired",
        "rejected",
        "replaced",
    }
    assert IntentState.UNKNOWN not in states.values()


@given(status=st.text(max_size=30), filled=st.integers(0, 10**12))
def test_any_other_status_is_unknown_and_never_an_error(status: str, filled: int) -> None:
    known = parsing.LIVE_STATUSES | set(parsing.FINAL_STATUSES)
    state = parsing.parse_order(an_order(status=status, filled_qty=filled)).state

    assert (state is IntentState.UNKNOWN) is (status not in known)


def chained(alpaca: FakeAlpaca, *orders: dict[str, Any]) -> None:
    """Have the broker replace our order by the next of ``orders``, and so on."""
    first, *others = orders
    alpaca.scripts[BY_CLIENT_ID] = says(200, an_order(client_order_id=OURS, **first))
    for order in others:
        alpaca.scripts[f"GET /v2/orders/{order['id']}"] = says(200, an_order(client_order_id="x", **order))


def test_an_order_that_was_replaced_is_followed_to_the_one_that_stands(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Ten shares, two executed, replaced twice; the last has executed five of ten in all, as FIX counts."""
    replaced = {"qty": "10", "filled_qty": "2", "status": "replaced"}
    chained(
        alpaca,
        {"id": "a", "replaced_by": "b", **replaced},
        {"id": "b", "replaced_by": "c", **replaced},
        {"id": "c", "qty": "10", "filled_qty": "5", "status": "partially_filled"},
    )
    order = broker.fetch_order(OURS)

    assert order is not None
    assert (order.id, order.client_id, order.state) == ("c", OURS, IntentState.PARTIAL)
    assert (order.quantity, order.filled) == (10 * 10**9, 5 * 10**9)


def test_an_order_replaced_by_a_smaller_one_ends_with_what_that_executed(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Ten ordered, cut to four, four executed: six will never come."""
    chained(
        alpaca,
        {"id": "a", "qty": "10", "status": "replaced", "replaced_by": "b"},
        {"id": "b", "qty": "4", "filled_qty": "4", "status": "filled"},
    )
    order = broker.fetch_order(OURS)

    assert order is not None
    assert (order.quantity, order.filled, order.state) == (10 * 10**9, 4 * 10**9, IntentState.CANCELLED)


@pytest.mark.parametrize("following", ["a", "b", "nowhere"])
def test_a_chain_that_leads_nowhere_is_unreadable_and_ends(
    broker: AlpacaBroker, alpaca: FakeAlpaca, following: str
) -> None:
    """Round in a circle, or to an order that the broker does not know: this order is unresolved."""
    chained(
        alpaca,
        {"id": "a", "status": "replaced", "replaced_by": "b"},
        {"id": "b", "status": "replaced", "replaced_by": following},
    )

    with pytest.raises(AnswerUnreadable):
        broker.fetch_order(OURS)
    assert len(alpaca.asked) <= 3


def test_a_chain_without_end_is_left_after_ten(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    links = [{"id": f"o-{i}", "status": "replaced", "replaced_by": f"o-{i + 1}"} for i in range(50)]
    chained(alpaca, *links)

    with pytest.raises(AnswerUnreadable):
        broker.fetch_order(OURS)
    assert len(alpaca.asked) <= 12


def test_replaced_by_nobody_knows_what_is_unknown(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    """Alpaca also says "replaced" of orders changed by a corporate action: its rest may live on."""
    chained(alpaca, {"id": "a", "status": "replaced", "replaced_by": None})
    order = broker.fetch_order(OURS)

    assert order is not None
    assert order.state is IntentState.UNKNOWN


def test_each_item_of_a_broker_wide_cancel_is_looked_at(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    """F61. 207: accepted, ended already, gone, and refused. One request for all of them."""
    alpaca.scripts["DELETE /v2/orders"] = says(
        207,
        [
            {"id": "a", "status": 200},
            {"id": "b", "status": 422, "body": {"message": "order is already filled"}},
            {"id": "c", "status": 404},
            {"id": "d", "status": 500, "body": {"code": 50010000, "message": "failed to cancel order"}},
            {"id": "e", "status": "503"},
        ],
    )

    assert broker.cancel_all() == {
        "d": "HTTP 500 failed to cancel order",
        "e": "HTTP 503 no reason given",
    }
    assert [route for route, _ in alpaca.asked] == ["DELETE /v2/orders"]


@pytest.mark.parametrize("body", [None, {"ok": True}, [{"id": "a"}], ["a"]])
def test_a_broker_wide_cancel_without_an_item_for_each_order_is_not_done(
    broker: AlpacaBroker, alpaca: FakeAlpaca, body: Any
) -> None:
    alpaca.scripts["DELETE /v2/orders"] = says(207, body)

    with pytest.raises(AnswerUnreadable):
        broker.cancel_all()


def a_row(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": kind,
        "activity_type": kind,
        "symbol": "SPY",
        "date": "2026-11-20",
        "net_amount": "0",
    } | fields


def action(kind: CorporateKind, *ratio: int, name: str, told: str = "SPY") -> CorporateAction:
    return CorporateAction(name, kind, "SPY", *ratio, DAY, told)


def test_corporate_actions_tell_splits_with_their_ratio_and_leave_the_rest_to_people(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """2:1 and 1:8 by the rates, 3:2 by shares out and in, 1:3 of decimals; money and undone rows are none."""
    halves = {"group_id": "g", "qty": "-200"}
    rows = [
        a_row("SPLIT", id="two", new_rate="2", old_rate="1", qty="10"),
        a_row("SPLIT", id="eighth", new_rate=1, old_rate=8),
        a_row("SPLIT", id="out", **halves),
        a_row("SPLIT", id="in", **halves | {"qty": "300"}),
        a_row("SPLIT", id="third", details={"new_rate": "0.5", "old_rate": "1.5"}),
        a_row("SPLIT", id="undone", new_rate="2", old_rate="1", status="canceled"),
        a_row("NC", description="SPY becomes SPYX"),
        a_row("SPIN"),
        a_row("MA"),
        a_row("DIV", id="shares", activity_sub_type="SDIV"),
        a_row("DIV", net_amount="3"),
        a_row("CSD", net_amount="1000"),
        {"id": "f", "activity_type": "FILL"},
    ]
    alpaca.scripts["GET /v2/account/activities"] = says(200, rows)
    found = {one.id: one for one in broker.fetch_corporate_actions(DAY.date())}

    assert found == {
        "two": action(CorporateKind.SPLIT, 2, 1, name="two"),
        "eighth": action(CorporateKind.SPLIT, 1, 8, name="eighth"),
        "out": action(CorporateKind.SPLIT, 3, 2, name="out"),
        "third": action(CorporateKind.SPLIT, 1, 3, name="third"),
        "NC": action(CorporateKind.SYMBOL_CHANGE, 0, 0, name="NC", told="SPY SPY becomes SPYX"),
        "SPIN": action(CorporateKind.SPIN_OFF, 0, 0, name="SPIN"),
        "MA": action(CorporateKind.OTHER, 0, 0, name="MA"),
        "shares": action(CorporateKind.OTHER, 0, 0, name="shares"),
    }
    assert [one.rescales for one in found.values()] == [True] * 4 + [False] * 4
    assert broker.fetch_corporate_actions(date(2026, 11, 21)) == ()


def test_a_split_that_does_not_tell_its_ratio_is_looked_up_among_the_announced(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Booked on the 20th, announced for the 19th; others for the 10th and the 30th. QQQ's is nowhere."""
    alpaca.scripts["GET /v2/account/activities"] = says(
        200, [a_row("SPLIT", qty="10"), a_row("SPLIT", id="other", symbol="QQQ", qty="1")]
    )

    def announced(handler: Handler, query: dict[str, Any]) -> None:
        assert query["start"] <= "2026-11-19" <= query["end"]
        rows = [
            {"symbol": "SPY", "ex_date": "2026-11-19", "new_rate": 2, "old_rate": 1},
            {"symbol": "SPY", "ex_date": "2026-11-10", "new_rate": 7, "old_rate": 1},
            {"symbol": "SPY", "ex_date": "2026-11-30", "new_rate": 5, "old_rate": 1},
        ]
        splits = {"forward_splits": [row for row in rows if row["symbol"] == query["symbols"]]}
        handler.answer(200, {"corporate_actions": splits, "next_page_token": None})

    alpaca.scripts["GET /v1/corporate-actions"] = announced
    found = broker.fetch_corporate_actions(DAY.date())

    assert [(one.symbol, one.numerator, one.denominator) for one in found] == [("SPY", 2, 1), ("QQQ", 0, 0)]


def test_an_account_tells_why_it_is_restricted() -> None:
    """F43. Each of Alpaca's flags, a status that is not usable, and closing only; flags as text, too."""
    rich = {"account_number": "PA1", "equity": "1", "cash": "1", "status": "ACTIVE"}
    told = {
        parsing.parse_account(rich | changes).restriction
        for changes in (
            {"trading_blocked": True},
            {"account_blocked": "true", "trading_blocked": "false"},
            {"trade_suspended_by_user": True},
            {"status": "LIMITED"},
            {
                "admin_configurations": {
                    "restrict_to_liquidation_reasons": {"margin_call": True, "other": False}
                }
            },
            {"trading_blocked": "false", "admin_configurations": None},
        )
    }

    assert told == {
        "trading_blocked",
        "account_blocked",
        "trade_suspended_by_user",
        "status LIMITED",
        "closing only (margin_call)",
        "",
    }


def test_the_brokers_clock_is_read_in_utc_whatever_zone_and_type_it_answers_in(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Alpaca answers in New York time with nanoseconds; F41: a truth value that became a text."""
    alpaca.scripts["GET /v2/clock"] = says(
        200,
        {
            "timestamp": "2026-11-20T12:00:00.123456789-05:00",
            "is_open": "true",
            "next_open": "2026-11-23T09:30:00-05:00",
            "next_close": "2026-11-20T16:00:00-05:00",
        },
    )
    clock = broker.fetch_clock()

    assert (clock.now, clock.is_open) == (datetime(2026, 11, 20, 17, 0, 0, 123_456, tzinfo=UTC), True)
