"""The stream hints that something changed, survives what happens to it, and stops when told."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from pipeline.adapters.alpaca import TradeUpdates
from tests.unit.adapters.fake_alpaca import KEY, SECRET, settings_for


class FakeStream:
    """Authorizes one pair of keys; sends what it is told, in binary frames like Alpaca's paper server."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.listening = threading.Event()
        self.url = ""
        self.connections = 0

    def serve_one(self, socket: ServerConnection) -> None:
        self.connections += 1
        asked = json.loads(socket.recv())
        welcome = asked["data"] == {"key_id": KEY, "secret_key": SECRET}
        status = "authorized" if welcome else "unauthorized"
        socket.send(json.dumps({"stream": "authorization", "data": {"status": status}}).encode())
        try:
            listen = json.loads(socket.recv())
            assert listen["data"] == {"streams": ["trade_updates"]}
            self.sockets.append(socket)
            self.listening.set()
            socket.recv()
        except ConnectionClosed:
            return

    def event(self, **data: Any) -> None:
        told = {"stream": "trade_updates", "data": {"event": "fill"} | data}
        self.sockets[-1].send(json.dumps(told).encode())


@contextmanager
def fake_stream() -> Iterator[FakeStream]:
    stream = FakeStream()
    with serve(stream.serve_one, "127.0.0.1", 0) as server:
        stream.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield stream
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def listening(stream: FakeStream, **changes: Any) -> Iterator[TradeUpdates]:
    updates = TradeUpdates(settings_for(stream.url, **changes))
    updates.start()
    try:
        yield updates
    finally:
        updates.stop()


def test_an_event_and_a_new_connection_are_changes_and_silence_is_not() -> None:
    with fake_stream() as stream, listening(stream) as updates:
        assert updates.wait(3)
        stream.listening.wait(3)
        assert not updates.wait(0.1)
        stream.event()

        assert updates.wait(3)
        assert not updates.wait(0.05)
        assert updates.failure == ""
        silent = updates.silent_seconds()
        assert silent is not None
        assert silent < 1


def test_a_dropped_connection_is_made_again_and_counts_as_a_change() -> None:
    """Whatever happened in between is lost for ever, so the truth has to be asked."""
    with fake_stream() as stream, listening(stream) as updates:
        assert updates.wait(3)
        stream.listening.wait(3)
        stream.listening.clear()
        stream.sockets[-1].close()

        assert updates.wait(5)
        assert stream.listening.wait(3)
        assert len(stream.sockets) == 2


def test_a_listener_is_told_of_each_change_and_of_the_time_it_happened() -> None:
    """The time is all that is read from an update; one without a time is a change like any other."""
    told = threading.Semaphore(0)
    with fake_stream() as stream:
        updates = TradeUpdates(settings_for(stream.url))
        updates.start(told.release)
        try:
            assert told.acquire(timeout=3)
            stream.listening.wait(3)
            stream.event()
            assert told.acquire(timeout=3)
            assert updates.last_event is None
            stream.event(timestamp="2026-11-20T15:00:00.5Z")
            assert told.acquire(timeout=3)
            stream.event(timestamp="2026-11-20T14:00:00Z")
            assert told.acquire(timeout=3)
        finally:
            updates.stop()

    assert updates.last_event == datetime(2026, 11, 20, 15, 0, 0, 500_000, tzinfo=UTC)


def test_a_connection_that_is_given_up_is_made_anew() -> None:
    """F47: pings are answered, and yet it says nothing of what the account shows."""
    with fake_stream() as stream, listening(stream) as updates:
        assert updates.wait(3)
        stream.listening.wait(3)
        stream.listening.clear()
        updates.reconnect()

        assert stream.listening.wait(5)
        assert stream.connections == 2


def test_a_broker_that_says_too_soon_is_left_alone_for_longer() -> None:
    """One socket per key: a client that comes back at once gets 429, and must not try every second."""
    connections: list[float] = []

    def too_soon(connection: ServerConnection, _request: Any) -> Any:
        connections.append(time.monotonic())
        return connection.respond(429, "slow down")

    with serve(lambda _: None, "127.0.0.1", 0, process_request=too_soon) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        updates = TradeUpdates(settings_for(f"http://127.0.0.1:{server.socket.getsockname()[1]}"))
        updates.start()
        time.sleep(1.4)
        updates.stop()
        server.shutdown()
        thread.join()

    assert len(connections) == 1
    assert "429" in updates.failure or updates.failure == "stopped"


def test_stopping_is_prompt_and_starting_again_works() -> None:
    with fake_stream() as stream:
        updates = TradeUpdates(settings_for(stream.url))
        for _ in range(2):
            updates.start()
            assert updates.wait(3)
            began = time.monotonic()
            updates.stop()
            assert time.monotonic() - began < 1.0


def test_refused_keys_are_told_without_the_keys(caplog: pytest.LogCaptureFixture) -> None:
    """The websocket library would log them at DEBUG."""
    caplog.set_level(logging.DEBUG, "pipeline")
    with fake_stream() as stream, listening(stream, secret_key="wrong-secret") as updates:
        deadline = time.monotonic() + 3
        while updates.failure == "not started" and time.monotonic() < deadline:
            time.sleep(0.01)

        assert (updates.failure, updates.refused) == ("the broker refused the credentials", True)
        assert not updates.wait(0)
        asked = stream.connections
        time.sleep(1.2)
        assert (stream.connections, asked) == (1, 1)
    assert "wrong-secret" not in caplog.text


def test_a_server_that_is_not_there_costs_nothing_but_a_reason() -> None:
    updates = TradeUpdates(settings_for("http://127.0.0.1:1"))
    updates.start()
    assert not updates.wait(0.3)
    reason = updates.failure
    updates.stop()

    assert "refused" in reason
    assert updates.silent_seconds() is None
