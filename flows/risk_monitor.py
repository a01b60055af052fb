"""risk-monitor: between ticks. Ladder, stops, timeouts, and intents held for review."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipeline.operations.telling import tell
from pipeline.operations.trading import judge, record_decisions
from tasks import trading as steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "risk-monitor"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=25, **UNKEPT)
async def risk_monitor(config: str, at: datetime | None = None, driver: str = "prefect") -> Summary:
    """Keep the limits once and return what was done.

    Args:
        config: path of the desk file.
        at: the instant this run stands for, UTC; by default its scheduled start.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, at, driver)


async def body(call: Call, config: str, at: datetime | None, driver: str) -> Summary:
    """Recover, look at quotes, keep the limits, and make the exits they ask for. No signal is asked."""
    with trading(NAME, config, at, driver) as (desk, run):
        if run.skipped:
            return run.result()
        await call(steps.recover_orders, desk, run)
        market = await steps.look(call, steps.fetch_quotes, desk, run)
        await call(steps.keep_limits, desk, run, market)
        await call(steps.settle_stop, desk, run)
        judged = judge(desk, run.session, market, ())
        for intent_id in record_decisions(desk, run, market, judged):
            await call(steps.send_intent, desk, run, intent_id)
        tell(desk)
    return run.result()
