"""Client of the exchange's control port. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

from pipeline.errors import BrokerUnavailable, UsageError
from pipeline.exchange.control_changes import Changes
from pipeline.exchange.fault_rules import FaultRule

NAME = "rehearsal exchange"


class ExchangeControl(Changes):
    """Moves a rehearsal exchange's virtual time, spoils its answers, changes what is true, reads its log.

    Every method may raise ``BrokerUnavailable`` (no answer) and ``UsageError`` (refused: it
    says why, as for a time in the past).
    """

    def __init__(self, control_url: str, timeout_seconds: float = 60.0) -> None:
        self._url = control_url.rstrip("/")
        self._timeout = timeout_seconds

    def now(self) -> datetime:
        """Return virtual time, UTC."""
        return _instant(self.call("/clock"))

    def advance(self, to: datetime) -> datetime:
        """Move virtual time to ``to``, which is not before now, and return it."""
        return _instant(self.call("/clock", {"to": to.isoformat()}))

    def run(self, speed: float) -> datetime:
        """Let virtual time flow ``speed`` times as fast as real time; return where it starts."""
        return _instant(self.call("/clock/run", {"speed": speed}))

    def pause(self) -> datetime:
        """Stop virtual time and return it."""
        return _instant(self.call("/clock/pause", {}))

    def status(self) -> dict[str, Any]:
        """Return now, is_open, running, session, account_number, symbols and counts."""
        return dict(self.call("/status"))

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the entries of the exchange's log with a sequence number above ``after``."""
        return list(self.call(f"/log?after={after}"))

    def add_fault(self, rule: FaultRule) -> str:
        """Put a fault in force and return its id."""
        return str(self.call("/faults", rule.to_json())["id"])

    def outage(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        scope: str = "all",
        status: int = 0,
        seconds: float = 0.0,
    ) -> str:
        """Let nothing work between two virtual instants; return the fault's id.

        Args:
            start: now by default.
            end: by default when the fault is removed.
            scope: ``all``, ``trading`` or ``data``.
            status: with which every request is answered; by default connections are reset.
            seconds: real ones, for which every request hangs before.
        """
        rule = FaultRule(kind="outage", start=start, end=end, scope=scope, status=status, seconds=seconds)
        return self.add_fault(rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults in force as JSON, each with ``seen`` requests and ``hits``."""
        return list(self.call("/faults"))

    def remove_fault(self, fault_id: str) -> None:
        """Take one fault out of force."""
        self.call(f"/faults/{urllib.parse.quote(fault_id, safe='')}", method="DELETE")

    def clear_faults(self) -> None:
        """Take every fault out of force."""
        self.call("/faults", method="DELETE")

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Send one request and return the JSON of its answer."""
        data = None if body is None else json.dumps(body).encode()
        # Loopback only: an environment's proxy must not see, or swallow, control requests.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self._url + path, data, method=method)  # noqa: S310
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
