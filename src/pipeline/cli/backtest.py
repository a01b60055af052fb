"""`backtest`: a configuration over history, with every rule of live trading on."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Json
from pipeline.cli.output import console, print_json, table
from pipeline.domain.formatting import count, money, signed_money
from pipeline.domain.money import money_decimal
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.research.results import Result
    from pipeline.settings.models.root import Settings
    from pipeline.wiring.backtest_results import Kept
    from pipeline.wiring.backtesting import Prepared

_FIRST_DAY = "2026-11-20"


def backtest(  # noqa: PLR0913 - a command's options are its parameters
    config: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG]…", help="Merged left to right; by default the demo's."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Bars: a .csv or .parquet file.")
    ] = None,
    synthetic: Annotated[
        int | None, typer.Option("--synthetic", metavar="SEED", help="The rehearsal's market of this seed.")
    ] = None,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First day, as in 2026-11-20.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, included.")] = "",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Laid over the files; repeatable.")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Of times in the file that carry none.")
    ] = "UTC",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="For report and store; by default data/backtests."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Trade a configuration over history and write a tear sheet: no account, no exchange, no Prefect.

    Decisions, limits, ladder and fills are those of a live session. The same inputs give the same bytes.
    """
    from pipeline.wiring import backtest_results
    from pipeline.wiring.backtesting import Source, prepare
    from pipeline.wiring.spec import CHECKOUT

    if data is not None and synthetic is not None:
        raise UsageError("give either --data FILE or --synthetic SEED, not both")
    folder = (out or CHECKOUT / "data" / "backtests").absolute()
    source = Source(data.absolute() if data else None, synthetic, timezone)
    settings = _settings(config, source.file, overrides or [])
    recorded = settings.rehearsal.file
    if recorded is not None and data is None and synthetic is None:  # the bars that its rehearsal replays
        source = Source(Path(recorded).absolute(), None, settings.rehearsal.file_timezone)
    begin = first or (_FIRST_DAY if source.file is None else "")
    prepared = prepare(settings, source, (_day("--from", begin), _day("--to", last)), folder / "calendar")
    result = _watched(prepared, quiet=as_json)
    kept = backtest_results.keep(folder, settings, source, prepared, result)
    (_print_json if as_json else _print)(prepared, result, kept)


def _settings(config: list[Path] | None, file: Path | None, overrides: list[str]) -> Settings:
    """Return the settings: without files, those of the demo, on every symbol that the data has."""
    from pipeline.settings.loading import read_settings
    from pipeline.wiring.backtest_results import symbols_in
    from pipeline.wiring.spec import CHECKOUT

    chosen = list(overrides)
    folder = CHECKOUT / "deployments" / "config"
    if not config and file is not None and not any(one.startswith("data.symbols") for one in chosen):
        chosen.insert(0, f"data.symbols=[{', '.join(symbols_in(file))}]")
    files = config or [folder / "live_momentum_strategy.yaml", folder / "rehearsal.yaml"]
    return read_settings(files, chosen)


def _day(option: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"{option} {text}: give a date as in {_FIRST_DAY}") from error


def _watched(prepared: Prepared, *, quiet: bool) -> Result:
    """Run the simulation behind a progress bar, which goes to stderr and away at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from pipeline.research.simulator import simulate

    days = len(prepared.history.days)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=quiet or not shown.is_terminal) as bar:
        task = bar.add_task("sessions", total=days)
        return simulate(
            prepared.history,
            prepared.setup,
            lambda day: bar.update(task, advance=1, description=f"{day.session.day}"),
        )


def _print(prepared: Prepared, result: Result, kept: Kept) -> None:
    from pipeline.wiring.backtest_results import metric_rows

    out, setup = console(), prepared.setup
    closes = result.closes()
    span = f"{count(len(result.sessions), 'session')}, {result.sessions[0]} to {result.sessions[-1]}"
    out.print(f"BACKTEST · {', '.join(setup.symbols)} · {span}", style="bold")
    out.print(f"{money(result.cash)} became {money(closes[-1])}: {signed_money(closes[-1] - result.cash)}")
    rows = metric_rows(kept.metrics)
    half = -(-len(rows) // 2)
    out.print(
        table(
            "METRIC >VALUE METRIC >VALUE", [(*a, *b) for a, b in zip(rows[:half], rows[half:], strict=True)]
        )
    )
    if result.states:
        change = result.states[-1]
        out.print(f"Trading ended {change.state.name} since {change.at:%Y-%m-%d %H:%M}Z: {change.reason}")
    for note in prepared.notes:
        out.print(f"note: {note}")
    out.print(f"{kept.report}")
    again = "" if kept.new else " (known already)"
    out.print(f"{kept.store}: backtest {kept.id[:12]}{again}", style="dim")


def _print_json(prepared: Prepared, result: Result, kept: Kept) -> None:
    from dataclasses import asdict

    measured = asdict(kept.metrics)
    for name in ("fees", "spread"):
        measured[name] = money_decimal(measured[name])
    closes = zip(result.sessions, result.closes(), strict=True)
    print_json(
        {
            "id": kept.id,
            "digest": result.digest(),
            "symbols": prepared.setup.symbols,
            "cash": money_decimal(result.cash),
            "metrics": measured,
            "equity": [{"session": day, "equity": money_decimal(close)} for day, close in closes],
            "trades": [
                {
                    "symbol": trip.symbol,
                    "opened": trip.opened,
                    "closed": trip.closed,
                    "reason": trip.reason,
                    "profit": money_decimal(trip.profit),
                }
                for trip in result.trips()
            ],
            "state": result.curve[-1].state if result.curve else None,
            "coverage": prepared.coverage,
            "notes": prepared.notes,
            "report": kept.report,
            "store": kept.store,
        }
    )
