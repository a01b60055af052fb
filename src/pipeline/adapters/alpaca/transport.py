"""Requests of alpaca-py that leave once, end in time, and say whether they left.

alpaca-py 0.44 sends an order again on 429 and 504 and waits without limit (FAULTS K2, K3). Its
clients are used for addresses, headers and authentication; the HTTP session below is ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

from pipeline.adapters.alpaca.account import AlpacaSettings, is_loopback
from pipeline.adapters.alpaca.gate import Gate
from pipeline.adapters.alpaca.outcomes import Answer
from pipeline.errors import AccountMismatch

Method = Literal["get", "post", "delete"]

_LONGEST_REASON = 300
_thread = threading.local()


class _Abandoned(OSError):
    """The caller has stopped waiting before the request left: it must not leave any more."""


class _Attempt:
    """Whether one request left; the thread that sends it and the one that waits agree by a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A kept-alive connection sends at once, so a request counts as sent until it must connect first.
        self._sent = True
        self._abandoned = False

    def connecting(self) -> None:
        """Note that nothing has left: there is no connection yet."""
        with self._lock:
            self._sent = False

    def connected(self) -> None:
        """Note that the request leaves now, unless nobody waits for it any more."""
        with self._lock:
            if self._abandoned:
                raise _Abandoned("nobody waits for this request any more")
            self._sent = True

    def abandon(self) -> None:
        """Stop waiting: a request that has not left stays where it is."""
        with self._lock:
            self._abandoned = True

    @property
    def sent(self) -> bool:
        """Whether the request may have arrived."""
        with self._lock:
            return self._sent


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        attempt: _Attempt = _thread.attempt
        attempt.connecting()
        super().connect()
        attempt.connected()


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        attempt: _Attempt = _thread.attempt
        attempt.connecting()
        super().connect()
        attempt.connected()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Connections that note when a request leaves. Never retries: ``max_retries`` is 0 by default."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self._note(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        return self._note(manager)

    @staticmethod
    def _note(manager: PoolManager) -> PoolManager:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


class _Failed(Exception):
    """A request without a usable response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


class GuardedSession(requests.Session):
    """A session with timeouts, a total deadline, no retries and no redirects; ``heard`` sees every response.

    The deadline holds whatever the other side does, name resolution and one byte a second
    included, because the request runs in a thread of its own that can be left behind.
    """

    def __init__(self, settings: AlpacaSettings, heard: Callable[[requests.Response], None]) -> None:
        super().__init__()
        self._heard = heard
        self._timeout = (settings.connect_timeout, settings.read_timeout)
        self._deadline = settings.total_deadline
        # Proxies and .netrc of the environment have no business between this machine and itself.
        self.trust_env = not is_loopback(settings.trading_url)
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def request(self, method: Any, url: Any, *_: Any, **options: Any) -> requests.Response:
        """Return the complete response.

        Raises:
            _Failed: there is none, or it is a redirect.
            AccountMismatch: the host is a live one, and this process must not reach it.
        """
        attempt = _Attempt()
        outcome: list[requests.Response | Exception] = []
        finished = threading.Event()

        def run() -> None:
            _thread.attempt = attempt
            try:
                guarded = {**options, "timeout": self._timeout, "allow_redirects": False}
                outcome.append(super(GuardedSession, self).request(method, url, **guarded))
            except (requests.RequestException, HTTPError, OSError, ValueError, AccountMismatch) as error:
                outcome.append(error)
            finally:
                finished.set()

        threading.Thread(target=run, name="alpaca-request", daemon=True).start()
        try:
            finished.wait(self._deadline)
        finally:
            attempt.abandon()
        return self._response(outcome, attempt.sent)

    def _response(self, outcome: list[requests.Response | Exception], sent: bool) -> requests.Response:
        if not outcome:
            raise _Failed(Answer(None, sent=sent, reason=f"no whole answer within {self._deadline:g} s"))
        found = outcome[0]
        if isinstance(found, AccountMismatch):
            raise found
        if isinstance(found, Exception):
            raise _Failed(Answer(None, sent=sent, reason=_describe(found)))
        self._heard(found)
        if 300 <= found.status_code < 400:
            raise _Failed(Answer(found.status_code, reason="a redirect, which is never followed"))
        return found


def _describe(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.ReadTimeout):
        return "connected, but no answer in time"
    # The libraries wrap what the operating system said three times.
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return f"{type(error).__name__}: {root}"


class _Client(Protocol):
    """The part of alpaca-py's ``RESTClient`` that is used."""

    def get(self, path: str, data: Any = None) -> Any: ...

    def post(self, path: str, data: Any = None) -> Any: ...

    def delete(self, path: str, data: Any = None) -> Any: ...


