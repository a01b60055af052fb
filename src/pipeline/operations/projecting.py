"""Bringing the store up to the journal. The journal never waits for it."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from pipeline.errors import AppendRefused, LockBusy, StoreUnavailable
from pipeline.failpoints import reach
from pipeline.operations.desk import Desk
from pipeline.operations.telling import tell_lasting

log = logging.getLogger(__name__)

_BACKGROUND = ThreadPoolExecutor(max_workers=1, thread_name_prefix="projection")
_LATEST: dict[Path, Future[int]] = {}
"""The newest projection asked for in the background, by home."""


def project(desk: Desk) -> int:
    """Apply to the store what it has not seen; return how many records it is behind afterwards.

    A store that does not open is a lag, said in the log and by pre-market, never a reason not to trade.
    """
    seen = desk.memory.projected
    records = desk.journal.records(seen)
    reach("before_project")
    try:
        desk.store.project(records)
    except StoreUnavailable as error:
        desk.memory.projected = 0  # should the store begin anew, it is offered everything again
        log.warning("the store lags by %d records: %s", len(records), error)
        _tell_lag(desk, len(records), error)
        return len(records)
    desk.memory.projected = seen + len(records)
    reach("after_project")
    return 0


def _tell_lag(desk: Desk, behind: int, error: StoreUnavailable) -> None:
    """Say once an hour, of the journal's own time, that reports lag; trading does not."""
    text = f"{behind} records behind the journal: {error}. Trading and halting go on; reports lag."
    try:
        tell_lasting(desk, "store_behind", "", text, desk.journal.read().last_at)
    except (AppendRefused, LockBusy) as refused:
        log.warning("nobody was told: %s", refused)


def project_soon(desk: Desk) -> Future[int]:
    """Bring the store up to the journal without making the caller wait.

    Opening the store takes longer than all the rest of a tick, and another process may hold it for
    seconds. A process that ends in order finishes what was begun; what a killed one leaves undone is
    done by the next projection of anybody.
    """
    before = _LATEST.get(desk.home)
    if before is not None:
        before.cancel()  # unless it has begun: the new one does its work, too
    latest = _LATEST[desk.home] = _BACKGROUND.submit(project, desk)
    latest.add_done_callback(_heard)
    return latest


def wait_projected(desk: Desk) -> None:
    """Return when no projection of this desk runs in the background."""
    latest = _LATEST.get(desk.home)
    if latest is not None:
        wait([latest])


def _heard(done: Future[int]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("the store could not be brought up to the journal", exc_info=error)
