"""The named steps of procedures, planning, reports and emergencies."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.runtime import flow_run

from pipeline.domain.trading_state import TradingState
from pipeline.operations import emergency, planning
from pipeline.operations.desk import Desk
from pipeline.operations.liquidating import liquidate
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding
from pipeline.operations.procedures.registry import run_recovery_step, run_step
from pipeline.operations.projecting import project
from pipeline.operations.reporting import Written, deliver_report
from pipeline.operations.stopping import Action
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


@task(**once(), task_run_name="{name}")
async def recovery_step(desk: Desk, run: Pass, name: str) -> Finding:
    """Carry out one recovery step. Never retried here: one of them places an order that cannot fill."""
    finding = run_recovery_step(desk, run, name)
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
async def stop(config: str, reason: str, close_positions: bool | None) -> int:
    """Journal HALTED, or LIQUIDATING to sell everything as well; return the record before it.

    Needs no lock; idempotent by itself. ``close_positions`` None: as the kill switch is configured.
    """
    desk = open_desk(config)
    closes = desk.plan.emergency.kill_closes if close_positions is None else close_positions
    before = desk.journal.read().seq
    enter = emergency.flatten if closes else emergency.halt
    enter(desk.journal, reason, "emergency-stop", desk.clock.now())
    return before


@task(**reads())
async def cancel_orders(desk: Desk, run: Pass) -> tuple[Action, ...]:
    """Ask to cancel open orders, others' where configured. Harmless to repeat: what is final stays so."""
    found, done = emergency.cancel_pending(desk, moment(desk, run))
    run.summary |= {"cancels": found.asked, "unconfirmed": found.failed}
    return done, *emergency.cancel_external(desk)


@task(**once())
async def close_positions(desk: Desk, run: Pass) -> tuple[Action, ...]:
    """Sell what is held, if that was asked for, and say what came of it. Later passes finish it."""
    if desk.journal.read().state.state is not TradingState.LIQUIDATING:
        return ()
    done = liquidate(desk, run)
    run.summary |= {"exits": done.sent, "flat": int(done.flat)}
    return (done.action,)


@task(**once())
async def log_stop(desk: Desk, run: Pass, since: int, done: Sequence[Action]) -> None:
    """Tell people, and journal what each configured action did. Each alert is told once."""
    halted = Action("halt_all_new_orders", "nothing new is sent from that record on")
    emergency.log_kill(desk.journal, desk.badge, since, (halted, *done), moment(desk, run))


@task(**reads())
async def check_word(config: str, phrase: str) -> None:
    """Refuse a resume that nobody may act on: a wrong phrase, or one asked for before trading stopped."""
    desk = open_desk(config)
    asked = None if desk.virtual else flow_run.scheduled_start_time
    emergency.check_word(desk, "resume", phrase, asked or desk.clock.now())


@task(**once())
async def resume(desk: Desk, run: Pass, findings: dict[str, Finding], reason: str) -> None:
    """Leave the latched state, when every recovery step passed."""
    emergency.resume(desk, findings, reason, "resume-trading", moment(desk, run))
