"""One POST per submit, whatever happens, and the right word for what happened (FAULTS, submit table)."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.adapters.alpaca import AlpacaBroker
from pipeline.adapters.alpaca.outcomes import Answer, Verdict, classify_submit
from pipeline.domain.orders import Intent, IntentState, Purpose, Side
from pipeline.errors import BrokerUnavailable, MarketdayError, OrderRejected
from tests.unit.adapters.fake_alpaca import (
    KEY,
    SECRET,
    FakeAlpaca,
    Reply,
    an_order,
    drips,
    drops,
    fake_alpaca,
    hangs,
    says,
    settings_for,
    tears,
)

POST = "POST /v2/orders"
INTENT = Intent(
    id="md1-aaaaaaaaaaaaaaaaaaaaaaaa",
    account="PA1",
    strategy="momentum",
    symbol="SPY",
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    quantity=297_947_332,
    decided_at=datetime(2026, 11, 20, 15, 0, tzinfo=UTC),
    decision_price=6_712_000,
)


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as server:
        yield server


@pytest.fixture
def broker(alpaca: FakeAlpaca) -> Iterator[AlpacaBroker]:
    opened = AlpacaBroker(settings_for(alpaca.url))
    yield opened
    opened.close()


DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}

TABLE = [
    (Answer(200, {"id": "x"}), Verdict.ACKED),
    (Answer(200, None), Verdict.UNKNOWN),
    (Answer(200, []), Verdict.UNKNOWN),
    (Answer(301), Verdict.UNKNOWN),
    (Answer(307), Verdict.UNKNOWN),
    (Answer(400), Verdict.REJECTED),
    (Answer(401, {"message": "forbidden."}), Verdict.REJECTED),
    (Answer(403, {"code": 40310000}), Verdict.REJECTED),
    (Answer(422, {"code": 42210000}), Verdict.REJECTED),
    (Answer(422, None), Verdict.REJECTED),
    (Answer(422, DUPLICATE), Verdict.LOOK_UP),
    (Answer(422, {"code": "40010001"}), Verdict.LOOK_UP),
    (Answer(404, {"code": 40410000}), Verdict.REJECTED),
    (Answer(408), Verdict.UNKNOWN),
    (Answer(409), Verdict.UNKNOWN),
    (Answer(425), Verdict.UNKNOWN),
    (Answer(429), Verdict.NOT_SENT),
    *((Answer(status), Verdict.UNKNOWN) for status in (402, 418, 500, 502, 503, 504, 599)),
    (Answer(302, {"id": "x"}), Verdict.UNKNOWN),
    (Answer(404), Verdict.REJECTED),
    (Answer(422, {"code": True}), Verdict.REJECTED),
    (Answer(200, "accepted"), Verdict.UNKNOWN),
    (Answer(None, sent=True), Verdict.UNKNOWN),
    (Answer(None, sent=False), Verdict.NOT_SENT),
]


@pytest.mark.parametrize(("answer", "verdict"), TABLE, ids=lambda value: str(value)[:40])
def test_every_answer_to_a_submit_has_the_meaning_of_the_table(answer: Answer, verdict: Verdict) -> None:
    assert classify_submit(answer) is verdict


def test_an_order_leaves_as_exact_decimals_and_comes_back_in_our_words(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """Nine decimals survive: 0.297947332 share is 297,947,332 units."""
    order = broker.submit(INTENT)

    sent = alpaca.orders[INTENT.id]
    assert {name: sent[name] for name in ("symbol", "qty", "side", "type", "time_in_force")} == {
        "symbol": "SPY",
        "qty": "0.297947332",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
    }
    assert (order.client_id, order.quantity, order.state) == (INTENT.id, INTENT.quantity, IntentState.ACKED)


UNSETTLED: dict[str, Reply] = {
    "504 after accepting": says(504, "<html>gateway</html>"),
    "500 with a web page": says(500, "<html>oops</html>"),
    "503": says(503),
    "409": says(409, {"message": "busy"}),
    "a redirect": says(307, {"id": "x"}, Location="http://127.0.0.1:9/v2/orders"),
    "a redirect that looks like an order": says(302, an_order()),
    "no answer": hangs,
    "one byte at a time": drips,
    "a dropped connection": drops,
    "a torn answer": tears,
    "half a JSON": says(200, '{"id": "61e6'),
    "an empty body": says(200),
    "a list": says(200, []),
    "an order without an id": says(200, {"status": "new"}),
    "somebody else's order": says(200, an_order(client_order_id="other")),
    "a number that is none": says(200, an_order(qty="many")),
}


@pytest.mark.parametrize("reply", UNSETTLED.values(), ids=UNSETTLED.keys())
def test_an_accepted_order_is_unknown_and_posted_once_when_the_answer_settles_nothing(
    broker: AlpacaBroker, alpaca: FakeAlpaca, reply: Reply
) -> None:
    """alpaca-py alone would post up to four times, or wait for ever; the order is found by its id."""
    alpaca.scripts[POST] = reply
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        broker.submit(INTENT)
    took = time.monotonic() - began
    del alpaca.scripts[POST]
    found = broker.fetch_order(INTENT.id)

    assert caught.value.sent
    assert took < 1.0
    assert alpaca.count(POST) == 1
    assert found is not None
    assert found.client_id == INTENT.id


def test_a_request_over_the_limit_was_not_sent_and_is_not_repeated(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    alpaca.scripts[POST] = says(
        429, {"code": 42910000, "message": "slow down"}, X_RateLimit_Reset="1795000000"
    )

    with pytest.raises(BrokerUnavailable, match=r"slow down .limit resets at 1795000000") as caught:
        broker.submit(INTENT)

    assert not caught.value.sent
    assert alpaca.count(POST) == 1


def test_a_silent_broker_ends_at_the_read_timeout_before_the_total_deadline(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    """0.3 s of silence, not 0.6 s in all: the connection is given up, not only left behind."""
    alpaca.scripts[POST] = hangs

    with pytest.raises(BrokerUnavailable, match="connected, but no answer in time"):
        broker.submit(INTENT)


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        broker = AlpacaBroker(settings_for(f"http://127.0.0.1:{unused.getsockname()[1]}"))
        with pytest.raises(BrokerUnavailable, match="Connection refused") as caught:
            broker.submit(INTENT)

    assert not caught.value.sent


def test_a_name_that_does_not_resolve_means_that_nothing_was_sent(
    alpaca: FakeAlpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44: DNS fails before there is a connection."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BrokerUnavailable, match="Name or service not known") as caught:
        AlpacaBroker(settings_for(alpaca.url)).submit(INTENT)

    assert not caught.value.sent


def test_a_connection_that_is_not_secure_means_that_nothing_was_sent(alpaca: FakeAlpaca) -> None:
    """F44: what answers does not speak TLS; the order is in no byte that left."""
    broker = AlpacaBroker(settings_for(alpaca.url.replace("http", "https")))
    with pytest.raises(BrokerUnavailable, match="SSL") as caught:
        broker.submit(INTENT)

    assert not caught.value.sent
    assert alpaca.orders == {}


@contextmanager
def a_proxy(alpaca: FakeAlpaca, pause: float, chunk: int) -> Iterator[str]:
    """Relay between client and server, the answer's bytes in small pieces with a pause after each."""
    ended = threading.Event()

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection(alpaca.server_address[:2]) as server, suppress(OSError):
            client.settimeout(0.2)
            server.settimeout(5)
            with suppress(TimeoutError):
                while request := client.recv(65_536):
                    server.sendall(request)
            answer = server.recv(65_536)
            for at in range(0, len(answer), chunk):
                if ended.wait(pause):
                    return
                client.sendall(answer[at : at + chunk])

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def test_bytes_that_drip_end_at_the_total_deadline(alpaca: FakeAlpaca) -> None:
    """F39: one byte every 100 ms, headers included. Every read is in time, the whole would take a minute."""
    with a_proxy(alpaca, pause=0.1, chunk=1) as url:
        broker = AlpacaBroker(settings_for(url, read_timeout=0.5, total_deadline=0.8))
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match=r"no whole answer within 0\.8 s") as caught:
            broker.submit(INTENT)
        took = time.monotonic() - began

    assert caught.value.sent
    assert 0.7 < took < 1.2
    assert alpaca.count(POST) == 1
    assert INTENT.id in alpaca.orders


