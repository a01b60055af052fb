"""Each flow through Prefect: a named run that completes, artifacts with stable keys, the same claims.

And that the pinned Prefect works: it starts, and it really schedules (FAULTS K1). In one file: one server.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import Artifact, FlowRun
from prefect.client.schemas.schedules import IntervalSchedule

from flows.intraday_tick import intraday_tick
from pipeline.domain.trading_state import TradingState
from pipeline.operations.emergency import halt
from tests.flows.servers import PREFECTS_OWN, Server
from tests.operations.desks import Rehearsal, at, overlay, rehearsal

pytestmark = [pytest.mark.slow, *PREFECTS_OWN]

RUNS = (
    ("plan-session", "12:00"),
    ("pre-market", "13:30"),
    ("market-open", "14:30"),
    ("intraday-tick", "14:35"),
    ("risk-monitor", "14:35:30"),
    ("intraday-tick", "14:36"),
    ("intraday-check", "15:30"),
    ("market-close", "21:00"),
    ("post-market", "22:00"),
    ("daily-report", "22:30"),
)


def flow_named(name: str) -> Any:
    """Return a flow."""
    return getattr(importlib.import_module(f"flows.{name.replace('-', '_')}"), name.replace("-", "_"))


@pytest.fixture(scope="module")
def day(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A session's procedures, each as a Prefect run, with one trade in it."""
    with rehearsal(tmp_path_factory.mktemp("day"), overlay("+SPY 14:35")) as desk:
        for name, clock in RUNS:
            desk.to(at(clock))
            summary = asyncio.run(flow_named(name)(str(desk.config), at(clock)))
            assert "skipped" not in summary, summary
        yield desk


async def _runs() -> list[FlowRun]:
    async with get_client() as client:
        return await client.read_flow_runs(limit=200)


async def _artifacts() -> list[Artifact]:
    async with get_client() as client:
        return await client.read_artifacts(limit=200)


def test_each_procedure_is_a_completed_run_named_by_its_instant(day: Rehearsal) -> None:
    """What people look for in Prefect's pages: the procedure and the instant it stands for."""
    states = {run.name: run.state_name for run in asyncio.run(_runs())}
    names = {
        f"{name} 2026-11-20 {clock if clock.count(':') == 2 else clock + ':00'}Z" for name, clock in RUNS
    }

    assert names <= set(states)
    assert {states[name] for name in names} == {"Completed"}


def test_artifacts_have_stable_keys(day: Rehearsal) -> None:
    """So that their history accumulates from session to session."""
    keys = {artifact.key for artifact in asyncio.run(_artifacts())}

    assert keys >= {"pre-market-go-nogo", "risk-snapshot", "reconciliation", "daily-report"}


def test_the_same_instant_a_second_time_sends_nothing(day: Rehearsal) -> None:
    """A deployment's run has no instant of its own: in rehearsal it stands for the bar that ended last."""
    received = day.received()
    report = asyncio.run(flow_named("daily-report")(str(day.config)))
    first = asyncio.run(flow_named("intraday-tick")(str(day.config)))
    again = asyncio.run(flow_named("intraday-tick")(str(day.config)))
    late = asyncio.run(flow_named("intraday-tick")(str(day.config), at("14:37")))

    assert report["skipped"] == "done: daily-report 2026-11-20 22:30:00Z is already done"
    assert ("skipped" in first, first["instant"]) == (False, "2026-11-20T22:30:00+00:00")
    assert again["skipped"] == "done: intraday-tick 2026-11-20 22:30:00Z is already done"
    assert str(late["skipped"]).startswith("stale:")
    assert day.received() == received
    assert list(received.values()) == [1]


def test_stop_and_resume_are_runs_that_people_start(day: Rehearsal) -> None:
    """With a reason in the run's name; resuming shows its five recovery steps."""
    stopped = asyncio.run(flow_named("emergency-stop")(str(day.config), "drill"))
    state = day.ledger.state.state
    resumed = asyncio.run(flow_named("resume-trading")(str(day.config), "drill is over"))
    names = {run.name: run.state_name for run in asyncio.run(_runs())}
    keys = {artifact.key for artifact in asyncio.run(_artifacts())}

    assert (stopped["procedure"], state) == ("emergency-stop", TradingState.HALTED)
    assert resumed["check_position_integrity"] == "ok"
    assert day.ledger.state.state is TradingState.NORMAL
    assert names["emergency-stop drill"] == names["resume-trading drill is over"] == "Completed"
    assert "recovery-steps" in keys


def test_a_refused_resume_is_a_failed_run_that_says_why(day: Rehearsal) -> None:
    """Nothing to resume: the run must not look as if it had done something."""
    state = asyncio.run(flow_named("resume-trading")(str(day.config), "again", return_state=True))

    assert state.is_failed()
    assert "there is nothing to resume" in str(state.message)


def test_a_halted_desk_still_runs_and_sends_nothing(day: Rehearsal) -> None:
    """Being halted is a state of the desk, not an error of the run."""
    halt(day.desk.journal, "drill", "test", day.now())
    state = asyncio.run(flow_named("risk-monitor")(str(day.config), return_state=True))

    assert state.is_completed()
    assert day.ledger.state.state is TradingState.HALTED


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
