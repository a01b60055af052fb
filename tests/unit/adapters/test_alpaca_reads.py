"""Reading an account: only a proper answer counts, and schema drift stops nothing that can go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from alpaca.trading.enums import OrderStatus

from pipeline.adapters.alpaca import AlpacaBroker, AlpacaSettings, check_endpoints, parsing, verify_account
from pipeline.domain.market import Instrument
from pipeline.domain.orders import IntentState, Side
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.errors import AccountMismatch, BrokerRefused, BrokerUnavailable, ConfigurationError
from tests.unit.adapters.fake_alpaca import FakeAlpaca, Handler, an_order, fake_alpaca, says, settings_for

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
BY_CLIENT_ID = "GET /v2/orders:by_client_order_id"


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as server:
        yield server


@pytest.fixture
def broker(alpaca: FakeAlpaca) -> Iterator[AlpacaBroker]:
    opened = AlpacaBroker(settings_for(alpaca.url))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "<html>not found</html>"),
        (404, {"message": "no such route"}),
        (404, {"code": 40400000}),
        (200, None),
        (200, "{"),
        (200, []),
        (200, an_order(client_order_id="other")),
        (302, an_order()),
        (429, {"code": 42910000}),
        (500, {"code": 40410000}),
    ],
)
def test_only_the_brokers_own_not_found_proves_that_there_is_no_order(
    broker: AlpacaBroker, alpaca: FakeAlpaca, status: int, body: Any
) -> None:
    """A proxy's 404 would otherwise allow a second send."""
    assert broker.fetch_order("md1-none") is None

    alpaca.scripts[BY_CLIENT_ID] = says(status, body)
    with pytest.raises(BrokerUnavailable):
        broker.fetch_order("md1-aaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.mark.parametrize(
    "body", [None, "", {}, {"positions": []}, '[{"symbol": "SPY"', [{"symbol": "SPY"}], [7]]
)
def test_positions_that_cannot_be_read_are_never_flat(
    broker: AlpacaBroker, alpaca: FakeAlpaca, body: Any
) -> None:
    alpaca.scripts["GET /v2/positions"] = says(200, [])
    assert broker.fetch_positions() == ()

    alpaca.scripts["GET /v2/positions"] = says(200, body)
    with pytest.raises(BrokerUnavailable):
        broker.fetch_positions()


def test_a_short_position_is_negative_and_a_missing_price_is_zero(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    held = {"symbol": "SPY", "qty": "-2.5", "side": "short", "avg_entry_price": "671.20335"}
    flat = {"symbol": "QQQ", "qty": "0", "side": "long", "avg_entry_price": "0"}
    alpaca.scripts["GET /v2/positions"] = says(200, [held, flat])

    assert broker.fetch_positions() == (BrokerPosition("SPY", -2_500_000_000, -2_500_000_000, 6_712_034, 0),)


def test_credentials_that_are_refused_are_not_worth_another_try(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    alpaca.scripts["GET /v2/account"] = says(401, {"message": "forbidden."})

    with pytest.raises(BrokerRefused, match=r"401 forbidden\."):
        broker.fetch_account()


def test_cancelling_what_is_final_or_unknown_to_the_broker_is_no_error(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """An order that the broker forgot (a reset paper account) must not stop every pass at its cancel."""
    alpaca.scripts["DELETE /v2/orders/a-1"] = says(422, {"code": 42210000, "message": 'already "filled"'})
    alpaca.scripts["DELETE /v2/orders/a-2"] = says(204)
    alpaca.scripts["DELETE /v2/orders/a-3"] = says(503)
    broker.cancel("a-1")
    alpaca.scripts["DELETE /v2/orders/a-4"] = says(401, {"message": "forbidden."})
    broker.cancel("a-2")
    broker.cancel("never-known")

    with pytest.raises(BrokerUnavailable):
        broker.cancel("a-3")
    with pytest.raises(BrokerRefused):
        broker.cancel("a-4")


def test_every_status_that_alpaca_names_has_a_meaning() -> None:
    """The SDK's own list: 'replaced' ended under this id; a live order that was partly filled is PARTIAL."""
    final = {"filled": "filled", "canceled": "cancelled", "expired": "expired", "rejected": "rejected"}
    final["replaced"] = "cancelled"

    for status in OrderStatus:
        state = parsing.order_state(status.value, 0)
        assert state.value == final.get(status.value, "acked")
        assert parsing.order_state(status.value, 1).value == final.get(status.value, "partial")
    assert parsing.order_state("partially_filled", 5) is IntentState.PARTIAL
    assert parsing.order_state("brand_new_status", 5) is IntentState.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"qty": 2, "filled_qty": 1.5, "filled_avg_price": 100.25},
            (2 * 10**9, 15 * 10**8, 1_002_500, "partial"),
        ),
        ({"qty": None, "notional": "200", "filled_qty": "0.3"}, (3 * 10**8, 3 * 10**8, 0, "partial")),
        ({"status": "filled", "filled_qty": None}, (297_947_332, 0, 0, "unknown")),
        ({"status": None}, (297_947_332, 0, 0, "unknown")),
        (
            {"novelty": {"a": 1}, "submitted_at": None, "created_at": "2026-11-20T15:00:00Z"},
            (297_947_332, 0, 0, "acked"),
        ),
        ({"submitted_at": None}, (297_947_332, 0, 0, "acked")),
    ],
)
def test_an_order_is_read_in_spite_of_drift(changes: Mapping[str, Any], expected: tuple[Any, ...]) -> None:
    """Numbers for strings, nulls, new fields; what was filled and is not told makes the state unknown."""
    order = parsing.parse_order(an_order(**changes))

    assert (order.quantity, order.filled, order.average_price, order.state.value) == expected


