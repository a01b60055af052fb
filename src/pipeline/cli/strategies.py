"""`strategy list` and `strategy check`: what there is to trade with, and whether it keeps its promises."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exits import Exit
from pipeline.cli.options import Json
from pipeline.cli.output import console, print_json, table
from pipeline.domain.formatting import count, one_line, percent, price
from pipeline.domain.market import Bar
from pipeline.domain.signals import Signal, Strategy
from pipeline.errors import ConfigurationError, UsageError
from pipeline.strategies.causality import Answer, Rule, Violation, answers_of
from pipeline.strategies.checks import (
    MOST_MICROSECONDS,
    Check,
    StrategyReport,
    check_strategy,
    digest_of,
    require_bars,
)
from pipeline.strategies.parameters import Kind, Parameter
from pipeline.strategies.plugins import NAME, Loaded, Plugin, plugins
from pipeline.strategies.registry import STRATEGIES, Builder, build_strategy, find_builder

app = typer.Typer(
    help="List strategies, and check how they decide.", no_args_is_help=True, add_completion=False
)

_PATIENCE_SECONDS = 300.0
_WORDS = {1: "buy", -1: "sell", 0: "leave"}


@dataclass(frozen=True, slots=True)
class Case:
    """A strategy with parameters and what it is asked about; as JSON it says the same in another process."""

    kind: str
    params: dict[str, int | float | bool | str]
    file: str | None
    symbol: str | None
    rows: int
    seed: int
    timezone: str

    def build(self) -> Strategy:
        """Return the strategy, made anew."""
        return build_strategy(self.kind, self.kind, self.params)

    def bars(self) -> tuple[Bar, ...]:
        """Return the bars, the same each time: synthetic ones are always enough to ask the strategy."""
        from pipeline.wiring.strategy_bars import recorded_bars, synthetic_bars

        if self.file is not None:
            return recorded_bars(Path(self.file), self.symbol, self.rows, self.timezone)
        return synthetic_bars(max(self.rows, 2 * self.build().lookback), self.seed)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List every strategy that can be configured: ours, and those of installed plug-ins."""
    offered = plugins()
    rows = [*(_ours(name, builder) for name, builder in STRATEGIES.items()), *map(_theirs, offered)]
    if as_json:
        print_json([_listed(row) for row in rows])
        return
    out = console()
    for row in rows:
        out.print(f"{row.name} · {row.origin}", style="bold")
        for line in filter(None, (row.problem, row.kind.summary if row.kind else "")):
            out.print(f"  {line}")
        if row.kind is not None:
            out.print(table("PARAMETER VALUES DEFAULT *MEANING", map(_cells, row.kind.parameters)))
    out.print(f"{count(len(STRATEGIES), 'strategy', 'strategies')} of ours, {count(len(offered), 'plug-in')}")


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    origin: str
    kind: Kind | None = None
    problem: str = ""


def _ours(name: str, builder: Builder) -> _Row:
    return _Row(name, "built in", builder if isinstance(builder, Kind) else None)


def _theirs(plugin: Plugin) -> _Row:
    """Load a plug-in to show its parameters; one that is broken is a line like the others."""
    row = _Row(plugin.name, f"{plugin.package} {plugin.version}")
    if plugin.name in STRATEGIES:
        return replace(row, problem=f"NEVER USED: one of ours has this name; rename {plugin.target}")
    if not NAME.match(plugin.name):
        return replace(row, problem="NEVER USED: name it with letters, digits and _, at most 40")
    try:
        builder = find_builder(plugin.name)
    except ConfigurationError as error:
        return replace(row, problem=f"BROKEN: {one_line(error.remedy)}")
    return replace(row, kind=builder.kind if isinstance(builder, Loaded) else None)


def _listed(row: _Row) -> dict[str, object]:
    parameters = () if row.kind is None else row.kind.parameters
    summary = "" if row.kind is None else row.kind.summary
    described = [{**_described(parameter), "values": str(parameter.span)} for parameter in parameters]
    return {
        "name": row.name,
        "origin": row.origin,
        "summary": summary,
        "problem": row.problem,
        "parameters": described,
    }


def _described(parameter: Parameter) -> dict[str, object]:
    return {name: getattr(parameter, name) for name in ("name", "meaning", "example", "default")}


def _cells(parameter: Parameter) -> tuple[str, ...]:
    default = "required" if parameter.default is None else str(parameter.default).lower()
    return parameter.name, str(parameter.span), default, parameter.meaning