def test_bytes_that_come_in_pieces_but_in_time_are_an_answer(alpaca: FakeAlpaca) -> None:
    with a_proxy(alpaca, pause=0.01, chunk=40) as url:
        order = AlpacaBroker(settings_for(url, total_deadline=3.0)).submit(INTENT)

    assert order.state is IntentState.ACKED


def test_an_order_that_could_not_leave_in_time_never_leaves(alpaca: FakeAlpaca, monkeypatch: Any) -> None:
    """Name resolution outlasts the deadline: nobody waits any more, so the request must stay here."""
    resolve = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.5)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    broker = AlpacaBroker(settings_for(alpaca.url, total_deadline=0.2))
    with pytest.raises(BrokerUnavailable) as caught:
        broker.submit(INTENT)
    time.sleep(0.5)

    assert not caught.value.sent
    assert alpaca.orders == {}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"code": 40310000, "message": "insufficient buying power"}, "40310000"),
        (422, {"code": 42210000, "message": "qty must be > 0"}, "42210000"),
        (401, {"message": "forbidden."}, "401"),
        (400, "<html>bad request</html>", "400"),
    ],
)
def test_a_definite_refusal_is_a_rejection_with_its_code(
    broker: AlpacaBroker, alpaca: FakeAlpaca, status: int, body: Any, code: str
) -> None:
    alpaca.scripts[POST] = says(status, body)

    with pytest.raises(OrderRejected) as caught:
        broker.submit(INTENT)

    assert caught.value.code == code


