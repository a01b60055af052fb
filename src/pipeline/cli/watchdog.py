"""`watchdog`: notices that nobody trades although the session is open, and tells people.

A plain process: no Prefect, no broker, no store. It is no child that dies with the session it watches.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exits import Exit
from pipeline.cli.group import complain
from pipeline.cli.options import Account, Home
from pipeline.cli.place import Place, find_place
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.ledger import EPOCH_ZERO
from pipeline.errors import LockBusy, UsageError
from pipeline.operations.telling import hourly
from pipeline.operations.watching import Alarm, alarms, raise_alarms
from pipeline.wiring.watchdog import (
    UNREADABLE,
    Post,
    deliver_now,
    open_post,
    post_past_the_journal,
    present,
    sight,
)

_UNDELIVERABLE_BY_OTHERS = frozenset({"no_tick", "session_died", "positions_unwatched"})


def watchdog(
    once: Annotated[bool, typer.Option("--once", help="Look once and exit, for cron.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help="Pause between two looks.")
    ] = 30.0,
    beside: Annotated[
        int | None,
        typer.Option("--beside", metavar="PID", help="End after that process has, with a last look."),
    ] = None,
    home: Home = None,
    account: Account = None,
) -> None:
    """Watch a desk from outside: ticks, its process, its journal, positions, cancels nobody confirmed.

    With --once: exit 0 when all is well, 1 when something is wrong, 3 when the journal cannot be read.
    """
    if not 1 <= every <= 3_600:
        raise UsageError(f"--every {every:g}: give 1 to 3600 seconds")
    place = find_place(home, account)
    post = open_post(place.home, place.mode == "rehearsal", _last(place), sys.stdout)
    while True:
        code = _look(place, post)
        if once:
            raise typer.Exit(code)
        if beside is not None and not _alive(beside):
            return
        _pause(every, beside)
        if beside is not None and not _alive(beside):
            time.sleep(min(every, 1.0))  # the lock of a process that was killed is free by then


def _last(place: Place) -> datetime:
    try:
        return place.journal.read().last_at
    except UNREADABLE:
        return EPOCH_ZERO  # told at the first look


def _look(place: Place, post: Post) -> int:
    try:
        now = present(post, place.journal.read().last_at)
        ledger = place.journal.read()
        found = alarms(ledger, sight(post, ledger, now))
        raise_alarms(place.journal, found, now, place.badge)
        if any(one.event in _UNDELIVERABLE_BY_OTHERS for one in found):
            deliver_now(post, place.journal, now)
    except LockBusy as error:
        typer.echo(f"looked in vain: {error}")  # a writer is at work; one that hangs is seen by its ticks
        return Exit.UNREACHABLE
    except UNREADABLE as error:
        return _unreadable(place, post, str(error))
    _print(place, found)
    return Exit.FAILED if found else Exit.FINE


def _print(place: Place, found: Sequence[Alarm]) -> None:
    for one in found:
        complain(f"{place.badge} · {place.account} · {one.event}: {one.sentence}")
    if not found:
        typer.echo(f"{place.badge} · {place.account} · all is well")


def _unreadable(place: Place, post: Post, why: str) -> int:
    """Tell people past the journal: what cannot be read cannot be written either."""
    complain(f"{place.badge} · {place.account} · journal_unreadable: {why}")
    told = hourly(alert("journal_unreadable", "", f"{why}.", present(post, post.watching), place.badge))
    if told.id not in _TOLD:
        _TOLD.add(told.id)
        for failure in post_past_the_journal(post, told):
            complain(f"not delivered by {failure}")
    return Exit.UNREACHABLE


_TOLD: set[str] = set()
"""Alerts of this process that no journal remembers."""


def _pause(seconds: float, beside: int | None) -> None:
    """Wait; end early when the process beside us does."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if beside is not None and not _alive(beside):
            return
        time.sleep(min(left, 1.0))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start_watchdog(home: Path) -> subprocess.Popen[bytes]:
    """Start a watchdog beside this process and return it: end it before this process ends in order.

    It is no child on a leash: when this process is killed it looks once more, tells people, and ends.
    """
    log = home / "logs" / "watchdog.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    where = ["--home", str(home), "--beside", str(os.getpid())]
    command = [sys.executable, "-m", "pipeline.cli.watchdog", *where]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter with fixed words
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


if __name__ == "__main__":
    typer.run(watchdog)
