"""The session's report: computed from the store, written once per content, told to people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.domain.alerts import Alert
from pipeline.domain.journal import Kind
from pipeline.domain.report_alert import report_alert
from pipeline.domain.reports import Scope, SessionReport
from pipeline.domain.session import OutsideCalendar, Session
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.projecting import project
from pipeline.operations.report_data import load_report


@dataclass(frozen=True, slots=True)
class Written:
    """A report and the file it was written to."""

    report: SessionReport
    path: Path
    markdown: str


def write_report(desk: Desk, session: Session, as_of: datetime) -> Written:
    """Compute the report from the store, write it atomically, and journal where it lies.

    Raises:
        StoreUnavailable: held by another process.
    """
    project(desk)
    report = load_report(desk.store, scope_of(desk, session), desk.limits, as_of, _following(desk, session))
    page = desk.renderer.html(report)
    path = desk.home / "reports" / f"{session.day.isoformat()}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(page, encoding="utf-8")
    fresh.replace(path)
    digest = hashlib.sha256(page.encode()).hexdigest()
    data = {"session": session.day.isoformat(), "path": f"reports/{path.name}", "digest": digest}
    desk.journal.append(Kind.REPORT, data, as_of)
    return Written(report, path, desk.renderer.markdown(report))


def deliver_report(desk: Desk, session: Session, as_of: datetime) -> Written:
    """Write the report and tell people that it is there, with its verdict."""
    written = write_report(desk, session, as_of)
    raise_alert(desk.journal, _with_head(desk, report_alert(written.report, str(written.path))))
    return written


def _with_head(desk: Desk, found: Alert) -> Alert:
    """Add the journal's head: kept outside this machine, it betrays a journal put back to an older copy.

    The chain and the anchor lie beside the journal, and an older copy of all three fits itself.
    """
    ledger = desk.journal.read()
    return replace(found, fields=(*found.fields, ("Journal", f"record {ledger.seq}: {ledger.head}")))


def scope_of(desk: Desk, session: Session) -> Scope:
    """Return what a report of ``session`` is about."""
    return Scope(
        session=session,
        mode=desk.badge,
        account=desk.account,
        symbols=desk.symbols,
        timeframe=desk.timeframe,
        config=desk.config,
        zone=desk.sessions.timezone,
    )


def _following(desk: Desk, session: Session) -> Session | None:
    try:
        return desk.sessions.following(session.day, 2)[1]
    except OutsideCalendar:
        return None
