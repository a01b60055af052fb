"""The broker's order updates as hints: they make the next look come early, and decide nothing.

Whatever a hint brings about is what any pass does first: recovery, under the same lock and lease. A hint that
is lost, doubled or late therefore changes nothing but the time of that look. A stream that keeps silent
about executions which the account shows is reported once, and connected anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.domain.alert_catalogue import alert
from pipeline.errors import LockBusy, MarketdayError
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.recovery import recover
from pipeline.operations.telling import tell
from pipeline.ports import OrderUpdates, Pacer

log = logging.getLogger(__name__)

SETTLE_SECONDS = 0.3
"""An order's news come in bursts: one look is enough for all of them."""
SPACING_SECONDS = 1.0
"""Least real time between two early looks."""
_TOLERANCE = timedelta(seconds=1)
"""By how much an update may be older than the execution that it tells of."""
_NEVER = datetime.min.replace(tzinfo=UTC)


def look_early(desk: Desk) -> bool:
    """Recover what is under way; return whether anything was new.

    Nothing is asked when nothing is under way, or while a pass holds the lock: it does the same.

    Raises:
        MarketdayError: the broker does not answer, or this process may not trade any more.
    """
    if not desk.journal.read().open_lives:
        return False
    with suppress(LockBusy), desk.lock.hold(0.0):
        now = desk.clock.now()
        desk.journal.take_lease(desk.owner, desk.code, desk.config, now)
        before = desk.journal.read().seq
        recover(desk, now)
        tell(desk)
        return desk.journal.read().seq > before
    return False


@dataclass(slots=True)
class StreamWatch:
    """Compares what the stream said with what the ledger booked.

    Attributes:
        grace: real seconds that an update may take longer than asking did.
        patience: real seconds without a connection before people hear of it.
        clock: monotonic seconds.
    """

    updates: OrderUpdates
    grace: float
    patience: float
    clock: Callable[[], float] = time.monotonic
    _known: datetime = _NEVER
    _heard: datetime | None = None
    _owed_since: float | None = None
    _down_since: float | None = None
    _told: bool = False

    def judge(self, desk: Desk) -> str:
        """Tell people of a silent stream, once until it speaks again; return why it is one, or ""."""
        newest = max((fill.at for fill in desk.journal.read().fills.values()), default=_NEVER)
        heard = self.updates.last_event
        if heard != self._heard:
            self._heard, self._told = heard, False
        reason = self._reason(newest)
        if not reason or self._told:
            return reason
        self._told = True
        text = f"{reason}; every pass asks for orders and executions itself, so nothing is missed."
        now = desk.clock.now()
        raise_alert(desk.journal, alert("stream_silent", desk.broker.name, text, now, desk.badge))
        if not self.updates.refused:
            self.updates.reconnect()
        return reason

    def _reason(self, newest: datetime) -> str:
        now = self.clock()
        if self.updates.refused:
            return f"the broker refused the stream: {self.updates.failure}"
        if self.updates.failure:
            self._known, self._owed_since = newest, None  # what happens meanwhile is lost, and not owed
            self._down_since = self._down_since or now
            down = now - self._down_since
            return f"no stream for {down:.0f} s: {self.updates.failure}" if down > self.patience else ""
        self._down_since = None
        told_to = max(self._known, self.updates.last_event or _NEVER)
        if newest == _NEVER or newest - told_to <= _TOLERANCE:
            self._owed_since = None
            return ""
        self._owed_since = self._owed_since or now
        owed = now - self._owed_since
        return f"no update of the execution at {newest:%H:%M:%S}Z" if owed > self.grace else ""

    def begin(self, desk: Desk) -> None:
        """Expect nothing of executions that were booked before anybody listened."""
        self._known = max((fill.at for fill in desk.journal.read().fills.values()), default=_NEVER)


@dataclass(slots=True)
class Hints:
    """Listens for one session's driver.

    Attributes:
        hurry: whether a hint is answered at once. In virtual time it is not: there the next pass comes
            sooner than any hint, and what a rehearsal does must not depend on threads.
    """

    updates: OrderUpdates
    hurry: bool
    watch: StreamWatch
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _looked: float = float("-inf")

    def start(self, desk: Desk) -> None:
        """Begin to listen; called on the event loop."""
        loop = asyncio.get_running_loop()

        def notify() -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever wanted to know
                loop.call_soon_threadsafe(self._changed.set)

        self.watch.begin(desk)
        self.updates.start(notify if self.hurry else None)

    def stop(self) -> None:
        """End listening."""
        self.updates.stop()

    async def until(self, desk: Desk, pacer: Pacer, instant: datetime) -> None:
        """Let time pass until ``instant``, and look early whenever something was hinted at."""
        if not self.hurry:
            await pacer.wait_until(instant)
            return
        waiting = asyncio.ensure_future(pacer.wait_until(instant))
        try:
            while not waiting.done():
                await self._hint_or(waiting)
                if not waiting.done():
                    self._look(desk)
        finally:
            waiting.cancel()
        await waiting

    async def _hint_or(self, waiting: asyncio.Future[None]) -> None:
        """Return when something was hinted at and its burst is over, or when ``waiting`` is done."""
        hint = asyncio.ensure_future(self._changed.wait())
        either: set[asyncio.Future[Any]] = {waiting, hint}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        hint.cancel()
        if not waiting.done():
            spaced = self._looked + SPACING_SECONDS - time.monotonic()
            await asyncio.wait({waiting}, timeout=max(SETTLE_SECONDS, spaced))

    def _look(self, desk: Desk) -> None:
        self._changed.clear()
        self._looked = time.monotonic()
        try:
            look_early(desk)
        except MarketdayError as error:
            log.info("a hint led to nothing: %s", error)  # the next pass meets the same, and judges it

    def judge(self, desk: Desk) -> None:
        """Compare what was heard with what was booked. Whatever goes wrong in it concerns the hints alone."""
        try:
            self.watch.judge(desk)
        except MarketdayError as error:
            log.info("the stream was not judged: %s", error)
