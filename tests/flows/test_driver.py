"""The session's driver: Prefect may die in mid-session; the session does not notice but for saying so."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from prefect.events.worker import EventsWorker

from pipeline.cli import session
from pipeline.cli.session import Driver
from pipeline.domain.journal import Kind
from pipeline.domain.orders import IntentState
from tests.flows.servers import PREFECTS_OWN, Server, revived, running_server
from tests.operations.desks import DAY, Rehearsal, overlay, rehearsal

pytestmark = [pytest.mark.slow, *PREFECTS_OWN]

QUARTERS = {
    "strategies": [
        {
            "type": "scripted",
            "name": "Scripted",
            "params": {"script": "+SPY 15:00, -SPY 16:00, +QQQ 17:00, -QQQ 18:00", "minutes": 15},
        }
    ],
    "data": {"timeframe": "15m"},
    "monitoring": {"risk_monitoring": {"check_frequency_seconds": 900}},
}
"""A session of 26 ticks, four of which trade; a monitor pass would fall on a tick, so there is none."""


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, to be killed. One retry: what Prefect says to a dead server after the session
    is not what is tested, and takes it more than a minute."""
    home = tmp_path / "prefect-home"
    with running_server(home, retries=1) as running:
        yield running
        with revived(running, home):
            EventsWorker.drain_all(timeout=10.0)
    gc.collect()


def test_a_session_goes_on_without_prefect_and_trades_the_same(
    doomed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the first order is on its way. Every run after it takes under 5 s, no order is sent twice.

    Before that Prefect may take its time: a busy machine is another outage, and not what is tested.
    """
    monkeypatch.setattr(session, "BEGIN_SECONDS", 60.0)
    with rehearsal(tmp_path, overlay(**QUARTERS)) as desk:
        gaps = driven(desk, doomed)
        ledger = desk.ledger
        drivers = {record.data["driver"] for record in desk.records(Kind.CLAIM)}
        told = [record.data["event"] for record in desk.records(Kind.ALERT)]
        lives = list(ledger.lives.values())

        assert not doomed.reachable()
        assert {ledger.runs.get(run) for run in ledger.planned} == {"completed"}
        assert drivers == {"session", "session, without Prefect"}
        assert told.count("orchestration_degraded") == 1
        assert [(life.intent.symbol, life.intent.side.value) for life in lives] == [
            ("SPY", "buy"),
            ("SPY", "sell"),
            ("QQQ", "buy"),
            ("QQQ", "sell"),
        ]
        assert {life.state for life in lives} == {IntentState.FILLED}
        assert desk.received() == {life.intent.id: 1 for life in lives}
        assert max(gaps) < 5.0
        assert ledger.cash == desk.desk.broker.fetch_account().cash


def driven(desk: Rehearsal, server: Server) -> list[float]:
    """Drive the session, kill the server in its first submission; return how long each run after it took."""
    ended: list[float] = []

    def told(_procedure: str, _instant: datetime, outcome: dict[str, int | str]) -> None:
        assert "failed" not in outcome, outcome
        ended.append(time.monotonic())

    def die(_moment: str) -> None:
        desk.broker.fault = lambda _again: None
        server.kill()
        ended[:] = [time.monotonic()]

    async def driving() -> None:
        driver = Driver(desk.config, server.reachable, told)
        await driver.run_session(DAY)
        await driver.finish()

    desk.broker.fault = die
    asyncio.run(driving())
    return [after - before for before, after in pairwise(ended)]
