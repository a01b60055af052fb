"""The store follows the journal in the background: a tick does not wait for it."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.operations.projecting import project_soon, wait_projected
from tests.operations.desks import overlay, rehearsal
from tests.operations.test_passes import held_elsewhere


def test_a_tick_does_not_wait_for_a_store_that_somebody_reads_and_the_store_then_follows(
    tmp_path: Path,
) -> None:
    """The store's own patience is 5 s; the tick is done long before, order sent."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as desk:
        desk.morning()
        with held_elsewhere(desk.home / "locks" / "store.lock"):
            began = time.monotonic()
            summary = desk.tick("14:35")
            took = time.monotonic() - began
        wait_projected(desk.desk)

        assert summary["sent"] == 1
        assert took < 2.5
        assert desk.desk.store.projected() >= desk.ledger.seq - 1  # that the run is done is written last


def test_projections_asked_for_at_once_are_one_and_leave_nothing_behind(tmp_path: Path) -> None:
    """Twenty wishes: one is at work, at most one waits, and every record arrives once."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as desk:
        desk.morning()
        asked = [project_soon(desk.desk) for _ in range(20)]
        wait_projected(desk.desk)

        assert sum(not one.cancelled() for one in asked) <= 3
        assert asked[-1].result() == 0
        assert desk.desk.store.verify(desk.desk.journal.records()).ok
