"""The steps of a tick and of a risk monitor pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import Task, task

from pipeline.domain.decide import Judged
from pipeline.domain.signals import Signal
from pipeline.errors import DataInvalid, DataUnavailable
from pipeline.failpoints import reach
from pipeline.operations import trading
from pipeline.operations.climbing import climb
from pipeline.operations.desk import Desk
from pipeline.operations.doubting import doubted
from pipeline.operations.observing import Market, observe_bars, observe_blind, observe_quotes
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.self_recovery import settle_stop as settle
from pipeline.operations.projecting import project_soon
from pipeline.operations.reconciliation import watch_books
from pipeline.operations.reconnecting import note_answer
from pipeline.operations.recovery import recover
from pipeline.operations.telling import tell, tell_lasting
from tasks.calling import Call, once, reads


@task(**reads())
async def recover_orders(desk: Desk, run: Pass) -> int:
    """Learn what became of every open order. Harmless to repeat: it asks and cancels, and sends nothing."""
    found = recover(desk, moment(desk, run))
    run.unsent = tuple(found.unsent)
    run.summary["recovered"] = found.changed + found.fills
    return found.asked


@task(**reads())
async def fetch_market(desk: Desk, run: Pass) -> Market:
    """Fetch account and complete bars. A read."""
    market = doubted(desk, run.session, observe_bars(desk, run.session, run.instant), moment(desk, run))
    note_answer(desk, moment(desk, run))
    return market


@task(**reads())
async def fetch_quotes(desk: Desk, run: Pass) -> Market:
    """Fetch account and latest quotes. A read."""
    market = doubted(desk, run.session, observe_quotes(desk, run.instant), moment(desk, run))
    note_answer(desk, moment(desk, run))
    return market


@task(**reads())
async def fetch_account(desk: Desk, run: Pass, reason: str) -> Market:
    """Fetch the account alone, and say that there is no data. A read; it is told once an hour."""
    market = observe_blind(desk, run.instant)
    note_answer(desk, moment(desk, run))
    tell_lasting(desk, "data_stale", "every symbol", f"{reason}; no entries, no stops.", moment(desk, run))
    return market


async def look(call: Call, read: Task[..., Any], desk: Desk, run: Pass) -> Market:
    """Return what ``read`` sees, or the account alone: protection must not wait for prices."""
    try:
        market: Market = await call(read, desk, run)
    except (DataUnavailable, DataInvalid) as error:
        market = await call(fetch_account, desk, run, str(error))
    reach("after_look")
    return market


@task(**once())
async def keep_limits(desk: Desk, run: Pass, market: Market) -> None:
    """Climb the ladder, cancel what must go, release or give up what is held or never arrived."""
    now = moment(desk, run)
    measured = desk.journal.read().baseline
    reconciled = watch_books(desk, market.account, now, market.prices)
    run.summary |= {"reconciled": reconciled} if reconciled else {}
    account = market.account
    if desk.journal.read().baseline != measured:
        # The owner's money was booked: equity from before it came would look like a loss.
        account = desk.broker.fetch_account()
    condition = climb(desk, account.equity, now)
    run.summary["cancelled"] = trading.cancel_what_must_go(desk, now)
    sent, given_up = trading.send_again(desk, run, market, now)
    released, expired = trading.release_held(desk, run.session, market, now)
    trading.settle_liquidation(desk, now)
    run.summary |= {"released": sent + released, "expired": given_up + expired, "state": condition.state.name}


@task(**once())
async def settle_stop(desk: Desk, run: Pass) -> None:
    """Let the books agree after an automatic stop, and try the recovery steps. Nothing resumes by itself."""
    settle(desk, run)


@task(**once(), task_run_name="send {intent_id}")
async def send_intent(desk: Desk, run: Pass, intent_id: str) -> bool:
    """Send one order. Never retried here: an unknown outcome is resolved by recovery, by its id."""
    sent = trading.send_now(desk, intent_id, moment(desk, run))
    run.summary["sent"] = int(run.summary.get("sent", 0)) + sent
    return sent


@task(**once())
async def close_tick(
    desk: Desk, run: Pass, market: Market, signals: Sequence[Signal], judged: Sequence[Judged]
) -> None:
    """Journal what the tick saw and decided, and the account; tell people; have the store follow."""
    trading.record_tick(desk, run, market, signals, judged)
    trading.snapshot(desk, run, market)
    tell(desk)
    project_soon(desk)
