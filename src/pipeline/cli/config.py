"""`config check` and `config show`: what a configuration says, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pipeline.cli.exits import Exit
from pipeline.cli.options import Json
from pipeline.cli.output import console, print_json, table
from pipeline.domain.formatting import count
from pipeline.domain.risk import Ladder, RiskLimits
from pipeline.errors import ConfigurationError
from pipeline.settings.findings import Finding
from pipeline.settings.models.root import Settings

app = typer.Typer(help="Check and show configurations.", no_args_is_help=True, add_completion=False)

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="Merged left to right, later over earlier.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Laid over the files; may be repeated.")
]
Phase = Annotated[
    str | None, typer.Option("--phase", help="Overlay beside the last file, as in paper_trading.")
]
_WORDS = {"error": ("ERROR", "bold red"), "warning": ("WARNING", "yellow"), "info": ("INFO", "")}


@app.command()
def check(
    files: Files,
    overrides: Overrides = None,
    phase: Phase = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings as well.")] = False,
    as_json: Json = False,
) -> None:
    """Print errors (exit 2), and what is legal but wrong: exit 1 where it cannot work as written."""
    from pipeline.settings.lint import lint

    try:
        settings = _read(files, overrides, phase)
    except ConfigurationError as error:
        _print_errors(error, as_json)
        raise typer.Exit(Exit.USAGE) from error
    findings = (*lint(settings), *_schedules(settings))
    if as_json:
        print_json({"errors": [], "findings": findings})
    else:
        _print_findings(settings, findings)
    failing = ("error", "warning") if strict else ("error",)
    if any(finding.severity in failing for finding in findings):
        raise typer.Exit(Exit.FAILED)


@app.command()
def show(files: Files, overrides: Overrides = None, phase: Phase = None, as_json: Json = False) -> None:
    """Print the effective configuration, secrets as dots, and the limits that follow from it."""
    import yaml

    from pipeline.settings.effective import redacted, risk_limits

    loaded = _read(files, overrides, phase)
    settings = redacted(loaded)
    if as_json:
        print_json(settings)
        return
    typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).rstrip())
    typer.echo("\n# The limits in force, each the strictest of the keys that set it:")
    for line in _limit_lines(risk_limits(loaded)):
        typer.echo(f"#   {line}")


def _schedules(settings: Settings) -> tuple[Finding, ...]:
    """Look at the schedules as well: they belong to the desk although they stand in a file of their own."""
    from pipeline.settings.lint_schedules import lint_schedules
    from pipeline.wiring.spec import CHECKOUT

    path = CHECKOUT / "prefect.yaml"
    return lint_schedules(path, settings.data.market_hours.timezone) if path.exists() else ()


def _limit_lines(limits: RiskLimits) -> Iterator[str]:
    """Yield each limit with its number: fractions in percent, money, seconds and counts as they are."""
    plain = {"max_positions", "max_holding_days", "max_orders_per_session", "max_orders_per_minute"}
    for name, value in (*_fields(limits), *_fields(limits.ladder)):
        if value is None or isinstance(value, tuple):
            shown = "off" if value is None else " → ".join(f"{step // 10_000} %" for step in value)
        elif name == "max_position_money":
            shown = f"{value / 1_000_000:.2f}"
        elif name == "max_order_quantity":
            shown = f"{value / 1_000_000_000:g} shares"
        elif name in plain or name.endswith(("_seconds", "_minutes", "_failures", "_bars")):
            shown = str(value)
        else:
            shown = f"{value / 10_000:g} %"
        yield f"{name:<30} {shown}"


def _fields(values: RiskLimits | Ladder) -> Iterator[tuple[str, int | tuple[int, ...] | None]]:
    return ((field.name, getattr(values, field.name)) for field in fields(values) if field.name != "ladder")


def _read(files: list[Path], overrides: list[str] | None, phase: str | None) -> Settings:
    from pipeline.settings.loading import read_settings

    return read_settings(files, overrides or (), phase=phase)


def _print_errors(error: ConfigurationError, as_json: bool) -> None:
    from pipeline.settings.problems import ConfigurationErrors

    errors = error.errors if isinstance(error, ConfigurationErrors) else (error,)
    if as_json:
        rows = [
            {
                "where": one.where,
                "key": one.key,
                "value": None if one.value is None else str(one.value),
                "remedy": one.remedy,
            }
            for one in errors
        ]
        print_json({"errors": rows, "findings": []})
        return
    out = console()
    out.print(f"{count(len(errors), 'error')}: this configuration cannot be used")
    out.print(table("*WHERE *KEY *WHAT", [(one.where or "–", _key(one), one.remedy) for one in errors]))


def _key(error: ConfigurationError) -> str:
    return error.key if error.value is None else f"{error.key} = {error.value!r}"


def _print_findings(settings: Settings, findings: tuple[Finding, ...]) -> None:
    from pipeline.settings.connection import broker, mode

    out = console()
    symbols = ", ".join(settings.data.symbols)
    out.print(f"{mode(settings).label} · {broker(settings)} · {symbols} · it loads; {_counted(findings)}")
    for finding in findings:
        word, style = _WORDS[finding.severity]
        out.print()
        out.print(Text.assemble((word, style), f" {finding.code}: {', '.join(finding.keys)}"))
        out.print(f"  {finding.message}. {finding.remedy}")


def _counted(findings: tuple[Finding, ...]) -> str:
    severities = [finding.severity for finding in findings]
    parts = [count(severities.count(one), one) for one in ("error", "warning") if one in severities]
    notes = severities.count("info")
    return ", ".join(parts + ([count(notes, "note")] if notes else [])) or "nothing to remark"
