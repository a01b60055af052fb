"""pre-market: is everything there that the session needs? GO or NO-GO."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipeline.operations.procedures.registry import conclude_pre_market, steps_of
from tasks import artifacts, steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "pre-market"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=300, **UNKEPT)
async def pre_market(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Run every check and return its outcomes.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Plan if nobody has, check everything, then say GO or NO-GO."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        await call(steps.plan_session, desk, run)
        findings = {name: await call(steps.step, desk, run, name) for name in steps_of(desk, NAME)}
        go = conclude_pre_market(desk, run, findings)
        run.summary["verdict"] = verdict = "GO" if go else "NO-GO"
        await call(artifacts.post_findings, "pre-market-go-nogo", verdict, findings)
        await call(steps.close_procedure, desk, run)
    return run.result()
