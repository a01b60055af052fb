"""Faults on the wire, before and after effect: what a client is answered, and what is true all the same."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from pipeline.errors import UsageError
from pipeline.exchange.control import ExchangeControl
from pipeline.exchange.fault_rules import FaultRule
from pipeline.exchange.process import RunningExchange
from tests.exchange.running import KEY, SECRET, running_exchange

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


class Desk:
    """A client of both ports of one exchange."""

    def __init__(self, exchange: RunningExchange) -> None:
        self.url = exchange.url
        self.control: ExchangeControl = exchange.control()
        self._orders = 0

    def get(self, path: str, **options: Any) -> requests.Response:
        """Ask Alpaca's port."""
        return requests.get(self.url + path, headers=HEADERS, **{"timeout": 5} | options)

    def buy(self, name: str, **options: Any) -> requests.Response:
        """Submit one share of SPY under a client order id."""
        body = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        asked = {"json": body | {"client_order_id": name}, "headers": HEADERS, "timeout": 5}
        return requests.post(f"{self.url}/v2/orders", **asked | options)

    def knows(self, name: str) -> bool:
        """Tell whether the order exists."""
        found = self.get("/v2/orders:by_client_order_id", params={"client_order_id": name})
        assert found.status_code in (200, 404)
        return found.status_code == 200

    def fault(self, kind: str, **fields: Any) -> str:
        """Put a fault in force, on submissions unless a path is given."""
        where = {"method": "POST", "path": "/v2/orders$"} if "path" not in fields else {}
        return self.control.add_fault(FaultRule(kind=kind, **where | fields))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    """One exchange for all, before its first open."""
    with running_exchange(tmp_path_factory.mktemp("faults")) as exchange:
        yield exchange


@pytest.fixture
def desk(running: RunningExchange) -> Iterator[Desk]:
    """A client of an exchange without faults."""
    desk = Desk(running)
    yield desk
    desk.control.clear_faults()


