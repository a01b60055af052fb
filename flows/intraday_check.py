"""intraday-check: once an hour, does everything still agree?"""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipeline.operations.procedures.registry import steps_of
from tasks import artifacts, steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "intraday-check"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=300, **UNKEPT)
async def intraday_check(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Run the hourly checks and return their outcomes.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Run the configured steps in order and show them."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        findings = {name: await call(steps.step, desk, run, name) for name in steps_of(desk, NAME)}
        await call(artifacts.post_findings, "risk-snapshot", f"{run.instant:%Y-%m-%d %H:%M}Z", findings)
        await call(steps.close_procedure, desk, run)
    return run.result()
