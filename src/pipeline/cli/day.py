"""`demo`, `up` and `down`, as they are typed. What they do is imported when they run: it brings Prefect."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Home
from pipeline.cli.output import console
from pipeline.errors import UsageError

Port = Annotated[
    int | None, typer.Option("--port", help="Of Prefect's pages; by default 4200 or any free one.")
]
First = Annotated[
    str | None, typer.Option("--first", metavar="DATE", help="First session, as in 2026-11-20.")
]


def demo(  # noqa: PLR0913 - a command's options are its parameters
    days: Annotated[int, typer.Option("--days", help="Sessions, 1 to 60.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the synthetic market.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Bars to replay: CSV, Parquet.")
    ] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="Length of a bar: 1m or 5m.")] = "1m",
    faults: Annotated[
        str | None, typer.Option("--faults", metavar="SCRIPT", help="What goes wrong: a file, or bad-day.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Prefect's pages open at the end.")] = False,
    first: First = None,
    home: Home = None,
    port: Port = None,
) -> None:
    """Trade whole sessions on the rehearsal exchange: no account, no money, no network.

    Stopped with Ctrl-C or killed, the same command continues the session where it stopped.
    """
    from pipeline.cli.demo import HOME, DemoPlan, demo_plan, run_demo

    chosen = DemoPlan(days, seed, str(data) if data else None, timeframe, first or "", faults)
    plan = demo_plan(chosen)
    run_demo(plan, (home or HOME).absolute(), port, keep, console())


def up(  # noqa: PLR0913 - a command's options are its parameters
    config: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]…", help="Configuration, merged left to right.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="In rehearsal: virtual seconds per second.")] = 10.0,
    accept: Annotated[
        bool, typer.Option("--accept-changes", help="Trade this session with changed code or configuration.")
    ] = False,
    first: First = None,
    home: Annotated[
        Path | None, typer.Option("--home", metavar="PATH", help="The desk's folder; by default data/desk.")
    ] = None,
    port: Port = None,
) -> None:
    """Start a desk and keep it running until Ctrl-C: session process, server, deployments."""
    from pipeline.cli.up import HOME, Wanted, run_up

    wanted = Wanted(tuple(config or ()), (home or HOME).absolute(), speed, _day(first), port, accept)
    run_up(wanted, console())


def down(home: Home = None) -> None:
    """Stop what `up` or `demo` started. Positions and orders stay as they are."""
    from pipeline.cli.up import run_down
    from pipeline.wiring.spec import current_home

    run_down(current_home(home))
    typer.echo("stopped; `marketday status` shows what is held")


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"--first {text}: give a date as in 2026-11-20") from error
