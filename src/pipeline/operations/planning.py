"""Planning a session: which runs are expected, and against which equity losses are measured."""

from __future__ import annotations

from datetime import date, datetime

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Baseline, Ledger
from pipeline.domain.session import Session
from pipeline.domain.timetable import session_runs
from pipeline.operations.desk import Desk


def plan_session(desk: Desk, session: Session, now: datetime) -> int:
    """Journal the session's expected runs and its baselines, once; return how many runs it expects."""
    ledger = desk.journal.read()
    if ledger.session != session.day:
        runs = session_runs(session, desk.plan.procedures, desk.plan.rhythm)
        data = {
            "day": session.day.isoformat(),
            "open": session.open.isoformat(),
            "close": session.close.isoformat(),
            "early_close": session.early_close,
            "runs": [[name, at.isoformat()] for name, at in runs],
        }
        desk.journal.append(Kind.SESSION, data, now)
    if ledger.baseline is None or ledger.baseline.day != session.day:
        equity = desk.broker.fetch_account().equity
        desk.journal.append(Kind.BASELINE, encode(next_baseline(ledger, session.day, equity)), now)
    return len(ledger.planned)


def next_baseline(ledger: Ledger, day: date, equity: int) -> Baseline:
    """Return the baselines of ``day``: the previous session's last equity, not what it is by now.

    Losses made over night count to the new day, because the last close is the base. Deposits and
    withdrawals are in the old baseline already; see the ledger.
    """
    before = ledger.baseline
    if before is None:
        return Baseline(day, equity, equity, equity)
    last_close = before.day_equity  # no equity was seen since: deposits are in it already
    if ledger.snapshot is not None:
        last_close = ledger.snapshot.equity + ledger.deposits_since_snapshot
    new_month = (before.day.year, before.day.month) != (day.year, day.month)
    return Baseline(
        day=day,
        day_equity=last_close,
        month_equity=last_close if new_month else before.month_equity,
        peak_equity=max(before.peak_equity, last_close),
    )
