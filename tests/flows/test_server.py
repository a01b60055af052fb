"""The pinned Prefect works: it starts, and it really schedules (FAULTS K1)."""

from __future__ import annotations

import asyncio
import importlib
import time
from datetime import timedelta

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.schedules import IntervalSchedule

from flows.intraday_tick import intraday_tick
from tests.flows.servers import PREFECTS_OWN, Server

pytestmark = [pytest.mark.slow, *PREFECTS_OWN]


def test_the_server_imports_with_the_pinned_versions() -> None:
    """With fastapi 0.155 or newer this import fails: Body() got an unexpected keyword argument."""
    assert importlib.import_module("prefect.server.api.server").create_app


def test_a_schedule_really_makes_runs(server: Server) -> None:
    """With sqlalchemy 2.1 the server says it is healthy and never creates a scheduled run."""
    assert server.reachable()
    assert asyncio.run(_scheduled(20.0)) > 0


async def _scheduled(patience: float) -> int:
    """Deploy a flow every minute and return how many runs appeared within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    async with get_client() as client:
        flow_id = await client.create_flow(intraday_tick)
        schedule = DeploymentScheduleCreate(
            schedule=IntervalSchedule(interval=timedelta(minutes=1)), active=True
        )
        deployment = await client.create_deployment(flow_id, "guard", schedules=[schedule])
        wanted = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
        runs = await client.read_flow_runs(flow_run_filter=wanted)
        while not runs and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            runs = await client.read_flow_runs(flow_run_filter=wanted)
        await client.delete_deployment(deployment)
    return len(runs)
