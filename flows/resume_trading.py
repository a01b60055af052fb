"""resume-trading: five recovery steps, then trading again in growing size."""

from __future__ import annotations

from prefect import flow

from pipeline.operations.procedures.recovery import RECOVERY_STEPS
from tasks import artifacts, steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, urgent

NAME = "resume-trading"


@flow(name=NAME, flow_run_name=NAME + " {reason}", timeout_seconds=120, **UNKEPT)
async def resume_trading(config: str, reason: str) -> Summary:
    """Leave a latched state when every recovery step passes, and return the steps' outcomes.

    Args:
        config: path of the desk file.
        reason: why it is safe again; it stands in the journal for good.
    """
    return await body(through_prefect, config, reason)


async def body(call: Call, config: str, reason: str) -> Summary:
    """Check in the seed's order, then resume."""
    with urgent(NAME, config) as (desk, run):
        findings = {name: await call(steps.step, desk, run, name) for name in RECOVERY_STEPS}
        await call(artifacts.post_findings, "recovery-steps", reason, findings)
        await call(steps.resume, desk, run, findings, reason)
        await call(steps.close_procedure, desk, run)
    return run.result()
