"""The middleware that lets faults strike requests: before their effect, or after it.

A request that no rule concerns passes untouched; without any rule that is one look at an empty book.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.exchange import wire
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.fault_answers import error_body, page, spoil_fields
from pipeline.exchange.fault_book import Standing
from pipeline.exchange.fault_data import falsify
from pipeline.exchange.fault_rules import INSTEAD, OUTAGE, FaultRule
from pipeline.exchange.host import Exchange

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST instead of waiting for the other side."""

_DRIPS = 20
"""Pieces of a body that drips."""

_HALF_JSON = b'{"id":"'


def reset(scope: Scope) -> None:
    """Cut the connection a request or a socket came by, as a broken network does."""
    transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
    if transport is None:  # not served by our own server: nothing to cut
        return
    bound: socket.socket | None = transport.get_extra_info("socket")
    if bound is not None:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


class Faults:
    """Stands between the credentials and the endpoints."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the oldest rule that concerns the request strike it, and data rules its answer."""
        exchange: Exchange = scope["app"].state.exchange
        if scope["type"] != "http" or not exchange.faults:
            await self._app(scope, receive, send)
            return
        method, path, now = scope["method"], scope["path"], exchange.engine.now
        struck = exchange.remember(exchange.faults.of_request(method, path, now))
        falsified = exchange.faults.of_data(path, now) if method == "GET" else []
        for standing in falsified:
            exchange.remember(standing)
        if struck is None and not falsified:
            await self._app(scope, receive, send)
        elif struck is not None:
            await self._strike(struck, scope, receive, send)
        else:
            answer = await self._answer(scope, receive)
            await _falsified(exchange, answer, falsified)(scope, receive, send)

    async def _strike(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.kind == "late":
            await _late(scope["app"].state.exchange, rule, Request(scope, receive))
        if rule.kind == OUTAGE or (rule.kind in INSTEAD and rule.when == "before"):
            await _instead(rule, Response(_HALF_JSON * 2), scope, receive, send)
            return
        if rule.kind == "slow" and rule.when == "before":
            await asyncio.sleep(rule.seconds)
            await self._app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if rule.kind in INSTEAD:
            await _instead(rule, answer, scope, receive, send)
        else:
            await _spoil(rule, answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """Let the request have its effect and return the answer it would have had."""
        answer = Response()
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.raw_headers = list(message["headers"])
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        answer.body = b"".join(parts)
        return answer


async def _late(exchange: Exchange, rule: FaultRule, request: Request) -> None:
    """Put an order on the agenda as if it had been under way for a while."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return  # not even an order: nothing arrives late
    if isinstance(body, dict):
        at = exchange.engine.now + round(rule.seconds * SECOND_US)
        exchange.change({"kind": "order", "body": body}, at)


async def _instead(rule: FaultRule, answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Give what stands for the answer: another one, half of it, or none."""
    if rule.kind in ("hang", "reset") or (rule.kind == OUTAGE and not rule.status):
        await _silence(receive, rule.seconds)
        reset(scope)
        await asyncio.sleep(0)  # the server hears of it, and does not answer 500 for us
        return
    if rule.kind == "torn":
        await _torn(answer, scope, send)
        return
    if rule.kind == OUTAGE and rule.seconds:
        await _silence(receive, rule.seconds)
    await _other(rule, answer)(scope, receive, send)


def _other(rule: FaultRule, answer: Response) -> Response:
    status = rule.status or {"html": 502, "late": 504}.get(rule.kind, 200)
    headers = dict(rule.headers)
    match rule.kind:
        case "html":
            return HTMLResponse(page(status), status, headers)
        case "empty":
            return Response(b"", status, headers, "application/json")
        case "malformed":
            return Response(b'{"id": "1f0c", "qty": ,,', status, headers, "application/json")
        case "truncated":
            half = bytes(answer.body)[: max(len(answer.body) // 2, 1)]
            return Response(half, status, headers, "application/json")
        case "body":
            return JSONResponse(rule.value, status, headers)
    return JSONResponse(error_body(rule, status), status, headers)


async def _silence(receive: Receive, seconds: float) -> None:
    """Wait until the time is over, or the client has gone."""
    if not seconds:
        return
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return


async def _torn(answer: Response, scope: Scope, send: Send) -> None:
    """Promise the whole body, send half of it, and cut the connection."""
    body = bytes(answer.body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body) or 1).encode())]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
    if transport is not None:
        transport.close()
        await asyncio.sleep(0)


async def _drip(answer: Response, seconds: float, send: Send) -> None:
    """Send the body in small pieces over so many seconds."""
    body = bytes(answer.body)
    size = max(-(-len(body) // _DRIPS), 1)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    for at in range(0, len(body), size):
        await asyncio.sleep(seconds / _DRIPS)
        more = at + size < len(body)
        await send({"type": "http.response.body", "body": body[at : at + size], "more_body": more})
    if not body:
        await send({"type": "http.response.body"})


async def _spoil(rule: FaultRule, answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Give the real answer slowly, or with something in it changed."""
    if rule.kind == "drip":
        await _drip(answer, rule.seconds, send)
        return
    if rule.kind == "slow":
        await asyncio.sleep(rule.seconds)
        changed: Response = answer
    elif rule.kind == "lag":
        changed = _lagging(scope["app"].state.exchange, round(rule.seconds * SECOND_US))
    else:
        changed = _changed(answer, lambda body: spoil_fields(rule, body))
    await changed(scope, receive, send)


def _lagging(exchange: Exchange, behind: int) -> Response:
    """Return the positions as they were a while ago, at today's prices."""
    engine = exchange.engine
    held = engine.book.ledger.held_at(engine.now - behind)
    return JSONResponse([wire.position_json(engine, symbol, held[symbol]) for symbol in sorted(held)])


def _falsified(exchange: Exchange, answer: Response, standing: list[Standing]) -> Response:
    return _changed(answer, lambda body: falsify(exchange.engine, body, standing))


def _changed(answer: Response, change: Callable[[Any], Any]) -> Response:
    """Return the answer with its JSON changed; an answer without JSON stays as it is."""
    try:
        body = json.loads(bytes(answer.body))
    except ValueError:
        return answer
    # NaN is no JSON, but what a broken server sends: JSONResponse would refuse to render it.
    text = json.dumps(change(body), separators=(",", ":"))
    return Response(text, answer.status_code, media_type="application/json")
