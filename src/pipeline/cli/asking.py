"""The typed phrase that commands want before they move real money."""

from __future__ import annotations

import typer

from pipeline.cli.place import Place
from pipeline.errors import UsageError
from pipeline.operations.emergency import phrase


def confirm(place: Place, verb: str) -> None:
    """Return at once unless real money is at stake; then ask for the phrase, as in "resume alpaca-live".

    Raises:
        UsageError: something else was typed, or nobody is there to type.
    """
    if place.mode != "live":
        return
    wanted = phrase(verb, place.account)
    try:
        typed = str(
            typer.prompt(f"LIVE: real money. Type “{wanted}” to go on", default="", show_default=False)
        )
    except typer.Abort:
        typed = ""
    if typed.strip() != wanted:
        raise UsageError(
            f"not done, nothing was changed: with real money, {verb} wants “{wanted}” typed by a person"
        )