def test_the_same_fault_before_and_after_the_effect(desk: Desk) -> None:
    """504 both times; only the second order exists. It struck once: the third is answered."""
    fields = {"status": 504, "message": "gateway timeout"}
    desk.fault("status", when="before", **fields)
    assert (desk.buy("w-before").status_code, desk.knows("w-before")) == (504, False)
    desk.fault("status", when="after", **fields)
    answer = desk.buy("w-after")
    assert (answer.status_code, answer.json(), desk.knows("w-after")) == (
        504,
        {"message": "gateway timeout"},
        True,
    )

    assert desk.buy("w-third").status_code == 200
    assert [(f["hits"], f["seen"]) for f in desk.control.faults()] == [(1, 1), (1, 1)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_connection_gives_no_answer_at_all(desk: Desk, when: str) -> None:
    """The client cannot know: before, there is no order; after, there is one."""
    desk.fault("reset", when=when)
    with pytest.raises(requests.ConnectionError):
        desk.buy(f"reset-{when}")

    assert desk.knows(f"reset-{when}") == (when == "after")


def test_a_hanging_answer_does_not_hold_up_anybody_else(desk: Desk) -> None:
    """The order was taken; its answer never comes; another request is answered meanwhile."""
    desk.fault("hang", when="after", seconds=20)
    with pytest.raises(requests.ReadTimeout):
        desk.buy("hangs", timeout=0.3)
    began = time.monotonic()

    assert desk.knows("hangs")
    assert time.monotonic() - began < 0.3


@pytest.mark.parametrize("kind", ["malformed", "truncated", "empty", "html"])
def test_an_answer_that_is_no_json_says_nothing_about_the_order(desk: Desk, kind: str) -> None:
    """The order is there, whatever the answer looks like; a gateway's page is a 502."""
    desk.fault(kind, when="after")
    answer = desk.buy(f"is-{kind}")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        answer.json()

    assert (answer.status_code, desk.knows(f"is-{kind}")) == (502 if kind == "html" else 200, True)


def test_an_answer_can_end_in_mid_body_or_come_slowly(desk: Desk) -> None:
    """Torn: the promised length never arrives. Slow and dripping: whole, after half a second."""
    desk.fault("torn", when="after")
    with pytest.raises(BROKEN):
        desk.buy("torn")
    for kind in ("slow", "drip"):
        desk.fault(kind, path="/v2/account$", seconds=0.5)
        began = time.monotonic()
        assert desk.get("/v2/account").json()["currency"] == "USD"
        assert 0.4 < time.monotonic() - began < 2

    assert desk.knows("torn")


FIELDS = [
    ({"kind": "unknown_status"}, lambda order: order["status"] == "quantum_state"),
    ({"kind": "drop_field", "field": "symbol"}, lambda order: "symbol" not in order),
    ({"kind": "extra_field", "field": "mood", "value": "fine"}, lambda order: order.get("mood") == "fine"),
    (
        {"kind": "rename_field", "field": "qty", "value": "quantity"},
        lambda order: order.get("quantity") == "1",
    ),
    ({"kind": "wrong_type", "field": "qty"}, lambda order: order["qty"] == 1.0),
    ({"kind": "null_field", "field": "qty"}, lambda order: order["qty"] is None),
    (
        {"kind": "replace_field", "field": "filled_qty", "value": "-1"},
        lambda order: order["filled_qty"] == "-1",
    ),
]


@pytest.mark.parametrize(("fields", "holds"), FIELDS, ids=[fields["kind"] for fields, _ in FIELDS])
def test_the_schema_can_drift(desk: Desk, fields: dict[str, Any], holds: Any) -> None:
    """One field of every order in the answer, lists included; the next answer is right again."""
    desk.buy("drifts")
    desk.control.add_fault(FaultRule(path="/v2/orders", **fields))
    spoiled = desk.get("/v2/orders", params={"status": "all"}).json()

    assert spoiled
    assert all(holds(order) for order in spoiled)
    assert not any(holds(order) for order in desk.get("/v2/orders", params={"status": "all"}).json())


def test_a_429_carries_its_headers_and_strikes_as_often_as_told(desk: Desk) -> None:
    """The first request passes, the next two are refused, the fourth passes."""
    headers = {"Retry-After": "3", "X-RateLimit-Reset": "1795000000", "X-RateLimit-Remaining": "0"}
    desk.fault("status", path="/v2/account$", status=429, headers=headers, count=2, skip=1)
    answers = [desk.get("/v2/account") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "3"
    assert answers[1].headers["X-RateLimit-Reset"] == "1795000000"


def test_chance_is_seeded(desk: Desk) -> None:
    """The same seed and requests: the same strikes. Another seed: others."""

    def strikes(seed: int) -> list[int]:
        desk.fault("status", path="/v2/clock", status=503, probability=0.4, seed=seed, id="chance")
        answers = [desk.get("/v2/clock").status_code for _ in range(20)]
        desk.control.remove_fault("chance")
        return answers

    first = strikes(1)
    assert first == strikes(1) != strikes(2)
    assert 2 < first.count(503) < 16


def test_bars_on_the_wire_can_hold_what_no_json_has(desk: Desk) -> None:
    """NaN, as broken servers write it; only where the rule says."""
    day = datetime(2026, 11, 19, 15, tzinfo=UTC)
    asked = {"symbols": "SPY", "timeframe": "1Min", "start": day.isoformat(), "limit": "3"}
    window = {"start": day + timedelta(minutes=1), "end": day + timedelta(minutes=2)}
    desk.fault("data_nan", path="", symbol="SPY", **window)
    rows = desk.get("/v2/stocks/bars", params=asked).json()["bars"]["SPY"]

    assert [math.isnan(row["c"]) for row in rows] == [False, True, False]


def test_positions_can_be_empty_once(desk: Desk) -> None:
    """An answer that is not the truth: nothing is held, for one request."""
    desk.control.position("QQQ", 3, 1800)
    desk.fault("body", path="/v2/positions$", value=[])
    answers = [len(desk.get("/v2/positions").json()) for _ in range(2)]
    desk.control.position("QQQ", 0, 0)

    assert answers == [0, 1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "statuss"}, "fault.kind = 'statuss': must be one of status"),
        ({"kind": "status"}, "fault.status: is missing: say which, as in 504"),
        ({"kind": "hang"}, "fault.seconds: is missing: say how long, for hang"),
        ({"kind": "hang", "seconds": 900}, "fault.seconds = 900.0: is in real seconds: give at most 120"),
        ({"kind": "reset", "path": "("}, r"fault.path = '\(': is not a regular expression"),
        ({"kind": "reset", "propability": 0.5}, "fault.propability = 0.5: .* did you mean 'probability'"),
        ({"kind": "reset", "probability": 2}, "fault.probability = 2: must be a number from 0.0 to 1.0"),
        ({"kind": "reset", "from": "2026-11-20"}, "needs a time zone"),
        ({"kind": "drop_field"}, "fault.field: is missing"),
    ],
)
def test_a_wrong_fault_names_key_value_and_remedy(desk: Desk, asked: dict[str, Any], said: str) -> None:
    """Refused as a whole: nothing is in force."""
    with pytest.raises(UsageError, match=said):
        desk.control.call("/faults", asked)

    assert desk.control.faults() == []


