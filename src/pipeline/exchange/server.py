"""The exchange's two ports on loopback: Alpaca's protocol on one, control on the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.errors import ConfigurationError
from pipeline.exchange import control_api, data_api, fault_api, stream, trading_api
from pipeline.exchange.faults import Faults
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import Refused
from pipeline.exchange.stream import knows

HOST = "127.0.0.1"
KEEP_ALIVE_SECONDS = 3_600
"""Idle connections stay open: a client that sends on one we are closing cannot know whether it arrived."""


class Credentials:
    """Lets requests through that carry the account's key and secret."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 without credentials and 403 with wrong ones; both without a code, as Alpaca does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        key, secret = (request.headers.get(f"apca-api-{name}", "") for name in ("key-id", "secret-key"))
        if knows(request.app.state.exchange.engine.config.account, key, secret):
            await self._app(scope, receive, send)
            return
        status, message = (403, "forbidden.") if key and secret else (401, "unauthorized.")
        await JSONResponse({"message": message}, status_code=status)(scope, receive, send)


def alpaca_app(exchange: Exchange) -> Starlette:
    """Return Alpaca's API over the exchange, faults between the credentials and the endpoints."""
    routes = [*trading_api.ROUTES, *data_api.ROUTES, *stream.ROUTES]
    return _app(exchange, routes, [Middleware(Credentials), Middleware(Faults)])


def control_app(exchange: Exchange) -> Starlette:
    """Return the control API over the exchange."""
    return _app(exchange, [*control_api.ROUTES, *fault_api.ROUTES], [])


def _app(exchange: Exchange, routes: Sequence[Any], middleware: Sequence[Middleware]) -> Starlette:
    app = Starlette(
        routes=list(routes),
        middleware=list(middleware),
        exception_handlers={
            Refused: _refused,
            ConfigurationError: fault_api.unreadable,
            OSError: _not_stored,
            HTTPException: _not_served,
        },
    )
    app.state.exchange = exchange
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    body = {"code": error.code, "message": error.message, **error.details}
    return JSONResponse(body, status_code=error.status)


async def _not_stored(_request: Request, error: Exception) -> Response:
    body = {"code": 50010000, "message": f"internal server error: not stored: {error}"}
    return JSONResponse(body, status_code=500)


async def _not_served(_request: Request, error: Exception) -> Response:
    """Answer an unknown path or method in JSON: clients parse every answer."""
    if not isinstance(error, HTTPException):
        raise error
    body = {"code": error.status_code * 100_000 + 10_000, "message": "endpoint not found."}
    return JSONResponse(body, status_code=error.status_code)


class _Protocol(H11Protocol):
    """HTTP that tells the application its connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and let ``scope["state"]`` of every request and socket name the transport."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """A server whose signals are handled by :func:`serve`, since two share a process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(port: int) -> socket.socket:
    """Return a socket bound to a loopback port, 0 for any free one. Raises OSError when it is in use."""
    # asyncio turns Nagle's delay (40 ms an answer) off only for sockets that name their protocol.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError:
        bound.close()
        raise
    return bound


async def serve(
    exchange: Exchange, home: Path, ports: tuple[socket.socket, socket.socket], stop: asyncio.Event
) -> None:
    """Serve both ports until ``stop`` is set; meanwhile ``home/exchange.json`` says where."""
    apps = (alpaca_app(exchange), control_app(exchange))
    servers = [_server(app) for app in apps]
    tasks = [
        asyncio.create_task(server.serve(sockets=[port])) for server, port in zip(servers, ports, strict=True)
    ]
    try:
        while not all(server.started for server in servers):
            await asyncio.sleep(0.005)
        _announce(home, *(port.getsockname()[1] for port in ports))
        await stop.wait()
    finally:
        (home / "exchange.json").unlink(missing_ok=True)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        exchange.close()


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        http=_Protocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def _announce(home: Path, port: int, control_port: int) -> None:
    """Write where the exchange is, atomically."""
    whereabouts = {
        "pid": os.getpid(),
        "url": f"http://{HOST}:{port}",
        "stream_url": f"ws://{HOST}:{port}/stream",
        "control_url": f"http://{HOST}:{control_port}",
    }
    fresh = home / "exchange.json.new"
    fresh.write_text(json.dumps(whereabouts), "utf-8")
    fresh.replace(home / "exchange.json")
