"""`pnl` and `incidents`: past sessions, from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import Account, Home, Json
from pipeline.cli.output import console, print_json, table
from pipeline.cli.place import Place, configured, find_place
from pipeline.cli.status_lines import day_and_time
from pipeline.domain.formatting import NONE, count, money, one_line, percent, signed_money, signed_percent
from pipeline.domain.money import to_money
from pipeline.domain.reports import Event
from pipeline.operations.report_incidents import load_all_incidents
from pipeline.wiring.desks import open_store

if TYPE_CHECKING:
    from pipeline.adapters.duckdb_store.store import DuckStore

PNL = """
SELECT d.session, start_equity, close_equity, d.deposits, pnl, pnl_ppm, d.realized, d.fees, turnover, fills,
    max_drawdown_ppm, e.unrealized, e.external, e.dividends, e.interest, e.other, e.residual
FROM daily_pnl AS d LEFT JOIN session_explained AS e ON e.session = d.session
ORDER BY d.session DESC LIMIT ?
"""
Row = Mapping[str, Any]


def caught_up_store(place: Place) -> DuckStore:
    """Return the store, holding everything that the journal says by now.

    Raises:
        StoreUnavailable: held by another process.
    """
    store = open_store(place.home)
    store.project(place.journal.records(store.projected()))
    return store


def pnl(
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
    daily: Annotated[int, typer.Option("--daily", "-n", min=1, help="How many sessions.")] = 10,
) -> None:
    """Show profit and loss by session, oldest first; the last line is the sum."""
    place = find_place(home, account)
    rows: list[Row] = list(reversed(caught_up_store(place).query(PNL, (daily,))))
    if as_json:
        print_json([_pnl_data(row) for row in rows])
        return
    out = console()
    if not rows:
        out.print(f"{place.badge} · no session has a snapshot yet")
        return
    out.print(f"{place.badge} · {count(len(rows), 'session')}, oldest first")
    cells = [_pnl_cells(row) for row in rows]
    if len(rows) > 1:
        cells.append(_sum_cells(rows))
    out.print(table("SESSION >P&L >% >REALIZED >FEES >RESIDUAL >MAX_DD >FILLS >CLOSE", cells))
    out.print(
        "P&L is after fees and without deposits; realized is before fees; residual is what nothing explains"
    )


def _pnl_cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["session"]),
        signed_money(to_money(row["pnl"])),
        signed_percent(int(row["pnl_ppm"] or 0)),
        signed_money(to_money(row["realized"])),
        money(to_money(row["fees"])),
        NONE if row["residual"] is None else signed_money(to_money(row["residual"])),
        percent(-int(row["max_drawdown_ppm"] or 0)),
        f"{row['fills']:,}",
        money(to_money(row["close_equity"])),
    )


def _sum_cells(rows: list[Row]) -> tuple[str, ...]:
    def total(name: str) -> int:
        return to_money(sum((row[name] or 0 for row in rows), Decimal(0)))

    fills, deepest = sum(row["fills"] for row in rows), max(int(row["max_drawdown_ppm"] or 0) for row in rows)
    profit = signed_money(total("pnl")), "", signed_money(total("realized")), money(total("fees"))
    return "sum", *profit, signed_money(total("residual")), percent(-deepest), f"{fills:,}", ""


def _pnl_data(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in row if not name.endswith("_ppm")}
    shown["pnl_fraction"] = Decimal(row["pnl_ppm"] or 0).scaleb(-6)
    shown["max_drawdown_fraction"] = Decimal(row["max_drawdown_ppm"] or 0).scaleb(-6)
    return shown


def incidents(
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
    number: Annotated[int, typer.Option("-n", min=1, help="At most this many, the newest.")] = 20,
) -> None:
    """Show what happened and how it ended, newest last: the time line of the reports, of all sessions."""
    place = find_place(home, account)
    zone = configured(place).zone
    found = load_all_incidents(caught_up_store(place), zone)
    shown = found[-number:]
    if as_json:
        print_json([asdict(event) for event in shown])
        return
    out = console()
    if not shown:
        out.print(f"{place.badge} · no incidents")
        return
    left_out = len(found) - len(shown)
    older = f"; {left_out:,} older: -n {len(found)}" if left_out else ""
    out.print(f"{place.badge} · {count(len(shown), 'incident')}, newest last{older}")
    out.print(table("TIME SEVERITY *WHAT", [_incident_cells(event, zone) for event in shown]))


def _incident_cells(event: Event, zone: str) -> tuple[str, ...]:
    told = "; ".join(part for part in (event.why, event.ended) if part)
    time = day_and_time(event.at, zone).split(" ", 1)[1].rsplit(" ", 1)[0]
    return time, event.severity.upper(), one_line(f"{event.what}: {told}" if told else event.what)
