"""`accept`: a person says that a session goes on with the code or configuration that changed in it."""

from __future__ import annotations

import typer

from pipeline.cli.asking import confirm
from pipeline.cli.options import Account, Home, Reason
from pipeline.cli.place import desk_of, find_place, who
from pipeline.errors import UsageError


def accept(reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Accept code or configuration that changed in mid-session; until then its runs do nothing.

    It stands in the journal with your name. With real money it wants a typed phrase.
    """
    from pipeline.operations.versions import accept as accept_version

    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'what changed, and why in mid-session'")
    place = find_place(home, account)
    desk = desk_of(place)
    confirm(place, "accept")
    if accept_version(desk, reason, who(), desk.clock.now()):
        typer.echo(f"{place.badge} · accepted: the next runs trade with this code and configuration")
        return
    typer.echo(f"{place.badge} · nothing to accept: code and configuration are the session's own")
