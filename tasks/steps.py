"""The named steps of procedures, planning, reports and emergencies."""

from __future__ import annotations

from prefect import task

from pipeline.domain.trading_state import TradingState
from pipeline.operations import emergency, planning
from pipeline.operations.desk import Desk
from pipeline.operations.liquidating import liquidate
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding
from pipeline.operations.procedures.registry import run_step
from pipeline.operations.projecting import project
from pipeline.operations.reporting import Written, deliver_report
from pipeline.operations.telling import tell
from pipeline.wiring.desks import open_desk
from tasks.calling import once, reads


@task(**reads())
async def plan_session(desk: Desk, run: Pass) -> int:
    """Journal expected runs and baselines. Harmless to repeat: a planned session stays as it is."""
    expected = planning.plan_session(desk, run.session, moment(desk, run))
    run.summary["expected_runs"] = expected
    return expected


@task(**reads(), task_run_name="{name}")
async def step(desk: Desk, run: Pass, name: str) -> Finding:
    """Carry out one named step. Harmless to repeat: steps check, or set what is already set."""
    finding = run_step(desk, run, name)
    run.summary[name] = finding.outcome
    return finding


@task(**reads())
async def close_procedure(desk: Desk, run: Pass) -> None:
    """Tell people what was found; bring the store up to date. Harmless to repeat: each alert is told once."""
    tell(desk)
    run.summary["store_behind"] = project(desk)


@task(**reads())
async def write_report(desk: Desk, run: Pass) -> Written:
    """Write the session's report and announce it. Harmless to repeat: the same store gives the same bytes."""
    written = deliver_report(desk, run.session, moment(desk, run))
    run.summary["report"] = str(written.path.relative_to(desk.home))
    return written


@task(**once())
async def stop(config: str, reason: str, close_positions: bool) -> bool:
    """Journal HALTED, or LIQUIDATING to sell everything as well. Needs no lock; idempotent by itself."""
    desk = open_desk(config)
    enter = emergency.flatten if close_positions else emergency.halt
    return enter(desk.journal, reason, "emergency-stop", desk.clock.now())


@task(**reads())
async def cancel_orders(desk: Desk, run: Pass, reason: str) -> int:
    """Ask to cancel every open order. Harmless to repeat: an order already final stays so."""
    asked, failed = emergency.cancel_open(desk, reason, moment(desk, run))
    run.summary |= {"cancels": asked, "unconfirmed": failed}
    return failed


@task(**once())
async def close_positions(desk: Desk, run: Pass) -> bool:
    """Sell what is held, if that was asked for; return whether it is gone. Later passes finish it."""
    if desk.journal.read().state.state is not TradingState.LIQUIDATING:
        return False
    done = liquidate(desk, run)
    run.summary |= {"exits": done.sent, "flat": int(done.flat)}
    return done.flat


@task(**once())
async def resume(desk: Desk, run: Pass, findings: dict[str, Finding], reason: str) -> None:
    """Leave the latched state, when every recovery step passed."""
    emergency.resume(desk, findings, reason, "resume-trading", moment(desk, run))
