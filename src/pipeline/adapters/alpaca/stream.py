"""Alpaca's trade updates as a hint that something changed.

The stream loses whatever happens while it is down and never repeats it (BROKERS 1.4.5), so nothing is
read from its events but their time: they only tell when asking the REST API is worthwhile. alpaca-py's
own ``TradingStream`` retries refused credentials for ever and takes up to 5 s to stop; this one speaks the
same protocol, and gives up on them at once. Alpaca allows one socket per key, and answers 429 to a client
that comes back too soon: then it waits longer.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.adapters.alpaca.account import AlpacaSettings, check_endpoints, is_loopback
from pipeline.adapters.alpaca.parsing import Unreadable, parse_instant
from pipeline.errors import AccountMismatch

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

# At DEBUG the websocket library logs every frame, the one with the secret key included.
_logger = logging.getLogger(__name__)
_logger.setLevel(logging.INFO)

_POLL_SECONDS = 0.2
_PING_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_TOO_SOON = 429


class _Lost(Exception):
    """The connection is of no more use; says why."""


class _Refused(Exception):
    """The credentials are refused: asking again would change nothing."""


class TradeUpdates:
    """Listens in a thread of its own and says that something changed. Never raises, never delays a tick.

    Attributes:
        failure: why there is no connection now, "" while there is one.
        refused: the broker refused the credentials; nothing is heard until somebody starts it again.
        last_event: the newest update's own instant, UTC; None before the first that tells one.
    """

    def __init__(self, settings: AlpacaSettings) -> None:
        check_endpoints(settings)
        self._settings = settings
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._heard: float | None = None
        self._again = threading.Event()
        self._notify: Callable[[], None] = lambda: None
        self.failure = "not started"
        self.refused = False
        self.last_event: datetime | None = None

    def start(self, notify: Callable[[], None] | None = None) -> None:
        """Begin to listen, and call ``notify`` at each change; a second call changes nothing."""
        if self._thread is None:
            self._notify, self.refused = notify or (lambda: None), False
            self._stopping = stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(stopping,), name="alpaca-trade-updates", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End within about a second."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)
            self.failure = "stopped"

    def wait(self, seconds: float) -> bool:
        """Wait for a change, and tell whether one was hinted at since the last call.

        A new connection counts as a change: something may have been missed.
        """
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    def reconnect(self) -> None:
        """Give up a connection that says nothing, and make another."""
        self._again.set()

    def silent_seconds(self) -> float | None:
        """Return the time since the broker was last heard, answers to pings included; None if never."""
        return None if self._heard is None else time.monotonic() - self._heard

    def _run(self, stopping: threading.Event) -> None:
        from websockets.exceptions import WebSocketException

        pause = _FIRST_WAIT
        while not stopping.is_set():
            try:
                self._listen(stopping)
            except (_Refused, AccountMismatch) as error:
                self.failure, self.refused = str(error), True
                return
            except (_Lost, WebSocketException, OSError, ValueError) as error:
                pause = _FIRST_WAIT if not self.failure else min(pause * 2, _LONGEST_WAIT)
                response = getattr(error, "response", None)
                if getattr(response, "status_code", None) == _TOO_SOON:
                    pause = _LONGEST_WAIT
                self.failure = f"{type(error).__name__.lstrip('_')}: {error}"
            stopping.wait(pause)

    def _tell(self) -> None:
        self._changed.set()
        self._notify()

    def _listen(self, stopping: threading.Event) -> None:
        from websockets.sync.client import connect

        url = self._settings.stream_url
        # Proxies of the environment have no business between this machine and itself.
        proxy: Any = None if is_loopback(url) else True
        with connect(
            url, open_timeout=5, close_timeout=0.5, ping_interval=None, proxy=proxy, logger=_logger
        ) as socket:
            self._authorize(socket)
            self._again.clear()
            self.failure = ""
            self._tell()
            self._follow(socket, stopping)

    def _authorize(self, socket: Connection) -> None:
        socket.send(
            json.dumps(
                {
                    "action": "authenticate",
                    "data": {"key_id": self._settings.key_id, "secret_key": self._settings.secret_key},
                }
            )
        )
        answer = self._message(socket.recv(timeout=5))
        if answer.get("status") != "authorized":
            raise _Refused("the broker refused the credentials")
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))

    def _follow(self, socket: Connection, stopping: threading.Event) -> None:
        asked = time.monotonic()
        pong = socket.ping()
        while not stopping.is_set():
            try:
                self._note(self._message(socket.recv(timeout=_POLL_SECONDS)))
                self._tell()
            except TimeoutError:
                if pong.is_set():
                    self._heard = max(self._heard or 0.0, asked)
            if self._again.is_set():
                raise _Lost("it says nothing of what the account shows")
            waited = time.monotonic() - asked
            if pong.is_set() and waited > _PING_SECONDS:
                asked, pong = time.monotonic(), socket.ping()
            elif not pong.is_set() and waited > _SILENCE_SECONDS:
                raise _Lost(f"no answer to a ping for {waited:.0f} s")

    def _note(self, update: Mapping[str, Any]) -> None:
        """Keep the time of an update: the only thing that is read from it."""
        try:
            at = parse_instant(update.get("timestamp") or update.get("at"))
        except Unreadable:
            return
        self.last_event = at if self.last_event is None else max(at, self.last_event)

    def _message(self, frame: str | bytes) -> Mapping[str, Any]:
        """Return a frame's ``data``; the paper server sends JSON in binary frames."""
        self._heard = time.monotonic()
        message = json.loads(frame)
        data = message.get("data") if isinstance(message, Mapping) else None
        return data if isinstance(data, Mapping) else {}
