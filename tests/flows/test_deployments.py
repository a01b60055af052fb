"""``prefect.yaml`` and the flows it names: what can be known of them without a server."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE

from tasks.calling import ARTIFACT

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
NAMES = [deployment["entrypoint"].rsplit(".", 1)[1] for deployment in DEPLOYMENTS]

ORDER_PATH = (
    "keep_limits",
    "send_intent",
    "close_tick",
    "close_positions",
    "recovery_step",
    "resume",
    "settle_stop",
    "stop",
)
"""Steps that send orders, or that nobody but recovery may repeat."""


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    """Import a deployment's entrypoint, as a worker does."""
    module, _, name = deployment["entrypoint"].rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Flow)
    return found


def tasks_of(module: str) -> dict[str, Task[..., Any]]:
    """Return the tasks that a module defines."""
    found = importlib.import_module(module)
    return {name: one for name, one in vars(found).items() if isinstance(one, Task)}


def test_every_flow_is_deployed_once() -> None:
    """A flow that nobody can start by name is a flow that is not there."""
    flows = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__"}

    assert sorted(NAMES) == sorted(flows)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_an_entrypoint_imports_as_a_module_and_takes_its_parameters(deployment: dict[str, Any]) -> None:
    """A file entrypoint would deploy a broken import with exit 0; a wrong parameter would fail at 09:30."""
    flow = flow_of(deployment)
    signature = inspect.signature(flow.fn)
    required = {name for name, one in signature.parameters.items() if one.default is inspect.Parameter.empty}

    assert ":" not in deployment["entrypoint"]
    assert set(deployment["parameters"]) <= set(signature.parameters)
    assert required - set(deployment["parameters"]) <= {"reason"}
    assert flow.name == flow.fn.__name__.replace("_", "-")
    assert flow.isasync
    assert flow.timeout_seconds is not None
    assert not flow.retries


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_schedules_are_in_the_exchanges_time(deployment: dict[str, Any]) -> None:
    """Without a time zone Prefect means UTC, and every procedure would run five hours early."""
    for schedule in deployment["schedules"]:
        assert set(schedule) == {"cron", "timezone", "active"}
        assert schedule["timezone"] == "America/New_York"
        assert schedule["cron"].endswith("* * 1-5")


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_a_run_gets_a_path_and_neither_number_nor_secret(deployment: dict[str, Any]) -> None:
    """Prefect stores parameters in clear, and late runs come with those of an old deployment."""
    assert deployment["parameters"] == {"config": "data/desk/desk.json"}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_runs_of_one_deployment_do_not_queue(deployment: dict[str, Any]) -> None:
    """A tick that comes while one runs is cancelled; the lock that counts is ours all the same.

    A stop never is: the slot of one that was killed stays taken for minutes (FAULTS K6, F116).
    """
    limited = {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    stop = "emergency-stop" in deployment["tags"]

    assert deployment.get("concurrency_limit") == (None if stop else limited)


@pytest.mark.parametrize("name", ORDER_PATH)
def test_no_step_of_the_order_path_is_repeated_cached_or_kept_by_prefect(name: str) -> None:
    """Measured: task retries, flow retries and timeouts each made 2 to 3 orders of one intent."""
    task = (tasks_of("tasks.trading") | tasks_of("tasks.steps"))[name]

    assert (task.retries, task.cache_policy, task.persist_result) == (0, NO_CACHE, False)
    assert task.timeout_seconds is None


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=NAMES)
def test_a_flow_keeps_no_result_and_asks_no_server_where_it_would(deployment: dict[str, Any]) -> None:
    """Without a place of its own Prefect asks, blocking the event loop: 122 s with a mute server."""
    flow = flow_of(deployment)

    assert (flow.persist_result, isinstance(flow.result_storage, Path)) == (False, True)


def test_nothing_is_cached_and_only_what_may_pass_is_retried() -> None:
    """Every task that retries asks first whether the error is Transient."""
    for module in ("tasks.trading", "tasks.steps", "tasks.artifacts"):
        for name, task in tasks_of(module).items():
            assert task.cache_policy is NO_CACHE, name
            assert task.persist_result is False, name
            assert not task.retries or task.retry_condition_fn is not None, name


def test_orders_are_sent_one_by_one_and_never_through_a_future() -> None:
    """``.submit()`` and ``.map()`` run in threads: order and time-out would be lost."""
    for folder in ("flows", "tasks"):
        for path in (ROOT / folder).glob("*.py"):
            assert not re.search(r"\.(submit|map|delay)\(", path.read_text()), path


def test_only_artifact_tasks_are_left_out_without_prefect() -> None:
    """A body run directly does everything but show it."""
    tagged = {
        name
        for module in ("tasks.trading", "tasks.steps", "tasks.artifacts")
        for name, task in tasks_of(module).items()
        if ARTIFACT in task.tags
    }

    assert tagged == {"post_findings", "post_report"}
