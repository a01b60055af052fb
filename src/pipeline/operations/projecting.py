"""Bringing the store up to the journal. The journal never waits for it."""

from __future__ import annotations

import logging

from pipeline.errors import StoreUnavailable
from pipeline.operations.desk import Desk

log = logging.getLogger(__name__)


def project(desk: Desk) -> int:
    """Apply to the store what it has not seen; return how many records it is behind afterwards.

    A store that does not open is a lag, said in the log and by pre-market, never a reason not to trade.
    """
    seen = desk.memory.projected
    records = desk.journal.records(seen)
    try:
        desk.store.project(records)
    except StoreUnavailable as error:
        desk.memory.projected = 0  # should the store begin anew, it is offered everything again
        log.warning("the store lags by %d records: %s", len(records), error)
        return len(records)
    desk.memory.projected = seen + len(records)
    return 0
