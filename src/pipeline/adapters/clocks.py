"""Clocks and pacers: what time it is, and how it passes."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from pipeline.errors import BrokerUnavailable, UsageError
from pipeline.ports import Clock

_LONGEST_NAP = 5.0
_EXCHANGE = "the rehearsal exchange"
_ALREADY_PASSED = 409


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that may ask the machine


class ExchangeClock:
    """The rehearsal exchange's virtual clock, as its control port tells it. Every reading is a request.

    Not as the broker tells it: while the broker that the exchange plays is silent, time has to go on, or
    nobody would notice for how long.

    Args:
        control_url: root of the control port, as in ``http://127.0.0.1:9001``.
        timeout: seconds for one reading.
    """

    def __init__(self, control_url: str, timeout: float = 10.0) -> None:
        parts = urlsplit(control_url)
        self._host, self._port, self._timeout = parts.hostname or "", parts.port, timeout

    def now(self) -> datetime:
        """Return the exchange's current instant, UTC. Raises BrokerUnavailable."""
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("GET", "/clock")
            told = json.loads(connection.getresponse().read())["now"]
            return datetime.fromisoformat(told).astimezone(UTC)
        except (HTTPException, OSError) as error:
            raise BrokerUnavailable(_EXCHANGE, str(error) or type(error).__name__) from error
        except (ValueError, TypeError, KeyError) as error:
            raise BrokerUnavailable(_EXCHANGE, f"its clock cannot be read: {error}") from error
        finally:
            connection.close()


class SleepingPacer:
    """Lets real time pass.

    Args:
        clock: whose instants are meant.
        speed: how many of its seconds pass in one real second: 1, unless it is a rehearsal's.
    """

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self._speed = speed

    async def wait_until(self, instant: datetime) -> None:
        """Return at ``instant`` by the clock, or at once when it has passed.

        Sleeps in short naps: a clock that is set, or a machine that was suspended, costs one nap.
        """
        while (left := (instant - self._clock.now()) / timedelta(seconds=1)) > 0:
            await asyncio.sleep(min(left / self._speed, _LONGEST_NAP))


class HurryingPacer:
    """Passes over the long pauses of a rehearsal whose clock runs by itself: nights, and before the open.

    Args:
        moving: jumps; sleeping: waits.
    """

    longest_wait = timedelta(minutes=2)
    lead = timedelta(seconds=10)

    def __init__(self, clock: Clock, moving: VirtualPacer, sleeping: SleepingPacer) -> None:
        self._clock = clock
        self._moving = moving
        self._sleeping = sleeping

    async def wait_until(self, instant: datetime) -> None:
        """Return at ``instant``, after a jump to just before it when it is far away."""
        if instant - self._clock.now() > self.longest_wait:
            await self._moving.wait_until(instant - self.lead)
        await self._sleeping.wait_until(instant)


class VirtualPacer:
    """Moves the rehearsal exchange's clock through its control port.

    Args:
        control_url: root of the control port, as in ``http://127.0.0.1:9001``.
        timeout: seconds that the exchange may take to work through the time between.
    """

    def __init__(self, control_url: str, timeout: float = 60.0) -> None:
        self._url = f"{control_url.rstrip('/')}/clock"
        self._timeout = timeout
        self._opener = build_opener(ProxyHandler({}))

    async def wait_until(self, instant: datetime) -> None:
        """Return when the exchange's clock shows ``instant``; a clock that shows more stays as it is.

        Raises:
            BrokerUnavailable: the exchange did not answer.
            UsageError: it cannot move its clock there.
        """
        await asyncio.to_thread(self._move, instant)

    def _move(self, instant: datetime) -> None:
        body = json.dumps({"to": instant.astimezone(UTC).isoformat().replace("+00:00", "Z")}).encode()
        request = Request(self._url, data=body, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                answer.read()
        except HTTPError as error:
            with error:
                refused = error.read(300).decode(errors="replace")
            if error.code >= 500:
                raise BrokerUnavailable(_EXCHANGE, f"HTTP {error.code} {refused}") from error
            if error.code != _ALREADY_PASSED:
                raise UsageError(f"{_EXCHANGE} cannot move its clock to {instant}: {refused}") from error
        except (URLError, OSError) as error:
            raise BrokerUnavailable(_EXCHANGE, str(error)) from error
