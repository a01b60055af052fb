"""Steps at and after the close: report, backup, reconciliation, performance, tomorrow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.domain.market import Flaw
from pipeline.domain.session import OutsideCalendar
from pipeline.errors import DataUnavailable, StoreUnavailable
from pipeline.operations.backup import backup_journal
from pipeline.operations.desk import Desk
from pipeline.operations.emergency import cancel_open
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding, fail, ok, warn
from pipeline.operations.projecting import project
from pipeline.operations.reconciliation import reconcile
from pipeline.operations.reporting import write_report

_EARLIER = datetime(1970, 1, 1, tzinfo=UTC)


def generate_daily_report(desk: Desk, run: Pass) -> Finding:
    """Write the session's report, as far as it is known at the close."""
    _keep_bars(desk, run)
    try:
        written = write_report(desk, run.session, moment(desk, run))
    except StoreUnavailable as error:
        return warn(f"not written yet: {error.reason}; daily-report writes it again")
    return ok(f"written to reports/{written.path.name}", path=f"reports/{written.path.name}")


def backup_trading_logs(desk: Desk, run: Pass) -> Finding:
    """Copy the verified journal, with a checksum."""
    path = backup_journal(desk, run.session.day)
    return ok(f"backups/{path.name}, {path.stat().st_size:,} bytes, checksum beside it")


def reconcile_positions(desk: Desk, run: Pass) -> Finding:
    """Ledger and broker agree on everything once the session is over."""
    found = reconcile(desk, run.procedure, moment(desk, run))
    if found:
        first = found[0]
        return fail(f"{len(found)} discrepancies; {first.kind}: ledger {first.ledger}, broker {first.broker}")
    ledger = desk.journal.read()
    text = f"ledger equals broker to the cent; {len(ledger.positions)} positions"
    if not ledger.open_lives:
        return ok(f"{text}, no open orders")
    left = len(ledger.open_lives)
    asked, failed = cancel_open(desk, "the session is over", moment(desk, run))
    return warn(f"{text}, but {left} orders were still open: {asked} cancels asked for, {failed} unconfirmed")


def update_performance_tracking(desk: Desk, run: Pass) -> Finding:
    """The store holds the whole session: records, and every bar decisions were made on."""
    kept = _keep_bars(desk, run)
    behind = project(desk)
    if behind:
        return warn(f"the store is {behind} records behind; it catches up at the next run")
    if kept is None or not kept.bars:
        return warn("the store is up to date, but no bar of the session could be fetched")
    return ok(f"the store is up to date, {kept.bars} bars of the session kept", bars=kept.bars)


def prepare_next_day_config(desk: Desk, run: Pass) -> Finding:
    """The next session is known, and this configuration is the one that will run it."""
    try:
        following = desk.sessions.following(run.session.day, 2)[1]
    except OutsideCalendar as error:
        return fail(str(error))
    hours = f"{following.open.astimezone(desk.zone):%H:%M} to {following.close.astimezone(desk.zone):%H:%M}"
    early = ", an early close" if following.early_close else ""
    return ok(f"next session {following.day}, {hours}{early}; configuration {desk.config[:12]} unchanged")


def check_data_quality(desk: Desk, run: Pass) -> Finding:
    """Every bar of the session against the schema: rows, order, duplicates, one feed; and what is missing."""
    kept = _keep_bars(desk, run)
    if kept is None:
        return warn("no bar of the session could be fetched, or the store does not open")
    due = run.session.bars_between(_EARLIER, run.session.close, desk.timeframe.length) * len(desk.symbols)
    missing = due - kept.bars
    counted = f"{kept.bars} of {due} bars of {len(desk.symbols)} symbols"
    if kept.flaws:
        symbols = ", ".join(sorted({flaw.symbol for flaw in kept.flaws})[:5])
        text = f"{counted}; {len(kept.flaws)} findings in {symbols}; first: {kept.flaws[0].detail}"
        return warn(text, bars=kept.bars, missing=missing, findings=len(kept.flaws))
    return ok(f"{counted}, each as the schema wants it", bars=kept.bars, missing=missing, findings=0)


@dataclass(frozen=True, slots=True)
class _Kept:
    """How many bars went into the store, and what was wrong with the others."""

    bars: int
    flaws: tuple[Flaw, ...]


def _keep_bars(desk: Desk, run: Pass) -> _Kept | None:
    """Put the session's bars into the store, but those that something is wrong with; None when it failed."""
    until = min(run.session.close, moment(desk, run))
    try:
        fetched = desk.data.fetch_bars(desk.symbols, desk.timeframe, run.session.open, until)
        flaws = (*fetched.flaws, *desk.inspector.inspect(fetched, desk.timeframe.length))
        wrong = {(flaw.symbol, flaw.at) for flaw in flaws}
        bars = [bar for held in fetched.values() for bar in held if (bar.symbol, bar.start) not in wrong]
        desk.store.record_bars(bars, desk.timeframe)
    except (DataUnavailable, StoreUnavailable):
        return None
    return _Kept(len(bars), flaws)
