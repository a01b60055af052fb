"""How many requests a minute may be spent, and on what.

Alpaca allows 200 a minute and account, market data apart (docs.alpaca.markets, "Usage Limit"). Somebody who
has spent them all cannot cancel any more: a part is kept for cancels, look-ups and recovery.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent.

    Attributes:
        per_minute: requests, 0 for no limit of our own.
        reserve: of these, kept for urgent ones.
        patience: seconds that all requests together may wait for their turn in a minute, so that no pass
            sleeps away its own deadline.
        longest_block: seconds for which a broker's "too many" is obeyed at most.
    """

    per_minute: int = 200
    reserve: int = 40
    patience: float = 5.0
    longest_block: float = MINUTE


class _Bucket:
    """Fills up at a steady rate: ``size`` in a minute."""

    def __init__(self, size: float, now: float) -> None:
        self._size, self._level, self._at = size, size, now

    def level(self, now: float) -> float:
        """Return what may be taken at ``now``."""
        grown = (now - self._at) * self._size / MINUTE
        self._level, self._at = min(self._size, self._level + max(0.0, grown)), now
        return self._level

    def lower(self, level: float) -> None:
        """Hold no more than ``level``."""
        self._level = min(self._level, level)

    def take(self, amount: float = 1.0) -> None:
        """Take out; the level was asked before."""
        self._level -= amount

    def wait(self, now: float) -> float:
        """Return the seconds until one can be taken."""
        missing = 1.0 - self.level(now)
        return max(0.0, missing) * MINUTE / self._size


class Budget:
    """Requests of one account in this process. Safe between threads.

    Args:
        allowance: what may be spent.
        clock: monotonic seconds.
        sleep: lets them pass.
    """

    def __init__(
        self, allowance: Allowance, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._allowance, self._clock, self._sleep = allowance, clock, sleep
        self._lock = threading.Lock()
        now = clock()
        self._common = _Bucket(max(1, allowance.per_minute - allowance.reserve), now)
        self._kept = _Bucket(max(1, allowance.reserve), now)
        self._patience = _Bucket(allowance.patience, now)
        self._blocked_until = now

    def admit(self, urgent: bool, may_wait: bool) -> str:
        """Take one request's worth and return "", or why there is none.

        Args:
            urgent: may use the reserve, and is tried although the broker said "too many" a moment ago.
            may_wait: waits for its turn, if the minute's patience lasts so long; otherwise says no at once.
        """
        while True:
            with self._lock:
                pause = self._pause(urgent)
                if pause == 0.0:
                    return ""
                enough = may_wait and pause <= self._patience.level(self._clock())
                if not enough:
                    return f"the requests of this minute are spent, the next may leave in {pause:.1f} s"
                self._patience.take(pause)
            self._sleep(pause)

    def told(self, remaining: int | None) -> None:
        """Heed what the broker says is left of the minute: other processes spend of it, too."""
        if remaining is not None and self._allowance.per_minute:
            with self._lock:
                self._common.level(self._clock())
                self._common.lower(max(0.0, float(remaining - self._allowance.reserve)))

    def block(self, seconds: float) -> None:
        """Send nothing that is not urgent for ``seconds``: the broker said "too many"."""
        until = self._clock() + min(max(seconds, 0.0), self._allowance.longest_block)
        with self._lock:
            self._blocked_until = max(self._blocked_until, until)

    def _pause(self, urgent: bool) -> float:
        """Return how long to wait, 0 when a request was taken."""
        now = self._clock()
        blocked = max(0.0, self._blocked_until - now)
        if not self._allowance.per_minute and (urgent or not blocked):
            return 0.0
        if not blocked and self._common.level(now) >= 1.0:
            self._common.take()
            return 0.0
        if urgent and self._kept.level(now) >= 1.0:
            self._kept.take()
            return 0.0
        waits = self._kept.wait(now) if urgent else max(blocked, self._common.wait(now))
        return max(waits, 0.001)
