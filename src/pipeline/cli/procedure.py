"""``marketday run``: one procedure, now or for a planned instant, without Prefect, under the same claims."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.exits import Exit
from pipeline.cli.options import Home
from pipeline.errors import UsageError


def run(
    procedure: Annotated[str, typer.Argument(help="Its name, as in pre-market.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help="Which run, as in 2026-11-20T13:30Z.")
    ] = None,
    home: Home = None,
) -> None:
    """Run one procedure of the day, as its flow would. What is done already is not done again."""
    from pipeline.cli.session import operation
    from pipeline.domain.timetable import RANK
    from pipeline.wiring.spec import DESK_FILE, current_home
    from tasks.calling import directly

    if procedure not in RANK:
        raise UsageError(f"there is no procedure {procedure!r}: {', '.join(RANK)}")
    config = str(current_home(home) / DESK_FILE)
    outcome = asyncio.run(operation(procedure).body(directly, config, _instant(at), "person"))
    for name, value in outcome.items():
        typer.echo(f"{name:<28} {value}")
    if outcome.get("verdict") == "NO-GO" or "fail" in outcome.values():
        raise typer.Exit(Exit.FAILED)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text}: give an instant as in 2026-11-20T13:30Z") from error
    if found.tzinfo is None:
        raise UsageError(f"--at {text}: say which time zone, as in 2026-11-20T13:30Z or …T08:30-05:00")
    return found.astimezone(UTC)
