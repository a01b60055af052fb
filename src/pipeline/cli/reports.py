"""`report`: a session's report, computed from the store; the broker need not be there."""

from __future__ import annotations

import webbrowser
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.history import caught_up_store
from pipeline.cli.options import Home, Json
from pipeline.cli.output import print_json
from pipeline.cli.place import configured, find_place, shown_time
from pipeline.domain.formatting import long_date, signed_money
from pipeline.domain.money import money_decimal
from pipeline.domain.report_verdict import conclude
from pipeline.errors import ConfigurationError, UsageError


def report(
    day: Annotated[
        str, typer.Argument(metavar="[DATE]", help="YYYY-MM-DD; by default the newest session.")
    ] = "",
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write a session's report as one HTML file, and print its verdict and where it is."""
    from pipeline.wiring.offline import session_report

    place = find_place(home)
    found, ledger = configured(place), place.journal.read()
    if found.settings is None:
        raise ConfigurationError("files", None, found.trouble, str(place.desk_file))
    wanted = _day(day) if day else ledger.session
    if wanted is None:
        raise UsageError("no session was planned yet: there is nothing to report")
    page = session_report(
        place.home, found.settings, caught_up_store(place), wanted, shown_time(place, ledger)
    )
    path = _written(place.home / "reports" / f"{wanted}.html", page.html)
    verdict, profit = conclude(page.report), page.report.profit
    if as_json:
        pnl = None if profit is None else money_decimal(profit.pnl)
        shown = {"session": wanted, "level": verdict.level, "headline": verdict.headline, "pnl": pnl}
        print_json({**shown, "attention": verdict.attention, "summary": verdict.summary, "path": path})
    elif markdown:
        typer.echo(page.markdown)
    else:
        earned = "" if profit is None else f" · {signed_money(profit.pnl)}"
        typer.echo(f"{place.badge} · {long_date(wanted)}{earned}\n{verdict.headline}")
        for line in (*verdict.attention, *verdict.summary):
            typer.echo(f"  {line}")
        typer.echo(str(path))
    if open_it:
        _show(path)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date: write it as in 2026-11-20") from error


def _written(path: Path, html: str) -> Path:
    """Write the file unless it says the same already; never half."""
    if path.exists() and path.read_text(encoding="utf-8") == html:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(html, encoding="utf-8")
    fresh.replace(path)
    return path


def _show(path: Path) -> None:
    if not webbrowser.open(path.as_uri()):
        raise UsageError(f"no browser could be started here: open {path} yourself")
