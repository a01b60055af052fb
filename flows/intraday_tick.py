"""intraday-tick: the decision, at every bar."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipeline.operations.trading import judge, record_decisions, signals_of
from tasks import trading as steps
from tasks.calling import UNKEPT, Call, through_prefect
from tasks.running import Summary, named, trading

NAME = "intraday-tick"


@flow(name=NAME, flow_run_name=named(NAME), timeout_seconds=50, **UNKEPT)
async def intraday_tick(config: str, tick: datetime | None = None, driver: str = "prefect") -> Summary:
    """Trade once and return what was done.

    Args:
        config: path of the desk file.
        tick: the instant this run stands for, UTC; by default its scheduled start. It names the
            orders, so the same tick again sends nothing new.
        driver: who called, for the record.
    """
    return await body(through_prefect, config, tick, driver)


async def body(call: Call, config: str, tick: datetime | None, driver: str) -> Summary:
    """Recover, look, keep the limits, decide, record, send, record."""
    with trading(NAME, config, tick, driver) as (desk, run):
        if run.skipped:
            return run.result()
        await call(steps.recover_orders, desk, run)
        market = await steps.look(call, steps.fetch_market, desk, run)
        await call(steps.keep_limits, desk, run, market)
        signals = signals_of(desk, market)
        judged = judge(desk, run.session, market, signals)
        for intent_id in record_decisions(desk, run, market, judged):
            await call(steps.send_intent, desk, run, intent_id)
        await call(steps.close_tick, desk, run, market, signals, judged)
    return run.result()
