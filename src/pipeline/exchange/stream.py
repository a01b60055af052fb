"""Alpaca's trade-updates websocket (``/stream``): authenticate, listen, then binary frames of JSON."""

from __future__ import annotations

import asyncio
import hmac
import json
from contextlib import suppress
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline.exchange import wire
from pipeline.exchange.config import AccountConfig
from pipeline.exchange.fault_streams import StreamFaults
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import UNHEARD, Event

LONGEST_QUEUE = 10_000
"""Updates a client may lag behind before it is disconnected."""


class Listener:
    """One connected client. Updates that happen while nobody listens are lost, as at Alpaca."""

    def __init__(self, exchange: Exchange, socket: WebSocket) -> None:
        self._exchange = exchange
        self._socket = socket
        self._faults = StreamFaults(exchange, socket.scope)
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(LONGEST_QUEUE)
        self._authorized = False
        self._listening = False
        self._lags = False

    async def serve(self) -> None:
        """Answer the client's messages and send updates until it leaves or lags too far behind."""
        if self._faults.refused():
            await asyncio.sleep(0)  # the server hears of it
            return
        await self._socket.accept()
        self._exchange.listeners.append(self.hear)
        self._exchange.watchers.append(self._faults.watch)
        self._faults.watch(self._exchange.engine.now, self._exchange.engine.now)
        sender = asyncio.create_task(self._send())
        try:
            while True:
                await self._answer(await self._socket.receive())
        except WebSocketDisconnect:
            return
        finally:
            self._exchange.listeners.remove(self.hear)
            self._exchange.watchers.remove(self._faults.watch)
            sender.cancel()

    def hear(self, event: Event) -> None:
        """Queue one update."""
        if not self._listening or event.kind in UNHEARD or event.order is None:
            return
        data = wire.update_json(self._exchange.engine, event, event.order)
        for frame in self._faults.frames(_frame({"stream": "trade_updates", "data": data}), event.at):
            self._queue_frame(frame)

    def _put(self, message: dict[str, Any]) -> None:
        self._queue_frame(_frame(message))

    def _queue_frame(self, frame: bytes) -> None:
        if self._faults.mute:
            return
        try:
            self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._listening, self._lags = False, True

    async def _send(self) -> None:
        with suppress(WebSocketDisconnect):
            while not self._lags:
                await self._socket.send_bytes(await self._queue.get())
            await self._socket.close(1008, "slow client")

    async def _answer(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        try:
            request = json.loads(message.get("text") or message.get("bytes") or b"")
            action, data = request["action"], request.get("data", request)
        except (ValueError, TypeError, KeyError):
            self._put({"stream": "error", "data": {"error": "invalid message"}})
            return
        if action in ("authenticate", "auth"):
            self._authenticate(action, data)
        elif action == "listen" and self._authorized:
            streams = [name for name in data.get("streams", []) if name == "trade_updates"]
            self._listening = bool(streams)
            self._put({"stream": "listening", "data": {"streams": streams}})
        else:
            self._put({"stream": "listening", "data": {"error": "required authentication"}})

    def _authenticate(self, action: str, data: dict[str, Any]) -> None:
        key, secret = data.get("key_id") or data.get("key"), data.get("secret_key") or data.get("secret")
        known = knows(self._exchange.engine.config.account, str(key), str(secret))
        self._authorized = known and not self._faults.unauthorized()
        status = "authorized" if self._authorized else "unauthorized"
        self._put({"stream": "authorization", "data": {"status": status, "action": action}})


def _frame(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def knows(account: AccountConfig, key: str, secret: str) -> bool:
    """Tell whether these are the account's credentials, in constant time."""
    same_key = hmac.compare_digest(key.encode(), account.key_id.encode())
    return hmac.compare_digest(secret.encode(), account.secret_key.encode()) and same_key


async def serve_stream(socket: WebSocket) -> None:
    """Serve one connection of ``/stream``."""
    await Listener(socket.app.state.exchange, socket).serve()


ROUTES = [WebSocketRoute("/stream", serve_stream)]
