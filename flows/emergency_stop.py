"""emergency-stop: HALT first, then cancel, then sell if asked."""

from __future__ import annotations

from prefect import flow

from tasks import steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, urgent

NAME = "emergency-stop"


@flow(name=NAME, flow_run_name=NAME + " {reason}", timeout_seconds=120, **UNKEPT)
async def emergency_stop(config: str, reason: str, close_positions: bool | None = None) -> Summary:
    """Stop everything and return what was cancelled.

    Args:
        config: path of the desk file.
        reason: why; it stands in the journal for good.
        close_positions: sell what is held as well; by default as ``kill_switch.actions`` says.
    """
    return await body(through_prefect, config, reason, close_positions)


async def body(call: Call, config: str, reason: str, close_positions: bool | None) -> Summary:
    """Stop before anything else, then cancel, then tell."""
    since = await call(steps.stop, config, reason, close_positions)
    with urgent(NAME, config) as (desk, run):
        cancelled = await call(steps.cancel_orders, desk, run)
        closed = await call(steps.close_positions, desk, run)
        await call(steps.log_stop, desk, run, since, (*cancelled, *closed))
        await call(steps.close_procedure, desk, run)
    return run.result()
