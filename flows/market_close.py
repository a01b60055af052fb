"""market-close: no new positions, the day reviewed, reported and backed up."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipeline.operations.procedures.registry import steps_of
from tasks import steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "market-close"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=300, **UNKEPT)
async def market_close(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Run the steps of the close and return their outcomes.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Run the configured steps in order."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        for name in steps_of(desk, NAME):
            await call(steps.step, desk, run, name)
        await call(steps.close_procedure, desk, run)
    return run.result()
