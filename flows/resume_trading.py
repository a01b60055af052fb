"""resume-trading: five recovery steps, then trading again in growing size."""

from __future__ import annotations

from prefect import flow

from pipeline.operations.procedures.recovery import RECOVERY_STEPS
from tasks import artifacts, steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, urgent

NAME = "resume-trading"


@flow(name=NAME, flow_run_name=NAME + " {reason}", timeout_seconds=120, **UNKEPT)
async def resume_trading(config: str, reason: str, phrase: str = "") -> Summary:
    """Leave a latched state when every recovery step passes, and return the steps' outcomes.

    Args:
        config: path of the desk file.
        reason: why it is safe again; it stands in the journal for good.
        phrase: with real money, what is typed at the command line, as in "resume alpaca-live".
    """
    return await body(through_prefect, config, reason, phrase)


async def body(call: Call, config: str, reason: str, phrase: str = "") -> Summary:
    """Refuse what was asked for before the stop; check in the seed's order, then resume."""
    await call(steps.check_word, config, phrase)
    with urgent(NAME, config) as (desk, run):
        findings = {name: await call(steps.recovery_step, desk, run, name) for name in RECOVERY_STEPS}
        await call(artifacts.post_findings, "recovery-steps", reason, findings)
        await call(steps.resume, desk, run, findings, reason)
        await call(steps.close_procedure, desk, run)
    return run.result()
