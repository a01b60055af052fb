"""The trade-updates socket misbehaves: what a listener hears is a hint and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.sync.client import ClientConnection, connect

from pipeline.exchange.control import ExchangeControl
from pipeline.exchange.fault_rules import FaultRule
from pipeline.exchange.process import RunningExchange
from tests.exchange.running import KEY, SECRET, running_exchange

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
LOST = (ConnectionClosed, InvalidHandshake, InvalidMessage, ConnectionError, EOFError)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    """An exchange at its first open."""
    with running_exchange(tmp_path) as exchange:
        exchange.control().advance(OPEN)
        yield exchange


@contextmanager
def listening(exchange: RunningExchange) -> Iterator[ClientConnection]:
    """Yield a socket that hears trade updates."""
    with connect(exchange.stream_url, open_timeout=3, close_timeout=0.2) as socket:
        assert say(socket, "authenticate", {"key_id": KEY, "secret_key": SECRET})["status"] == "authorized"
        say(socket, "listen", {"streams": ["trade_updates"]})
        yield socket


def say(socket: ClientConnection, action: str, data: dict[str, Any]) -> dict[str, Any]:
    """Send one message and return the data of the answer."""
    socket.send(json.dumps({"action": action, "data": data}))
    return dict(json.loads(socket.recv(timeout=3))["data"])


def heard(socket: ClientConnection) -> list[str]:
    """Return the client order ids of the updates that arrive within a moment."""
    found = []
    try:
        while True:
            data = json.loads(socket.recv(timeout=0.3))["data"]
            found.append(f"{data['order']['client_order_id']} {data['event']}")
    except TimeoutError:
        return found


def orders(control: ExchangeControl, *names: str) -> None:
    """Place orders by hand, each of which is streamed as ``new``."""
    for name in names:
        body = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "5"}
        control.order(body | {"time_in_force": "day", "client_order_id": name})


def test_updates_are_skipped_repeated_and_swapped(exchange: RunningExchange) -> None:
    """One fault each, in the order in which they were put in force."""
    control = exchange.control()
    with listening(exchange) as socket:
        control.add_fault(FaultRule(kind="stream_skip"))
        orders(control, "a", "b")
        control.add_fault(FaultRule(kind="stream_duplicate"))
        orders(control, "c")
        control.add_fault(FaultRule(kind="stream_reorder"))
        orders(control, "d", "e", "f")

        assert heard(socket) == ["b new", "c new", "c new", "e new", "d new", "f new"]


def test_a_dropped_socket_comes_back_and_has_missed_what_happened(exchange: RunningExchange) -> None:
    """Once without a window: the next connection stands."""
    control = exchange.control()
    with listening(exchange) as socket:
        control.add_fault(FaultRule(kind="stream_drop"))
        with pytest.raises(LOST):
            socket.recv(timeout=3)
    orders(control, "missed")

    with listening(exchange) as socket:
        orders(control, "heard")
        assert heard(socket) == ["heard new"]


def test_an_outage_cuts_sockets_and_lets_no_new_one_in(exchange: RunningExchange) -> None:
    """From one virtual instant to another, even when time jumps over the first."""
    control = exchange.control()
    start = OPEN + timedelta(minutes=5)
    with listening(exchange) as socket:
        control.outage(start, start + timedelta(seconds=90))
        control.advance(start + timedelta(seconds=30))
        with pytest.raises(LOST):
            socket.recv(timeout=3)
    with pytest.raises(LOST), listening(exchange):
        pass
    control.advance(start + timedelta(seconds=90))

    with listening(exchange) as socket:
        orders(control, "back")
        assert heard(socket) == ["back new"]


def test_a_mute_socket_says_nothing_and_answers_no_ping(exchange: RunningExchange) -> None:
    """Connected all the while; when the time is over it goes on, without what it missed."""
    control = exchange.control()
    with listening(exchange) as socket:
        control.add_fault(FaultRule(kind="stream_mute", start=OPEN, end=OPEN + timedelta(minutes=1)))
        orders(control, "unheard")
        assert not socket.ping().wait(0.4)
        assert heard(socket) == []
        control.advance(OPEN + timedelta(minutes=1))
        orders(control, "heard")

        assert heard(socket) == ["heard new"]
        assert socket.ping().wait(2)


def test_credentials_can_be_refused_for_a_while(exchange: RunningExchange) -> None:
    """As after a revoked key: the socket stays open and hears nothing."""
    exchange.control().add_fault(FaultRule(kind="stream_auth"))
    with connect(exchange.stream_url, close_timeout=0.2) as socket:
        said = say(socket, "authenticate", {"key_id": KEY, "secret_key": SECRET})
        again = say(socket, "authenticate", {"key_id": KEY, "secret_key": SECRET})

    assert (said["status"], again["status"]) == ("unauthorized", "authorized")


def test_busts_corrections_and_odd_statuses_are_streamed(exchange: RunningExchange) -> None:
    """Each under its own name; what the control port notes for itself is not."""
    control = exchange.control()
    with listening(exchange) as socket:
        orders(control, "o")
        control.set_status("o", "suspended")
        control.fill("o", price=5)
        control.correct(price=4)
        control.bust()

        assert heard(socket) == ["o new", "o suspended", "o fill", "o trade_correct", "o trade_bust"]
