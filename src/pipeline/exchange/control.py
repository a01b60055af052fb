"""Client of the exchange's control port. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

from pipeline.errors import BrokerUnavailable, UsageError

NAME = "rehearsal exchange"


class ExchangeControl:
    """Moves a rehearsal exchange's virtual time and reads its own log.

    Every method may raise ``BrokerUnavailable`` (no answer) and ``UsageError`` (refused: it
    says why, as for a time in the past).
    """

    def __init__(self, control_url: str, timeout_seconds: float = 60.0) -> None:
        self._url = control_url.rstrip("/")
        self._timeout = timeout_seconds

    def now(self) -> datetime:
        """Return virtual time, UTC."""
        return _instant(self._call("/clock"))

    def advance(self, to: datetime) -> datetime:
        """Move virtual time to ``to``, which is not before now, and return it."""
        return _instant(self._call("/clock", {"to": to.isoformat()}))

    def run(self, speed: float) -> datetime:
        """Let virtual time flow ``speed`` times as fast as real time; return where it starts."""
        return _instant(self._call("/clock/run", {"speed": speed}))

    def pause(self) -> datetime:
        """Stop virtual time and return it."""
        return _instant(self._call("/clock/pause", {}))

    def status(self) -> dict[str, Any]:
        """Return now, is_open, running, session, account_number, symbols and counts."""
        return dict(self._call("/status"))

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the entries of the exchange's log with a sequence number above ``after``."""
        return list(self._call(f"/log?after={after}"))

    def _call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        # Loopback only: an environment's proxy must not see, or swallow, control requests.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self._url + path, data)  # noqa: S310
        try:
            with opener.open(request, timeout=self._timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise UsageError(f"{NAME}: {_message(error.read())}") from error
        except (OSError, ValueError) as error:
            raise BrokerUnavailable(NAME, str(error)) from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


def _instant(answer: Any) -> datetime:
    return datetime.fromisoformat(answer["now"])
