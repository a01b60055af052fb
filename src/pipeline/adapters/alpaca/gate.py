"""What decides whether a request may leave at all: the budget, and whether the credentials still hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime

import requests

from pipeline.adapters.alpaca.budget import Allowance, Budget
from pipeline.adapters.alpaca.outcomes import Answer

TOO_MANY = 429
_UNTOLD_BLOCK = 10.0
"""Seconds to wait after a 429 that does not say for how long."""


class Gate:
    """Admits requests, and learns from their answers. Safe between threads.

    Credentials that were refused are not shown again at once: a revoked key shown two hundred times locks
    accounts. One request in ``refused_pause`` seconds finds out whether they hold again.
    """

    def __init__(
        self,
        allowance: Allowance,
        refused_pause: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = Budget(allowance, clock, sleep)
        self._clock, self._refused_pause = clock, refused_pause
        self._lock = threading.Lock()
        self._refused: str = ""
        self._ask_again = 0.0

    def admit(self, urgent: bool, may_wait: bool) -> Answer | None:
        """Return None, or the answer of a request that does not leave."""
        with self._lock:
            if self._refused and self._clock() < self._ask_again:
                return Answer(401, sent=False, reason=f"{self._refused}; not asked again so soon")
            self._ask_again = self._clock() + self._refused_pause
        spent = self._budget.admit(urgent, may_wait)
        return Answer(None, sent=False, reason=spent) if spent else None

    def heard(self, response: requests.Response) -> None:
        """Learn from an answer: what is left of the minute, and whether the credentials are refused."""
        headers = response.headers
        remaining = headers.get("X-RateLimit-Remaining", "")
        self._budget.told(int(remaining) if remaining.isdigit() else None)
        if response.status_code == TOO_MANY:
            self._budget.block(block_seconds(headers, time.time()))
        with self._lock:
            self._refused = "the broker refused the credentials" if _refuses_us(response) else ""


def block_seconds(headers: Mapping[str, str], now: float) -> float:
    """Return for how long a "too many requests" asks to be left alone, seconds; may be negative.

    Args:
        headers: ``Retry-After`` in seconds, or ``X-RateLimit-Reset`` as seconds since 1970, which is compared
            with the broker's own ``Date``, so that our clock does not matter.
        now: seconds since 1970, used where the broker does not tell its date.
    """
    after, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    if after.isdigit():
        return float(after)
    if not reset.isdigit():
        return _UNTOLD_BLOCK
    with suppress(ValueError):  # without a date that can be read, our own clock has to do
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return int(reset) - now


def _refuses_us(response: requests.Response) -> bool:
    """Tell whether this refuses the caller, not one order: a 403 with a code is about the order."""
    if response.status_code == 401:
        return True
    if response.status_code != 403:
        return False
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        return True
    return not (isinstance(body, dict) and body.get("code"))
