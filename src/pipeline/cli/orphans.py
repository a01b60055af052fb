"""Flow runs whose process is gone: ended in Prefect's books before anything new is scheduled.

After a power loss Prefect believes that they still run. The slot of their deployment stays taken, and
every later tick is cancelled: for five minutes, or for ever (FAULTS K6). One of the three places
outside ``flows`` and ``tasks`` that know Prefect.
"""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

_UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
_PAGE = 200


async def sweep_orphans() -> int:
    """Force every run that is under way to Crashed, free what it held, and return how many there were.

    Call it when the server answers and before anything of ours starts a run: whoever holds the lock of
    the home knows that nobody else works there, so each run under way belongs to a process that is gone.
    """
    async with get_client() as client:
        swept = 0
        while found := await client.read_flow_runs(flow_run_filter=_under_way(), limit=_PAGE):
            for run in found:
                message = "Its process is gone: found at the start of the desk."
                await client.set_flow_run_state(run.id, Crashed(message=message), force=True)
            swept += len(found)
        await _free_slots(client)
    return swept


def _under_way() -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_UNDER_WAY))))


async def _free_slots(client: PrefectClient) -> None:
    """Empty every limit that still counts somebody: nobody is left."""
    for limit in await client.read_global_concurrency_limits(limit=_PAGE):
        if limit.active_slots:
            emptied = GlobalConcurrencyLimitUpdate(active_slots=0)
            await client.update_global_concurrency_limit(limit.name, emptied)
