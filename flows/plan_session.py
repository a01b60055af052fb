"""plan-session: the session's expected runs and baselines, early in the day."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from tasks import steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "plan-session"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=300, **UNKEPT)
async def plan_session(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Plan the session and return how many runs it expects.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Plan; what is planned already stays as it is."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        await call(steps.plan_session, desk, run)
        await call(steps.close_procedure, desk, run)
    return run.result()