def test_faults_are_named_removed_and_never_in_force_twice(desk: Desk) -> None:
    """An id is taken once; an unknown one is refused with those that are known."""
    desk.fault("reset", id="one")
    with pytest.raises(UsageError, match=r"fault.id = 'one': is in force already"):
        desk.fault("reset", id="one")
    with pytest.raises(UsageError, match="no fault 'two': one"):
        desk.control.remove_fault("two")
    desk.control.remove_fault("one")

    assert desk.buy("after-all").status_code == 200


def test_a_change_in_the_past_or_unreadable_is_refused(desk: Desk) -> None:
    """The words are those of the control port."""
    with pytest.raises(UsageError, match=r"change.at = .*has passed: it is 2026-11-20T13"):
        desk.control.deposit(1, at=OPEN - timedelta(days=1))
    with pytest.raises(UsageError, match=r"change.amount = 'much': 'much' is not a number"):
        desk.control.deposit("much", at=OPEN)

    assert desk.control.changes() == []


def test_a_late_order_is_answered_504_and_arrives_in_its_own_time(desk: Desk) -> None:
    """Nothing exists for 90 virtual seconds; then it does, and is filled like any other."""
    desk.control.advance(OPEN)
    desk.fault("late", seconds=90)
    assert (desk.buy("late").status_code, desk.knows("late")) == (504, False)
    desk.control.advance(OPEN + timedelta(seconds=89))
    assert not desk.knows("late")
    desk.control.advance(OPEN + timedelta(minutes=3))
    filled = desk.get("/v2/orders:by_client_order_id", params={"client_order_id": "late"}).json()

    assert (filled["status"], filled["filled_at"]) == ("filled", "2026-11-20T14:32:00Z")


def test_an_outage_lasts_from_one_virtual_instant_to_another(desk: Desk) -> None:
    """Only trading is down, for 90 seconds; the control port never is."""
    start = desk.control.now() + timedelta(minutes=1)
    desk.control.outage(start, start + timedelta(seconds=90), scope="trading")
    assert desk.get("/v2/account").ok
    desk.control.advance(start)
    with pytest.raises(requests.ConnectionError):
        desk.get("/v2/account")
    assert desk.get("/v2/stocks/quotes/latest", params={"symbols": "SPY"}).ok
    desk.control.advance(start + timedelta(seconds=90))

    assert desk.get("/v2/account").ok


def test_positions_can_lag_behind_orders(desk: Desk) -> None:
    """A trade of now is not among the positions of ten seconds ago."""
    before = desk.get("/v2/positions").json()
    desk.control.advance(desk.control.now() + timedelta(seconds=30))
    desk.control.trade("QQQ", "buy", 2)
    desk.fault("lag", path="/v2/positions$", seconds=10, count=1)
    behind, now = desk.get("/v2/positions").json(), desk.get("/v2/positions").json()

    assert [row["symbol"] for row in behind] == [row["symbol"] for row in before]
    assert "QQQ" in [row["symbol"] for row in now]
