"""`doctor`: is everything there that a session needs? Each check says what it found and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.doctor_desk import desk_checks
from pipeline.cli.exits import Exit
from pipeline.cli.installation import installation_checks
from pipeline.cli.options import Home, Json
from pipeline.cli.output import console, print_json, table
from pipeline.domain.formatting import count
from pipeline.errors import ConfigurationError, UsageError
from pipeline.operations.procedures.finding import FAIL, WARN, Finding, warn
from pipeline.wiring.spec import DESK_FILE, current_home, load_spec

_WORDS = {"ok": ("OK", "green"), "warn": ("WARNING", "yellow"), "fail": ("FAILED", "bold red")}


def doctor(
    refresh_calendar: Annotated[
        bool, typer.Option("--refresh-calendar", help="Compute the exchange's sessions anew first.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Check this installation, and the desk if there is one. A failed check exits 1."""
    folder = _folder(home)
    if refresh_calendar:
        _refresh(folder)
    found = list(_checks(folder))
    failed = sum(finding.outcome == FAIL for _, finding in found)
    if as_json:
        print_json([_data(name, finding) for name, finding in found])
    else:
        _print(found, failed)
    if failed:
        raise typer.Exit(Exit.FAILED)


def _folder(home: Path | None) -> Path | None:
    try:
        return current_home(home)
    except UsageError:
        return None  # a fresh installation has no desk: only the installation is checked


def _checks(folder: Path | None) -> Iterator[tuple[str, Finding]]:
    yield from installation_checks(folder)
    if folder is None or not folder.is_dir():
        yield "desk", warn("no desk has run here yet: `marketday demo` starts one")
        return
    yield from desk_checks(folder)


def _refresh(folder: Path | None) -> None:
    from pipeline.wiring.offline import refresh_sessions

    if folder is None:
        raise UsageError("no desk has run here yet: its first start computes the calendar")
    try:
        settings = load_spec(folder / DESK_FILE).settings(with_credentials=False)
    except ConfigurationError as error:
        raise UsageError(f"which exchange? The desk's configuration cannot be read: {error}") from error
    table_ = refresh_sessions(folder, settings)
    typer.echo(f"{table_.exchange}: sessions from {table_.first} to {table_.last}")


def _print(found: list[tuple[str, Finding]], failed: int) -> None:
    out = console()
    rows = []
    for name, finding in found:
        word, style = _WORDS[finding.outcome]
        rows.append((Text(word, style=style), name, finding.evidence))
    out.print(table("OUTCOME CHECK *EVIDENCE", rows))
    warnings = sum(finding.outcome == WARN for _, finding in found)
    verdict = f"{count(failed, 'check')} FAILED" if failed else "no check failed"
    out.print(f"{verdict}, {count(warnings, 'warning')}")


def _data(name: str, finding: Finding) -> dict[str, Any]:
    return {"check": name, "outcome": finding.outcome, "evidence": finding.evidence}
