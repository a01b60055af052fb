"""The store is a projection: when it cannot be had, trading goes on; it lags, says so, and catches up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.operations.projecting import wait_projected
from pipeline.wiring import desks as composition
from tests.operations.desks import at, overlay, rehearsal
from tests.operations.test_passes import held_elsewhere


def test_a_store_held_by_another_process_delays_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ticks trade while a reader holds the store's lock; the third brings it up to date."""
    monkeypatch.setattr(composition, "DuckStore", partial(DuckStore, wait_seconds=0.1))
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as desk:
        desk.morning()
        with held_elsewhere(desk.home / "locks" / "store.lock"):
            summary = desk.tick("14:35")
            desk.tick("14:36")
            check = desk.run("intraday-check", at("15:30"))
            wait_projected(desk.desk)
        lagged = desk.desk.store.projected()
        written = desk.ledger.seq
        desk.tick("15:31")
        wait_projected(desk.desk)
        rows = desk.desk.store.query("SELECT count(*) AS fills FROM fills")

        assert summary["sent"] == 1
        assert int(check["store_behind"]) > 0
        assert lagged < written
        assert desk.desk.store.projected() >= written
        assert rows == ({"fills": 1},)
