"""The broker answers again: the books are compared before anything else is done."""

from __future__ import annotations

from datetime import datetime

from pipeline.operations.climbing import note_silence
from pipeline.operations.desk import Desk
from pipeline.operations.reconciliation import reconcile


def note_answer(desk: Desk, now: datetime) -> None:
    """Journal that the broker answers again, after ledger and broker were compared; quiet if it always did.

    The silence ends with that: REDUCING is left by the ladder only when the books agree, and when they
    do not, the comparison itself halts (FAULTS F45).

    Raises:
        BrokerUnavailable: silent again; it counts as never having answered.
    """
    if desk.journal.read().silent_since is None:
        return
    reconcile(desk, "the broker answers again", now)
    note_silence(desk, False, now)