class Wire:
    """Asks one of Alpaca's hosts, through an SDK client, at most once per call."""

    def __init__(self, client: Any, settings: AlpacaSettings, gate: Gate) -> None:
        # ``retry_attempts=0`` is falsy to alpaca-py and means 3; the clients' constructors do not pass it on.
        client._retry = 0
        client._retry_codes = []
        self._session = client._session = GuardedSession(settings, gate.heard)
        self._client: _Client = client
        self._gate = gate
        self._secrets = (settings.secret_key, settings.key_id)

    def ask(
        self, method: Method, path: str, data: Mapping[str, Any] | None = None, urgent: bool = False
    ) -> Answer:
        """Send one request and return what came of it.

        The SDK's exceptions carry the request's headers, hence the credentials: they end here.

        Args:
            method: only a read waits for its turn when the minute's requests are spent.
            path, data: the request, below the version.
            urgent: may use what is kept for cancels, look-ups and recovery.

        Raises:
            AccountMismatch: the host is a live one, and this process must not reach it.
        """
        from alpaca.common.exceptions import APIError

        refusal = self._gate.admit(urgent, may_wait=method == "get")
        if refusal is not None:
            return refusal
        try:
            body = getattr(self._client, method)(path, dict(data) if data is not None else None)
        except APIError as error:
            return self._refusal(error.response)
        except requests.exceptions.JSONDecodeError:
            return Answer(200, reason="the answer is not JSON")
        except _Failed as failed:
            answer = failed.answer
            return Answer(answer.status, answer.body, answer.sent, self._clean(answer.reason))
        return Answer(200, body, reason="" if body is not None else "the answer is empty")

    def close(self) -> None:
        """Release connections."""
        self._session.close()

    def _refusal(self, response: requests.Response) -> Answer:
        try:
            body = response.json()
        except requests.exceptions.JSONDecodeError:
            body = None
        message = str(body.get("message", "")) if isinstance(body, dict) else ""
        reason = message or f"no message ({response.headers.get('Content-Type', 'no content type')})"
        reset = response.headers.get("X-RateLimit-Reset")
        if response.status_code == 429 and reset:
            reason += f" (limit resets at {reset})"
        return Answer(response.status_code, body, reason=self._clean(reason))

    def _clean(self, reason: str) -> str:
        for secret in self._secrets:
            reason = reason.replace(secret, "…")
        return reason[:_LONGEST_REASON]


def open_trading(settings: AlpacaSettings) -> Wire:
    """Return the wire to the trading host."""
    from alpaca.trading.client import TradingClient

    return Wire(
        TradingClient(
            settings.key_id,
            settings.secret_key,
            paper=settings.mode != "live",
            raw_data=True,
            url_override=settings.trading_url.rstrip("/").removesuffix("/v2"),
        ),
        settings,
        Gate(settings.trading_allowance, settings.refused_pause),
    )


def open_data(settings: AlpacaSettings) -> tuple[Wire, Wire]:
    """Return the wires to the stock data host and to the news host."""
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient

    root = settings.data_url.rstrip("/").removesuffix("/v2")
    # No local holds the keys: tracebacks with locals are shown to people.
    stocks, news = (
        client(settings.key_id, settings.secret_key, raw_data=True, url_override=root)
        for client in (StockHistoricalDataClient, NewsClient)
    )
    # A 403 here also means "not in your subscription": news that are not must not silence the bars.
    gate = Gate(settings.data_allowance, refused_pause=0.0)
    return Wire(stocks, settings, gate), Wire(news, settings, gate)


def open_corporate(settings: AlpacaSettings) -> Wire:
    """Return the wire to the list of announced corporate actions, on the data host."""
    from alpaca.data.historical.corporate_actions import CorporateActionsClient

    root = settings.data_url.rstrip("/").removesuffix("/v2")
    client = CorporateActionsClient(settings.key_id, settings.secret_key, raw_data=True, url_override=root)
    return Wire(client, settings, Gate(settings.data_allowance, refused_pause=0.0))