def test_a_duplicate_id_is_the_live_order_that_has_it(broker: AlpacaBroker, alpaca: FakeAlpaca) -> None:
    """422 40010001 reads like a rejection, and the order is live."""
    first = broker.submit(INTENT)

    assert broker.submit(INTENT) == first
    assert len(alpaca.orders) == 1


def test_a_duplicate_id_that_cannot_be_looked_up_stays_unknown(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    broker.submit(INTENT)
    for status, body in [
        (500, None),
        (401, {"message": "forbidden."}),
        (404, {"code": 40410000}),
        (429, None),
    ]:
        alpaca.scripts["GET /v2/orders:by_client_order_id"] = says(status, body)
        with pytest.raises(BrokerUnavailable) as caught:
            broker.submit(INTENT)

        assert caught.value.sent


def test_a_status_that_is_new_to_us_is_an_order_in_an_unknown_state(
    broker: AlpacaBroker, alpaca: FakeAlpaca
) -> None:
    alpaca.scripts[POST] = says(200, an_order(status="frozen_by_regulator"))

    order = broker.submit(INTENT)

    assert (order.state, order.raw_status) == (IntentState.UNKNOWN, "frozen_by_regulator")


def test_no_credential_is_in_any_error_log_line_or_representation(
    broker: AlpacaBroker, alpaca: FakeAlpaca, caplog: pytest.LogCaptureFixture
) -> None:
    """Even a server that echoes them; causes and contexts of the errors are looked into as well."""
    caplog.set_level(logging.DEBUG)
    told = [repr(settings_for(alpaca.url)), repr(vars(broker))]
    replies: list[Reply] = [
        says(403, {"message": f"{KEY}:{SECRET} is not allowed"}),
        says(504, f"<html>{SECRET}</html>"),
        says(200, an_order(qty="x")),
        hangs,
    ]
    for reply in replies:
        alpaca.scripts[POST] = reply
        with pytest.raises(MarketdayError) as caught:
            broker.submit(INTENT)
        told += [*traceback.format_exception(caught.value), repr(pickle.loads(pickle.dumps(caught.value)))]
        link: BaseException | None = caught.value
        while link is not None:
            told.append(repr(vars(link)))
            link = link.__cause__ or link.__context__
    text = "\n".join([*told, caplog.text])

    assert SECRET not in text
    assert KEY not in text
