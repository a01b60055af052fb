"""`store verify`, `store rebuild` and `store query`: the projection, compared, made anew, asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.exits import Exit
from pipeline.cli.history import caught_up_store
from pipeline.cli.options import Account, Home, Json
from pipeline.cli.output import console, print_json, table
from pipeline.cli.place import Place, find_place
from pipeline.domain.formatting import NONE, count, one_line
from pipeline.errors import JournalCorrupt, UsageError
from pipeline.wiring.desks import open_store

if TYPE_CHECKING:
    from pipeline.adapters.duckdb_store.store import Verification

_SHORTEST_HEAD = 16

app = typer.Typer(help="Verify, rebuild and query the store.", no_args_is_help=True, add_completion=False)


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            "--head", metavar="HASH", help="As the daily report told it: it must be in the journal."
        ),
    ] = None,
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Check the journal's chain, then that what the store holds is what it says. A difference exits 1."""
    place = find_place(home, account)
    if head is not None:
        _check_head(place, head)
    store = open_store(place.home)
    found = store.verify(place.journal.records())
    if found.projected > found.records:  # a running desk wrote and projected between the two looks
        found = store.verify(place.journal.records())
    if as_json:
        told = {"records": found.records, "behind": found.behind, "differences": found.differences}
        print_json({"ok": found.ok} | told)
    elif found.ok:
        typer.echo(f"{place.badge} · journal whole, store equals it: {_how_far(found)}")
    else:
        typer.echo(f"{place.badge} · journal whole ({found.records:,} records); the store differs:")
        for difference in found.differences:
            typer.echo(f"  {difference}")
        typer.echo("`marketday store rebuild` makes it anew from the journal; nothing is lost by that")
    if not found.ok:
        raise typer.Exit(Exit.FAILED)


def _how_far(found: Verification) -> str:
    if not found.behind:
        return f"{found.records:,} records"
    behind = f"{count(found.behind, 'record')} behind"
    return f"{found.projected:,} of {found.records:,} records, {behind}; the next projection adds them"


def _check_head(place: Place, head: str) -> None:
    """Look for a record that was told outside this machine: an older copy of the journal lacks it."""
    if len(head) < _SHORTEST_HEAD:
        raise UsageError(f"--head {head}: give at least {_SHORTEST_HEAD} of its 64 characters")
    records = place.journal.records()
    found = next((record for record in records if record.hash.startswith(head.lower())), None)
    if found is None:
        raise JournalCorrupt(
            str(place.journal.path),
            len(records),
            f"no record has the head {head}: this is an older copy, or another journal",
        )
    typer.echo(f"{place.badge} · record {found.seq:,} of {len(records):,} has that head", err=True)


@app.command()
def rebuild(home: Home = None, account: Account = None, as_json: Json = False) -> None:
    """Make the store anew from the journal; market data is carried over."""
    place = find_place(home, account)
    done = open_store(place.home).rebuild(place.journal.records())
    if as_json:
        print_json(done)
        return
    typer.echo(
        f"{place.badge} · rebuilt from {done.records:,} records, {count(done.bars, 'bar')} carried over"
    )
    if done.quarantined is not None:
        typer.echo(f"the old file could not be read; it is kept as {done.quarantined}")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One read-only statement.")],
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Ask the store, as in: marketday store query "SELECT * FROM daily_pnl"."""
    rows = caught_up_store(find_place(home, account)).query(sql)
    if as_json:
        print_json([{name: _jsonable(value) for name, value in row.items()} for row in rows])
    elif rows:
        _print_rows(rows)
    else:
        typer.echo("no rows")


def _print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    first = rows[0]
    numeric = {name for name, value in first.items() if isinstance(value, int | Decimal)}
    headings = " ".join(f">{name}" if name in numeric else name for name in map(_heading, first))
    out = console()
    out.print(table(headings, [[_cell(value) for value in row.values()] for row in rows]))
    out.print(count(len(rows), "row"))


def _heading(name: str) -> str:
    return name.replace(" ", "_") or "_"


def _cell(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if value.tzinfo else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str)
    return one_line(f"{value.normalize():f}" if isinstance(value, Decimal) else str(value))


def _jsonable(value: object) -> object:
    known = value is None or isinstance(value, bool | int | float | str | Decimal | datetime | Mapping | list)
    return value if known else str(value)
