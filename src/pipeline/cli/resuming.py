"""`resume` and `reconcile`: the two commands that ask the broker whether the ledger is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.asking import confirm
from pipeline.cli.exits import Exit
from pipeline.cli.options import Account, Home, Reason
from pipeline.cli.place import desk_of, find_place, who
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.operations.desk import Desk
    from pipeline.operations.procedures.finding import Finding

_WORDS = {"ok": "OK", "warn": "WARNING", "fail": "FAILED"}
DRIVER = "command line"


def resume(reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Trade again: five recovery steps, then a smaller size that grows over the next sessions.

    One failed step is a NO-GO (exit 1), and trading stays halted. With real money it wants a typed phrase.
    """
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why it is safe again'")
    place = find_place(home, account)
    state = place.journal.read().state.state
    if not state.latched:
        raise UsageError(f"trading is {state.name}: there is nothing to resume")
    confirm(place, "resume")
    desk = desk_of(place)
    findings = _recover_and_resume(desk, reason)
    failed = [name for name, finding in findings.items() if finding.outcome == "fail"]
    if failed:
        typer.echo(
            f"NO-GO: trading stays {state.name}, because {failed[0]} failed. Repair it and run this again."
        )
        raise typer.Exit(Exit.FAILED)
    typer.echo(f"{place.badge} · NORMAL: trading is resumed; entries begin small and grow with each session")


def _recover_and_resume(desk: Desk, reason: str) -> dict[str, Finding]:
    from pipeline.operations.emergency import resume as leave
    from pipeline.operations.passes import moment, urgent_pass
    from pipeline.operations.procedures.recovery import RECOVERY_STEPS
    from pipeline.operations.procedures.registry import run_recovery_step
    from pipeline.operations.projecting import project
    from pipeline.operations.telling import tell

    findings: dict[str, Finding] = {}
    with urgent_pass(desk, "resume-trading", DRIVER) as run:
        for name in RECOVERY_STEPS:
            findings[name] = run_recovery_step(desk, run, name)
            run.summary[name] = findings[name].outcome
            typer.echo(f"{_WORDS[findings[name].outcome]:<8} {name}: {findings[name].evidence}")
        if all(finding.outcome != "fail" for finding in findings.values()):
            leave(desk, findings, reason, who(), moment(desk, run))
        tell(desk)
    project(desk)
    return findings
