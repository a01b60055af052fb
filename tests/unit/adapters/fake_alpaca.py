"""A scripted Alpaca on loopback that misbehaves on demand, after it has accepted the order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pipeline.adapters.alpaca import AlpacaSettings

SECRET = "canary-secret-5f0c"
KEY = "canary-key-77aa"

Reply = Callable[["Handler", dict[str, Any]], None]


def an_order(**fields: Any) -> dict[str, Any]:
    """Return an order as Alpaca writes it."""
    return {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": "md1-aaaaaaaaaaaaaaaaaaaaaaaa",
        "submitted_at": "2026-11-20T15:00:00.123456789Z",
        "symbol": "SPY",
        "qty": "0.297947332",
        "filled_qty": "0",
        "filled_avg_price": None,
        "side": "buy",
        "status": "accepted",
    } | fields


class FakeAlpaca(ThreadingHTTPServer):
    """Holds orders by client id. ``scripts["POST /v2/orders"]`` replaces the normal answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.orders: dict[str, dict[str, Any]] = {}
        self.scripts: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        """The server's root."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, route: str) -> int:
        """Return how often a route, as in ``POST /v2/orders``, was asked."""
        return sum(asked == route for asked, _ in self.asked)


class Handler(BaseHTTPRequestHandler):
    """One request; the order is accepted before the script speaks."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeAlpaca

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        """Send a whole answer; text is sent as it is, anything else as JSON."""
        raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def handle_route(self) -> None:
        parts = urlsplit(self.path)
        route = f"{self.command} {parts.path}"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append((route, query))
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else {}
        known = body.get("client_order_id") in self.server.orders
        order = an_order(**body)
        if route == "POST /v2/orders" and not known:
            self.server.orders[body["client_order_id"]] = order
        if route in self.server.scripts:
            self.server.scripts[route](self, query or order)
        elif known:
            self.answer(422, {"code": 40010001, "message": "client_order_id must be unique"})
        elif route == "POST /v2/orders":
            self.answer(200, order)
        elif query.get("client_order_id") in self.server.orders:
            self.answer(200, self.server.orders[query["client_order_id"]])
        else:
            self.answer(404, {"code": 40410000, "message": "order not found"})

    do_GET = do_POST = do_DELETE = handle_route  # noqa: N815


def says(status: int, body: Any = None, **headers: str) -> Reply:
    """Return a script that answers so."""
    return lambda handler, _: handler.answer(status, body, **headers)


def hangs(handler: Handler, _: dict[str, Any]) -> None:
    """Answer nothing for longer than any test waits."""
    time.sleep(3)
    handler.close_connection = True


def drips(handler: Handler, _: dict[str, Any]) -> None:
    """Send one byte of a long answer every 50 ms: no single read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _count in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)
    handler.close_connection = True


def drops(handler: Handler, _: dict[str, Any]) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def tears(handler: Handler, _: dict[str, Any]) -> None:
    """Promise 100 bytes, send 10, close."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"id": "61')
    handler.close_connection = True


@contextmanager
def fake_alpaca() -> Iterator[FakeAlpaca]:
    """Run the server for the length of the block."""
    with FakeAlpaca() as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def settings_for(url: str, **changes: Any) -> AlpacaSettings:
    """Return settings for a server on this machine, impatient ones."""
    values: dict[str, Any] = {
        "key_id": KEY,
        "secret_key": SECRET,
        "trading_url": url,
        "stream_url": url.replace("http", "ws") + "/stream",
        "data_url": url,
        "data_stream_url": url.replace("http", "ws") + "/v2/iex",
        "mode": "rehearsal",
        "connect_timeout": 0.3,
        "read_timeout": 0.3,
        "total_deadline": 0.6,
        "refused_pause": 0.0,
    }
    return AlpacaSettings(**values | changes)
