"""`strategy list` and `strategy check`: what there is to trade with, and whether it keeps its promises."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exits import Exit
from pipeline.cli.options import Json
from pipeline.cli.output import console, print_json, table
from pipeline.domain.formatting import count, one_line, percent
from pipeline.domain.market import Bar
from pipeline.domain.signals import Strategy
from pipeline.errors import UsageError
from pipeline.strategies.causality import Answer, Rule, Violation
from pipeline.strategies.checks import MOST_MICROSECONDS, Check, StrategyReport, check_strategy
from pipeline.strategies.parameters import Kind, Parameter
from pipeline.strategies.plugins import Loaded, Plugin, plugins
from pipeline.strategies.registry import STRATEGIES, Builder, build_strategy, find_builder

app = typer.Typer(
    help="List strategies, and check how they decide.", no_args_is_help=True, add_completion=False
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As in strategies[].type of a configuration.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--params", metavar="KEY=VALUE", help="Laid over the examples; may be repeated, or split by commas."
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="FILE", help="Bars as .csv or .parquet; else synthetic ones.")
]
Symbol = Annotated[str | None, typer.Option("--symbol", help="Of the file; by default its first.")]
Rows = Annotated[int, typer.Option("--rows", min=10, max=50_000, help="Bars to ask about, the newest.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the synthetic bars.")]
Zone = Annotated[str, typer.Option("--timezone", help="Of times in the file that name none.")]

_PATIENCE_SECONDS = 120.0
_WORDS = {1: "buy", -1: "sell", 0: "leave"}
_RUN = "from pipeline.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class _Case:
    """A strategy with parameters, and the bars it is asked about."""

    kind: str
    params: Mapping[str, object]
    bars: tuple[Bar, ...]
    source: str

    def build(self) -> Strategy:
        return build_strategy(self.kind, self.kind, self.params)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List every strategy that can be configured: ours, and those of installed plug-ins."""
    ours = [(name, "built in", _kind_of(builder)) for name, builder in STRATEGIES.items()]
    offered = plugins()
    theirs = [(found.name, f"{found.package} {found.version}", found) for found in offered]
    rows = [*((name, origin, kind, "") for name, origin, kind in ours), *(_loaded(*one) for one in theirs)]
    if as_json:
        print_json([_listed(*row) for row in rows])
        return
    out = console()
    for name, origin, kind, problem in rows:
        out.print(f"{name} · {origin}" + (f" · {problem}" if problem else ""))
        if kind is not None:
            out.print(f"  {kind.summary}")
            out.print(table("  PARAMETER *VALUES DEFAULT *MEANING", map(_cells, kind.parameters)))
    out.print(f"{count(len(STRATEGIES), 'strategy', 'strategies')} of ours, {count(len(offered), 'plug-in')}")


def _kind_of(builder: Builder) -> Kind | None:
    if isinstance(builder, Loaded):
        return builder.kind
    return builder if isinstance(builder, Kind) else None


def _loaded(name: str, origin: str, plugin: Plugin) -> tuple[str, str, Kind | None, str]:
    """Load a plug-in to show its parameters; one that is broken is a line like the others."""
    from pipeline.errors import ConfigurationError

    if name in STRATEGIES:
        return name, origin, None, f"never used: one of ours has this name; rename {plugin.target}"
    try:
        builder = find_builder(name)
    except ConfigurationError as error:
        return name, origin, None, f"BROKEN: {one_line(error.remedy)}"
    return name, origin, _kind_of(builder), ""


def _listed(name: str, origin: str, kind: Kind | None, problem: str) -> dict[str, object]:
    described = [] if kind is None else [_described(parameter) for parameter in kind.parameters]
    summary = "" if kind is None else kind.summary
    return {"name": name, "origin": origin, "summary": summary, "problem": problem, "parameters": described}


def _described(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "values": str(parameter.span),
        "default": parameter.default,
        "example": parameter.example,
        "meaning": parameter.meaning,
    }


def _cells(parameter: Parameter) -> tuple[str, ...]:
    default = "required" if parameter.default is None else str(parameter.default).lower()
    return f"  {parameter.name}", str(parameter.span), default, parameter.meaning


@app.command()
def check(
    name: Name,
    params: Params = None,
    data: Data = None,
    symbol: Symbol = None,
    rows: Rows = 2_000,
    seed: Seed = 7,
    timezone: Zone = "America/New_York",
    most: Annotated[
        int, typer.Option("--most-us", min=1, help="What the median decision may take, in µs.")
    ] = MOST_MICROSECONDS,
    as_json: Json = False,
) -> None:
    """Check that a strategy knows no future, repeats itself, sees no more than it says, and is fast.

    A failed check exits 1.
    """
    case = _case(name, params or [], data, lambda: _bars(data, symbol, rows, seed, timezone))
    report = check_strategy(case.build, case.bars, time.perf_counter_ns, most)
    arguments = [word for text in params or [] for word in ("--params", text)]
    arguments += [] if data is None else ["--data", str(data), "--timezone", timezone]
    arguments += [] if symbol is None else ["--symbol", symbol]
    report = _compared(report, [name, *arguments, "--rows", str(rows), "--seed", str(seed)])
    if as_json:
        print_json({"strategy": name, "params": case.params, "bars": case.source, "report": report})
    else:
        _print(case, report)
    if not report.passed:
        raise typer.Exit(Exit.FAILED)
