"""Every answer of the exchange, errors included, is one that Alpaca's OpenAPI documents describe."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from pipeline.exchange.process import RunningExchange
from tests.exchange.openapi import Conformance
from tests.exchange.running import KEY, SECRET, a_config, running_exchange

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


class Client:
    """Sends requests and checks each answer."""

    def __init__(self, url: str, conformance: Conformance) -> None:
        self._url = url
        self._conformance = conformance
        self._session = requests.Session()
        self._session.headers.update({"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET})

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """Return the checked body of an answer that must have ``status``."""
        answer = self._session.request(method, self._url + path, timeout=10, **options)
        assert answer.status_code == status, answer.text
        body = answer.json() if answer.content else None
        self._conformance.check(method, path, status, body)
        return body

    def close(self) -> None:
        """Release the connection."""
        self._session.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    """One exchange with fees for the whole walk."""
    config = a_config(fees={"per_share": "0.0035", "sell_ppm": 28})
    with running_exchange(tmp_path_factory.mktemp("conformance"), config) as running:
        yield running


@pytest.fixture
def client(exchange: RunningExchange) -> Iterator[Client]:
    """A client that checks what it gets."""
    client = Client(exchange.url, Conformance())
    yield client
    client.close()


def order(symbol: str, qty: str, side: str = "buy", **more: Any) -> dict[str, Any]:
    """Return the body of a market day order; ``more`` adds or replaces keys."""
    return {"symbol": symbol, "qty": qty, "side": side, "type": "market", "time_in_force": "day"} | more


def test_every_endpoint_answers_as_documented(exchange: RunningExchange, client: Client) -> None:
    """A morning: buy, protect, change, cancel, sell, and look at everything in between."""
    control = exchange.control()
    control.advance(OPEN)
    bought = client.call("POST", "/v2/orders", json=order("SPY", "10.5", client_order_id="walk-1"))
    bracket = order("THIN", "100", type="limit", limit_price="25", time_in_force="gtc", order_class="bracket")
    exits = {"take_profit": {"limit_price": "26"}, "stop_loss": {"stop_price": "15"}}
    entry = client.call("POST", "/v2/orders", json=bracket | exits)
    resting = client.call("POST", "/v2/orders", json=order("QQQ", "2", type="limit", limit_price=500.5))
    control.advance(OPEN + timedelta(minutes=2))

    changed = client.call("PATCH", f"/v2/orders/{resting['id']}", json={"limit_price": "501", "qty": 3})
    client.call("GET", f"/v2/orders/{changed['id']}")
    client.call("GET", f"/v2/orders/{entry['id']}", params={"nested": "True"})
    client.call("GET", "/v2/orders:by_client_order_id", params={"client_order_id": "walk-1"})
    for status in ("open", "closed", "all"):
        for nested in ("True", "False"):
            client.call("GET", "/v2/orders", params={"status": status, "nested": nested})
    client.call("DELETE", f"/v2/orders/{changed['id']}", 204)
    client.call("DELETE", "/v2/orders", 207)
    client.call("GET", "/v2/positions")
    client.call("GET", "/v2/positions/SPY")
    client.call("GET", f"/v2/positions/{bought['asset_id']}")
    client.call("DELETE", "/v2/positions/SPY", params={"percentage": "50"})
    control.advance(OPEN + timedelta(minutes=10))
    client.call("DELETE", "/v2/positions", 207, params={"cancel_orders": "True"})
    control.advance(OPEN + timedelta(hours=7))

    for path in (
        "",
        "/configurations",
        "/portfolio/history",
        "/activities",
        "/activities/FILL",
        "/activities/FEE",
    ):
        client.call("GET", f"/v2/account{path}")
    client.call("PATCH", "/v2/account/configurations", json={"suspend_trade": False, "pdt_check": None})
    client.call("GET", "/v2/clock")
    client.call("GET", "/v2/calendar", params={"start": "2026-11-25", "end": "2026-11-27"})
    client.call("GET", "/v2/assets")
    client.call("GET", "/v2/assets/SPY")


def test_market_data_answers_as_documented(exchange: RunningExchange, client: Client) -> None:
    """Bars of three lengths, quotes, trades, snapshots, and nothing where there is nothing."""
    asked = {"symbols": "SPY,THIN,NONE", "start": "2026-11-19T15:00:00Z"}

    for timeframe in ("1Min", "15Min", "1Hour", "1Day"):
        client.call("GET", "/v2/stocks/bars", params=asked | {"timeframe": timeframe, "limit": "30"})
    for kind in ("quotes", "trades"):
        client.call("GET", f"/v2/stocks/{kind}", params=asked | {"limit": "30"})
    for kind in ("bars", "quotes", "trades"):
        client.call("GET", f"/v2/stocks/{kind}/latest", params={"symbols": "SPY,THIN,NONE"})
    client.call("GET", "/v2/stocks/snapshots", params={"symbols": "SPY,THIN,NONE"})
    client.call("GET", "/v1beta1/news", params={"symbols": "SPY"})
    client.call("GET", "/v1/corporate-actions", params={"symbols": "SPY"})
    client.call("GET", "/v2/stocks/bars", 400, params={"symbols": "SPY", "timeframe": "7Weeks"})
    client.call("GET", "/v2/stocks/bars", 400, params={"timeframe": "1Min"})


def test_what_the_control_port_makes_true_is_told_as_documented(
    exchange: RunningExchange, client: Client
) -> None:
    """Every kind of activity, corporate action, odd order, flag and clock."""
    control = exchange.control()
    control.advance(max(control.now(), OPEN + timedelta(minutes=5)))
    control.trade("SPY", "buy", "3", price="600")
    control.correct(price="601")
    for change in (control.deposit, control.withdraw, control.fee, control.interest):
        change("10.5")
    control.dividend("SPY", "1.7732")
    control.split("SPY", 2, 1)
    control.advance(control.now() + timedelta(minutes=1))
    control.split("SPY", 1, 8)
    control.split("SPY", 3, 1, at=control.now() + timedelta(days=3))
    control.change("activity", type="SPIN", symbol="SPY", qty="5", description="spin-off")
    control.account(trading_blocked=True, status="ACCOUNT_UPDATED", buying_power="100")
    control.asset("THIN", status="inactive", tradable=False)
    control.clock(skew_seconds=-400, is_open=False)

    kinds = ("FILL", "CSD", "CSW", "FEE", "INT", "DIV", "SPLIT", "SPIN")
    for path in ("", *(f"/{kind}" for kind in kinds)):
        assert client.call("GET", f"/v2/account/activities{path}")
    actions = client.call("GET", "/v1/corporate-actions", params={"symbols": "SPY"})["corporate_actions"]
    for path in ("/v2/account", "/v2/positions", "/v2/clock", "/v2/assets/THIN", "/v2/orders?status=all"):
        client.call("GET", path.partition("?")[0], params={"status": "all"} if "?" in path else {})
    control.account(reset=True)
    control.asset("THIN", reset=True)
    control.clock()
    control.order(order("THIN", "5", type="limit", limit_price="2", client_order_id="odd"))
    for status in ("suspended", "held", "calculated", "stopped", "done_for_day", "rejected"):
        control.set_status("odd", status)
        client.call("GET", "/v2/orders:by_client_order_id", params={"client_order_id": "odd"})

    assert {kind: len(rows) for kind, rows in actions.items()} == {
        "forward_splits": 2,
        "reverse_splits": 1,
        "cash_dividends": 1,
    }


REFUSED = [
    (order("SPY", "1", client_order_id="twice"), 422, 40010001, "client_order_id must be unique"),
    (order("NONE", "1"), 422, 42210000, 'asset "NONE" not found'),
    (order("SPY", "0"), 422, 42210000, "qty must be > 0"),
    (order("SPY", "1.0000000001"), 422, 42210000, "qty increments can be no smaller than 0.000000001"),
    (order("SPY", "x"), 422, 42210000, "invalid qty x"),
    (order("SPY", "1", side="hold"), 422, 42210000, "invalid side: hold (this exchange knows buy, sell)"),
    (order("SPY", "1", type="limit"), 422, 42210000, "limit orders require limit price"),
    (order("SPY", "1", stop_price=1), 422, 42210000, "market orders must not have stop_price"),
    (
        order("SPY", "1", type="limit", limit_price=290.123),
        422,
        42210000,
        "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (order("SPY", "0.5", time_in_force="gtc"), 422, 42210000, "fractional orders must be DAY orders"),
    (order("THIN", "0.5"), 422, 42210000, 'asset "THIN" is not fractionable'),
    (order("SPY", "1", extended_hours=True), 422, 42210000, "extended hours order must be limit orders"),
    (
        order("SPY", "1", "sell", order_class="bracket"),
        422,
        42210000,
        "bracket orders require take_profit.limit_price",
    ),
    (order("SPY", "1000"), 403, 40310000, "insufficient buying power"),
    (order("QQQ", "1", "sell"), 403, 40310000, "account is not allowed to short"),
]


def test_refusals_carry_alpacas_status_code_and_words(client: Client) -> None:
    """The status and the code are what clients decide by."""
    client.call("POST", "/v2/orders", json=order("SPY", "1", client_order_id="twice"))

    for body, status, code, message in REFUSED:
        answer = client.call("POST", "/v2/orders", status, json=body)
        assert (answer["code"], answer["message"]) == (code, message)


def test_what_does_not_exist_is_a_404_and_what_is_over_cannot_be_changed(client: Client) -> None:
    """A definite 404 by client id is what allows a second send."""
    nowhere = str(uuid.UUID(int=0))
    gone = client.call("POST", "/v2/orders", json=order("SPY", "1", type="limit", limit_price=1))
    client.call("DELETE", f"/v2/orders/{gone['id']}", 204)

    assert client.call("GET", f"/v2/orders/{nowhere}", 404)["code"] == 40410000
    missing = {"client_order_id": "never"}
    assert client.call("GET", "/v2/orders:by_client_order_id", 404, params=missing)["code"] == 40410000
    assert client.call("GET", "/v2/positions/QQQ", 404)["message"] == "position does not exist"
    assert client.call("GET", "/v2/assets/NONE", 404)["code"] == 40410000
    assert client.call("DELETE", f"/v2/orders/{gone['id']}", 422)["message"] == (
        'order is already in "canceled" state'
    )
    assert client.call("PATCH", f"/v2/orders/{gone['id']}", 422, json={"qty": 2})["message"] == (
        "cannot replace order in canceled status"
    )
    assert client.call("POST", "/v2/orders", 400, data="{")["code"] == 40010000


def test_nobody_is_served_without_the_right_key(exchange: RunningExchange) -> None:
    """No code in the body, as at Alpaca: 401 without credentials, 403 with wrong ones."""
    wrong = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": "guess"}

    without = requests.get(f"{exchange.url}/v2/account", timeout=10)
    guessed = requests.get(f"{exchange.url}/v2/account", headers=wrong, timeout=10)

    assert (without.status_code, without.json()) == (401, {"message": "unauthorized."})
    assert (guessed.status_code, guessed.json()) == (403, {"message": "forbidden."})


def test_what_alpaca_has_and_the_exchange_has_not_is_a_404_in_json(client: Client) -> None:
    """Clients parse every answer: an unknown path must not be a page of text."""
    for path in ("/v2/watchlists", "/v2/stocks/auctions", "/v2/options/contracts"):
        assert client.call("GET", path, 404)["message"] == "endpoint not found."


def test_the_stream_speaks_binary_json_and_refuses_strangers(exchange: RunningExchange) -> None:
    """As Alpaca's paper server: binary frames; a wrong secret is unauthorized and cannot listen."""
    with connect(exchange.stream_url) as socket:
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        early = json.loads(socket.recv(timeout=5))
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": KEY, "secret_key": "guess"}}))
        wrong = json.loads(socket.recv(timeout=5))
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": KEY, "secret_key": SECRET}}))
        frame = socket.recv(timeout=5)
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        listening = json.loads(socket.recv(timeout=5))

    assert "error" in early["data"]
    assert wrong["data"]["status"] == "unauthorized"
    assert isinstance(frame, bytes)
    assert json.loads(frame)["data"] == {"status": "authorized", "action": "authenticate"}
    assert listening == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
