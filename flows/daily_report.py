"""daily-report: the report to its recipients."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from tasks import artifacts, steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "daily-report"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=300, **UNKEPT)
async def daily_report(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Write the session's report, announce it, and return where it lies.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Write, announce, show."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        written = await call(steps.write_report, desk, run)
        await call(artifacts.post_report, written)
        await call(steps.close_procedure, desk, run)
    return run.result()