@app.command()
def check(  # noqa: PLR0913 - a command's options are its parameters
    name: Annotated[str, typer.Argument(metavar="NAME", help="As strategies[].type in a configuration.")],
    params: Annotated[
        list[str] | None,
        typer.Option("--params", metavar="KEY=VALUE,…", help="Laid over the examples; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Bars: CSV, Parquet; else synthetic ones.")
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of the file; by default its first.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=10, max=50_000, help="Bars, the newest.")] = 2_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the synthetic bars.")] = 7,
    timezone: Annotated[str, typer.Option("--timezone", help="Of times in the file that name none.")] = "UTC",
    most: Annotated[
        int, typer.Option("--most-us", min=1, help="What the median decision may take, µs.")
    ] = MOST_MICROSECONDS,
    as_json: Json = False,
) -> None:
    """Check that a strategy knows no future, repeats itself, sees no more than it says, and is fast.

    A failed check exits 1.
    """
    file = None if data is None else str(data.absolute())
    case = Case(name, _params(name, params or []), file, symbol, rows, seed, timezone)
    bars = case.bars()
    report = _repeated(check_strategy(case.build, bars, time.perf_counter_ns, most), case)
    if as_json:
        print_json({"strategy": case, "symbol": bars[-1].symbol, "bars": len(bars), "report": report})
    else:
        _print(case, bars, report)
    if not report.passed:
        raise typer.Exit(Exit.FAILED)


def _params(kind: str, written: Sequence[str]) -> dict[str, int | float | bool | str]:
    """Return the examples of ``kind`` with what was written over them; values are read as YAML."""
    from pipeline.settings.documents import read_text

    builder = find_builder(kind)
    declared = builder.kind if isinstance(builder, Loaded) else builder
    found: dict[str, int | float | bool | str] = dict(declared.examples if isinstance(declared, Kind) else {})
    for pair in (pair for text in written for pair in text.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--params {pair!r}: write it as fast_period=12, several separated by commas")
        scalar = read_text(f"value: {value}", "--params").values["value"]
        if not isinstance(scalar, int | float | bool | str):
            raise UsageError(f"--params {pair!r}: a parameter is one number, true, false or text")
        found[key.strip()] = scalar
    return found


def _repeated(report: StrategyReport, case: Case) -> StrategyReport:
    """Return ``report`` after another process was asked the same: there, sets have another order."""
    at = next(index for index, found in enumerate(report.checks) if found.name == "determinism")
    if not report.checks[at].passed:
        return report
    problem = _elsewhere(case, report.digest)
    judged = replace(report.checks[at], detail="the same bars give the same answer, in a second process too")
    if problem:
        judged = Check("determinism", False, problem)
    return replace(report, checks=(*report.checks[:at], judged, *report.checks[at + 1 :]))


def _elsewhere(case: Case, digest: str) -> str:
    """Return how another process answers differently; "" when it does not."""
    from pipeline.settings.layers import process_environment

    ours = process_environment()
    seed = "2" if ours.get("PYTHONHASHSEED") == "1" else "1"
    command = [sys.executable, "-c", "from pipeline.cli.strategies import tell_digest; tell_digest()"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter with fixed words
            command,
            env={**ours, "PYTHONHASHSEED": seed},
            input=json.dumps(asdict(case)),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a second process did not answer within {_PATIENCE_SECONDS:.0f} s"
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
        return f"a second process could not decide: {one_line(said)}"
    return "" if done.stdout.split()[-1:] == [digest] else "a second process gives other answers"


def tell_digest() -> None:
    """Read a :class:`Case` as JSON from stdin and write the digest of its answers: the second process."""
    case = Case(**json.load(sys.stdin))
    strategy, bars = case.build(), case.bars()
    require_bars(strategy, bars)
    sys.stdout.write(digest_of(answers_of(strategy, bars)) + "\n")


def _print(case: Case, bars: Sequence[Bar], report: StrategyReport) -> None:
    out = console()
    written = (
        ", ".join(f"{key} {str(value).lower()}" for key, value in case.params.items()) or "no parameters"
    )
    source = case.file or f"synthetic, seed {case.seed}"
    leaves = report.decisions - report.buys - report.sells
    out.print(f"{case.kind} · {written} · looks back {count(report.lookback, 'bar')}", style="bold")
    out.print(
        f"{len(bars):,} bars of {bars[-1].symbol} ({source}) · {report.decisions:,} decisions: "
        f"{report.buys:,} buy, {report.sells:,} sell, {leaves:,} leave"
    )
    rows = [(found.name, "ok" if found.passed else "FAILED", found.detail) for found in report.checks]
    out.print(table("CHECK RESULT *FOUND", rows))
    for found in report.checks:
        if found.first is not None:
            out.print(_shown(found.name, found.first), soft_wrap=True)
    if not report.buys:
        out.print("It never wanted to buy here, so this proves little: try other --params, or --data.")


def _shown(name: str, first: Violation) -> str:
    """Return the row at which a promise is broken first, with both answers."""
    where = f"{name}: row {first.row:,}, the bar of {first.at:%Y-%m-%d %H:%M}Z: "
    if first.rule in (Rule.RAISED, Rule.SHAPE):
        return where + _words(first.actual)
    then = "but with all bars so far" if first.rule is Rule.HISTORY else "but asked again"
    return f"{where}{_words(first.expected)}, {then}: {_words(first.actual)}"


def _words(answer: Answer) -> str:
    if not isinstance(answer, Signal):
        return one_line(answer)
    wish = _WORDS.get(answer.direction, f"direction {answer.direction!r}")
    strength = (
        percent(answer.confidence, 4) if isinstance(answer.confidence, int) else repr(answer.confidence)
    )
    at = price(answer.price) if isinstance(answer.price, int) else repr(answer.price)
    return f"{wish} {answer.symbol} at {at} (confidence {strength})"
