"""How a flow's body calls a task: through Prefect, or directly when Prefect is not there.

A body is written once. Trading never waits for Prefect: when a run does not begin in time, the
session's driver calls the same body with :func:`directly`, under the same claim.
"""

from __future__ import annotations

from functools import cache, wraps
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.utilities.annotations import quote

from pipeline.errors import Transient
from pipeline.wiring.redaction import Hiding

UNKEPT: dict[str, Any] = {"persist_result": False, "result_storage": Path(gettempdir()) / "marketday-results"}
"""What every flow says of its result: it is not kept. A place is named all the same, or Prefect asks
the server for one in each run, with a call that blocks the event loop: a mute server then held a tick
for two minutes (measured)."""

ARTIFACT = "artifact"
"""Tag of tasks that only show something in Prefect's pages: without Prefect they are left out."""


class Call(Protocol):
    """Calls a task with its arguments and returns its result."""

    async def __call__(self, task: Task[..., Any], *arguments: Any) -> Any: ...


async def through_prefect(task: Task[..., Any], *arguments: Any) -> Any:
    """Call as a task run. Arguments are quoted: Prefect must not search them for futures."""
    return await _hiding(task)(*(quote(argument) for argument in arguments))


@cache
def _hiding(task: Task[..., Any]) -> Task[..., Any]:
    """Return the task with errors that hold no credential: Prefect stores the text of each."""
    body, hiding = task.fn, task.with_options()

    @wraps(body)
    async def hidden(*arguments: Any) -> Any:
        with Hiding():
            return await body(*arguments)

    hiding.fn = hidden
    return hiding


async def directly(task: Task[..., Any], *arguments: Any) -> Any:
    """Call the task's own function: no run, no retries, no Prefect."""
    if ARTIFACT in task.tags:
        return None
    return await task.fn(*arguments)


async def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    failure = await state.aresult(raise_on_failure=False)
    return isinstance(failure, Transient)


def reads() -> dict[str, Any]:
    """Policy of idempotent steps: two more tries for what may pass, at 0.5 and 2 s."""
    return {
        "retries": 2,
        "retry_delay_seconds": [0.5, 2],
        "retry_condition_fn": _is_transient,
        "cache_policy": NO_CACHE,
        "persist_result": False,
    }


def once() -> dict[str, Any]:
    """Policy of steps that must not be repeated by anyone but recovery."""
    return {"retries": 0, "cache_policy": NO_CACHE, "persist_result": False}