def test_an_account_is_read_without_the_fields_that_alpaca_has_removed() -> None:
    """The pattern-day-trader fields went on 2026-07-06 and stopped other platforms at start-up."""
    body = {"account_number": "PA3ABC", "status": "ACTIVE", "equity": "10000.005", "cash": "9000"}

    assert parsing.parse_account(body) == Account(
        "PA3ABC", "paper", 10_000_005_000, 9_000_000_000, 9_000_000_000, blocked=False
    )
    assert parsing.parse_account(body | {"account_number": "123456789"}).mode == "live"
    assert parsing.parse_account(body | {"status": "ACCOUNT_CLOSED"}).blocked
    assert parsing.parse_account(body | {"trade_suspended_by_user": True}).blocked


def test_open_orders_are_complete_beyond_a_page_even_when_all_are_of_one_instant(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """1,203 orders, 1,100 of them submitted in the same microsecond; a page holds 500."""
    instants = [NOON] * 1_100 + [NOON + timedelta(seconds=i) for i in range(1, 104)]
    orders = [
        an_order(id=f"id-{i}", client_order_id=f"c-{i}", submitted_at=at.isoformat())
        for i, at in enumerate(instants)
    ]

    def page(handler: Handler, query: dict[str, Any]) -> None:
        after = datetime.fromisoformat(query["after"]) if "after" in query else NOON - timedelta(days=1)
        first = int(query.get("after_order_id", "id--1").removeprefix("id-")) + 1
        rows = [row for row in orders[first:] if datetime.fromisoformat(row["submitted_at"]) > after]
        handler.answer(200, rows[: int(query["limit"])])

    alpaca.scripts["GET /v2/orders"] = page

    assert {order.id for order in broker.fetch_open_orders()} == {row["id"] for row in orders}
    assert len(broker.fetch_orders(NOON + timedelta(seconds=100))) == 4


def test_orders_that_do_not_go_on_are_not_taken_for_all(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    """A server that repeats one full page for ever."""
    page = [an_order(id=f"id-{i}", client_order_id=f"c-{i}") for i in range(500)]
    alpaca.scripts["GET /v2/orders"] = says(200, page)

    with pytest.raises(BrokerUnavailable, match="does not go on after 500"):
        broker.fetch_open_orders()


def test_fills_are_complete_beyond_a_page_and_begin_at_the_asked_instant(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    rows = [
        {
            "id": f"{i:04d}::x",
            "activity_type": "FILL",
            "order_id": "o-1",
            "symbol": "SPY",
            "side": "sell_short" if i % 2 else "buy",
            "qty": "0.000000001",
            "price": "671.2049",
            "transaction_time": (NOON + timedelta(milliseconds=i)).isoformat(),
        }
        for i in range(250)
    ]

    def page(handler: Handler, query: dict[str, Any]) -> None:
        first = int(query["page_token"].split("::")[0]) + 1 if "page_token" in query else 0
        handler.answer(200, rows[first : first + int(query["page_size"])])

    alpaca.scripts["GET /v2/account/activities/FILL"] = page
    fills = broker.fetch_fills(NOON + timedelta(milliseconds=3))

    assert [fill.id for fill in fills] == [f"{i:04d}::x" for i in range(3, 250)]
    assert (fills[0].side, fills[0].quantity, fills[0].price, fills[0].order_id) == (
        Side.SELL,
        1,
        6_712_049,
        "o-1",
    )


def test_cash_activities_are_the_money_that_moved_without_a_fill(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    kinds = [("FEE", "-0.01"), ("DIV", "1.02"), ("CSW", "-500"), ("SPLIT", None), ("JNLC", "0")]
    rows: list[dict[str, Any]] = [
        {"id": kind, "activity_type": kind, "net_amount": amount, "date": "2026-11-20", "symbol": "T"}
        for kind, amount in kinds
    ]
    rows.append(rows[0] | {"id": "undone", "status": "canceled"})
    rows.append({"id": "f", "activity_type": "FILL"})
    alpaca.scripts["GET /v2/account/activities"] = says(200, rows)
    at = datetime(2026, 11, 20, tzinfo=UTC)

    assert broker.fetch_cash_activities(date(2026, 11, 20)) == (
        CashActivity("FEE", "FEE", -10_000, at, "T"),
        CashActivity("DIV", "DIV", 1_020_000, at, "T"),
        CashActivity("CSW", "CSW", -500_000_000, at, "T"),
    )
    assert broker.fetch_cash_activities(date(2026, 11, 21)) == ()


@pytest.mark.parametrize("padding", [0, 30])
def test_instruments_tell_steps_and_leave_out_what_the_broker_does_not_know(
    broker: AlpacaBroker, alpaca: FakeAlpaca, padding: int
) -> None:
    """One by one, or by the whole list when many are asked for."""
    spy = {"symbol": "SPY", "status": "active", "tradable": True, "fractionable": True, "shortable": True}
    thin = {"symbol": "THIN", "status": "inactive", "tradable": True, "fractionable": False}
    alpaca.scripts["GET /v2/assets/SPY"] = says(200, spy)
    alpaca.scripts["GET /v2/assets/THIN"] = says(200, thin)
    alpaca.scripts["GET /v2/assets"] = says(200, [spy, thin, {"symbol": "OTHER"}])
    unknown = ["NONE", "../orders", *(f"X{i}" for i in range(padding))]

    assert broker.fetch_instruments(["SPY", "THIN", *unknown]) == {
        "SPY": Instrument("SPY", lot=1),
        "THIN": Instrument("THIN", 100, 1_000_000_000, tradable=False, fractionable=False, shortable=False),
    }


PAPER = "https://paper-api.alpaca.markets"
LIVE = "https://api.alpaca.markets"


def real_settings(mode: Any, trading: str, key: str) -> AlpacaSettings:
    stream = trading.replace("https", "wss") + "/stream"
    return AlpacaSettings(
        key,
        "s",
        trading,
        stream,
        "https://data.alpaca.markets",
        "wss://stream.data.alpaca.markets",
        mode=mode,
    )


@pytest.mark.parametrize(
    ("mode", "trading", "key", "account"),
    [
        ("paper", LIVE, "PK1", "PA1"),
        ("paper", PAPER, "AK1", "PA1"),
        ("paper", PAPER, "PK1", "123"),
        ("paper", "https://alpaca.example", "PK1", "PA1"),
        ("live", PAPER, "AK1", "123"),
        ("live", LIVE, "PK1", "123"),
        ("live", LIVE, "AK1", "PA1"),
        ("paper", "https://127.0.0.1", "PK1", "PA1"),
    ],
)
def test_host_key_and_account_must_all_be_of_the_configured_mode(
    mode: str, trading: str, key: str, account: str
) -> None:
    shown = Account(account, parsing.account_mode(account), 0, 0, 0, blocked=False)

    with pytest.raises(AccountMismatch):
        verify_account(real_settings(mode, trading, key), shown)


def test_a_matching_account_passes_and_a_mismatched_host_is_never_called(alpaca: FakeAlpaca) -> None:
    paper = Account("PA1", "paper", 0, 0, 0, blocked=False)
    verify_account(real_settings("paper", PAPER, "PK1"), paper)
    verify_account(real_settings("live", LIVE, "AK1"), Account("123", "live", 0, 0, 0, blocked=False))
    verify_account(settings_for(alpaca.url), paper)
    check_endpoints(settings_for(alpaca.url))

    with pytest.raises(AccountMismatch):
        AlpacaBroker(real_settings("paper", LIVE, "PK1"))
    with pytest.raises(AccountMismatch):
        verify_account(settings_for(alpaca.url), Account("123", "live", 0, 0, 0, blocked=False))


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "paper"},
        {"trading_url": "https://alpaca.example"},
        {"mode": "paper", "data_url": "http://data.alpaca.markets"},
        {"trading_url": "http://me:word@127.0.0.1:1"},
        {"secret_key": ""},
    ],
)
def test_addresses_that_leak_credentials_are_refused(changes: dict[str, Any]) -> None:
    """Plain http to elsewhere, a rehearsal that leaves the machine, user names in addresses."""
    with pytest.raises(ConfigurationError):
        settings_for("http://127.0.0.1:1", **changes)


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "https://alpaca.markets.evil.example",
        "https://data.alpaca.markets@evil.example",
    ],
)
def test_market_data_that_is_not_alpacas_never_gets_the_keys(mode: str, address: str) -> None:
    """T11: the keys travel with every question for prices, too."""
    told = real_settings(mode, PAPER if mode == "paper" else LIVE, "PK1" if mode == "paper" else "AK1")
    for changes in ({"data_url": address}, {"data_stream_url": address.replace("https", "wss")}):
        with pytest.raises(ConfigurationError):
            replace(told, **changes)  # type: ignore[arg-type]
