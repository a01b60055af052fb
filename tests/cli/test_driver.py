"""The session's driver and Prefect: an outage is told once, however long it lasts and however it flickers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import session
from pipeline.cli.session import Driver, Operation
from pipeline.domain.journal import Kind
from tasks.running import WATCHES
from tests.operations.desks import Rehearsal, at, rehearsal

UP, DOWN, SLOW = "up", "down", "slow"


def told_after(desk: Rehearsal, prefect: Iterable[str], patch: pytest.MonkeyPatch) -> list[str]:
    """Drive one run for each word of how Prefect is then; return the outages that people were told."""
    words = list(prefect)
    now = [""]

    async def body(*_: object) -> dict[str, int | str]:
        return {}

    async def flow(_config: str, instant: datetime, _driver: str) -> None:
        if now[0] == SLOW:
            await asyncio.sleep(0.2)
        watch = WATCHES.get(("risk-monitor", instant))
        if watch is not None:
            watch.begun.set()
            watch.result = {"procedure": "risk-monitor"}
            watch.done.set()

    patch.setattr(session, "operation", lambda _name: Operation(flow, body))
    patch.setattr(session, "BEGIN_SECONDS", 0.05)
    failed: list[Any] = []
    driver = Driver(desk.config, lambda: now[0] != DOWN, lambda *told: failed.append(told[2].get("failed")))

    async def driving() -> None:
        for number, word in enumerate(words):
            now[0] = word
            await driver.run("risk-monitor", at("14:31") + timedelta(minutes=number))
        await driver.finish()

    asyncio.run(driving())
    assert failed == [None] * len(words)
    alerts = [record.data for record in desk.records(Kind.ALERT)]
    return [one["text"].partition(";")[0] for one in alerts if one["event"] == "orchestration_degraded"]


def test_an_outage_of_prefect_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down for good; or slow, well for two runs, slow and down: one. After three good runs: another."""
    with rehearsal(tmp_path) as desk:
        first = told_after(desk, [UP, DOWN, DOWN, DOWN], monkeypatch)
    with rehearsal(tmp_path / "again") as desk:
        flickers = told_after(desk, [SLOW, UP, UP, SLOW, DOWN, UP, UP, UP, DOWN], monkeypatch)

    assert first == ["Prefect does not answer"]
    assert flickers == ["its run did not begin within 0 s", "Prefect does not answer"]
