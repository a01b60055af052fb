"""Clocks tell the time in UTC, pacers let it pass."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pipeline.adapters.clocks import ExchangeClock, SleepingPacer, SystemClock, VirtualPacer
from pipeline.errors import BrokerUnavailable, UsageError
from tests.unit.adapters.fake_alpaca import FakeAlpaca, Handler, fake_alpaca, says

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as running:
        yield running


def test_a_sleeping_pacer_returns_at_the_instant_and_at_once_when_it_has_passed() -> None:
    clock = SystemClock()
    began = clock.now()
    asyncio.run(SleepingPacer(clock).wait_until(began - timedelta(hours=1)))
    asyncio.run(SleepingPacer(clock).wait_until(began + timedelta(milliseconds=50)))

    assert began.tzinfo is UTC
    assert timedelta(milliseconds=50) <= clock.now() - began < timedelta(seconds=1)


def test_a_virtual_pacer_moves_the_exchanges_clock_without_waiting(server: FakeAlpaca) -> None:
    moved: list[str] = []

    def move(handler: Handler, body: dict[str, Any]) -> None:
        moved.append(body["to"])
        handler.answer(200, {"now": body["to"]})

    server.scripts["POST /clock"] = move
    began = time.monotonic()
    new_york = timezone(timedelta(hours=-5))
    asyncio.run(VirtualPacer(f"{server.url}/").wait_until(NOON.astimezone(new_york)))

    assert moved == ["2026-11-20T17:00:00Z"]
    assert time.monotonic() - began < 1


def test_an_instant_that_has_passed_on_the_exchange_returns_at_once(server: FakeAlpaca) -> None:
    server.scripts["POST /clock"] = says(
        409, {"code": 40910000, "message": "the clock does not go backwards"}
    )

    asyncio.run(VirtualPacer(server.url).wait_until(NOON))


def test_a_clock_that_cannot_be_moved_is_told_apart_from_one_that_does_not_answer(server: FakeAlpaca) -> None:
    server.scripts["POST /clock"] = says(422, {"message": "the session table ends before that time"})
    with pytest.raises(UsageError, match="session table ends"):
        asyncio.run(VirtualPacer(server.url).wait_until(NOON))

    server.scripts["POST /clock"] = says(500, "oops")
    with pytest.raises(BrokerUnavailable):
        asyncio.run(VirtualPacer(server.url).wait_until(NOON))
    with pytest.raises(BrokerUnavailable):
        asyncio.run(VirtualPacer("http://127.0.0.1:1").wait_until(NOON))


def test_the_exchanges_clock_is_its_control_ports_so_that_time_passes_while_the_broker_is_silent(
    server: FakeAlpaca,
) -> None:
    """F45: without it nobody in a rehearsal would notice for how long the broker has been silent."""
    server.scripts["GET /v2/clock"] = says(503)
    server.scripts["GET /clock"] = says(200, {"now": "2026-11-20T12:00:00.123456-05:00", "running": False})
    clock = ExchangeClock(server.url)

    assert clock.now() == NOON + timedelta(microseconds=123_456)


@pytest.mark.parametrize("body", [{}, [], "soon", {"now": 7}])
def test_a_clock_that_cannot_be_read_is_no_answer(server: FakeAlpaca, body: Any) -> None:
    server.scripts["GET /clock"] = says(200, body)

    with pytest.raises(BrokerUnavailable):
        ExchangeClock(server.url).now()
    with pytest.raises(BrokerUnavailable, match="refused"):
        ExchangeClock("http://127.0.0.1:1").now()


def test_importing_the_adapters_imports_no_vendor() -> None:
    code = (
        "import sys, pipeline.adapters.alpaca, pipeline.adapters.calendar, pipeline.adapters.clocks\n"
        "assert not {'alpaca', 'requests', 'urllib3', 'pandas', 'numpy', 'websockets'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
