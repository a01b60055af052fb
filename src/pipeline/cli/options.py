"""Options that several verbs share, each with one meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="PATH", help="The desk's folder; by default that of the newest `demo` or `up`."
    ),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Which journal, when the folder holds several."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: money in account currency, times in UTC.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the journal for good.")
]
