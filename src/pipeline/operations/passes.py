"""A pass: one run of one procedure for one instant, claimed by one process and recorded.

Any number of drivers may call the same procedure for the same instant: one does the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType

from pipeline.domain.codec import encode
from pipeline.domain.formatting import count
from pipeline.domain.journal import Kind, Record
from pipeline.domain.session import Session
from pipeline.domain.trading_state import Trigger
from pipeline.errors import AppendRefused, BrokerRefused, BrokerUnavailable, LockBusy, MarketdayError
from pipeline.failpoints import reach
from pipeline.operations.cancelling import finish_stop
from pipeline.operations.climbing import climb, note_silence
from pipeline.operations.desk import Desk
from pipeline.operations.stopping import stop
from pipeline.operations.telling import tell, tell_lasting
from pipeline.operations.versions import name_version, other_version, tell_version

GRACE = {"intraday-tick": timedelta(seconds=45), "risk-monitor": timedelta(seconds=25)}
"""How late a run may begin and still act; procedures not named may be an hour late."""
_LONG_GRACE = timedelta(hours=1)
_LOCK_WAIT_SECONDS = 20.0
_BRIEF_WAIT_SECONDS = 2.0
"""What a tick or monitor waits for the lock: a typed command holds it for half a second."""


@dataclass(slots=True)
class Pass:
    """One run.

    Attributes:
        began: the desk's time when it began.
        skipped: why it must do nothing, "" when it may act.
        summary: what it did, for the flow's result and the store.
        unsent: intents that recovery found to be at no broker: to be sent under their old ids, or given up.
    """

    procedure: str
    session: Session
    instant: datetime
    driver: str
    began: datetime
    skipped: str = ""
    summary: dict[str, int | str] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()

    def result(self) -> dict[str, int | str]:
        """Return what the flow returns: JSON-ready, small."""
        head: dict[str, int | str] = {"procedure": self.procedure, "instant": self.instant.isoformat()}
        return {**head, "skipped": self.skipped} if self.skipped else {**head, **self.summary}


@contextmanager
def trading_pass(desk: Desk, procedure: str, instant: datetime, driver: str) -> Iterator[Pass]:
    """Hold the account's lock and lease for one run that may send orders.

    A tick or monitor that finds the lock busy for two seconds skips itself, never queues; other procedures
    wait. A run with other code or configuration than the session's skips itself, too: it does not even take
    the lease.
    """
    run = _new(desk, procedure, instant, driver)
    with ExitStack() as held:
        try:
            held.enter_context(
                desk.lock.hold(_BRIEF_WAIT_SECONDS if procedure in GRACE else _LOCK_WAIT_SECONDS)
            )
        except LockBusy as error:
            run.skipped = f"overlap: {error}"
            _record(desk, run, "overlapped", run.skipped)
            yield run
            return
        reach("after_lock")
        run.began = moment(desk, run)  # the lock may have been waited for, or the process suspended
        run.skipped = run.skipped or _reason_to_skip(run) or _foreign(desk, run)
        if not run.skipped:
            _take_lease(desk, run)
        with _recorded(desk, run):
            yield run


@contextmanager
def urgent_pass(desk: Desk, procedure: str, driver: str) -> Iterator[Pass]:
    """Hold lock and lease for something a person asked for: never stale, never "already done"."""
    run = _new(desk, procedure, desk.clock.now(), driver)
    with desk.lock.hold(_LOCK_WAIT_SECONDS):
        _take_lease(desk, run)
        with _Outcome(desk, run):
            finish_stop(desk, run.began)
            yield run


def _take_lease(desk: Desk, run: Pass) -> None:
    desk.journal.take_lease(desk.owner, desk.code, desk.config, run.began)
    reach("after_lease")


def moment(desk: Desk, run: Pass) -> datetime:
    """Return the present of a run: virtual time stands still during it, so it need not be asked for."""
    return run.began if desk.virtual else desk.clock.now()


def _new(desk: Desk, procedure: str, instant: datetime, driver: str) -> Pass:
    local = instant.astimezone(desk.zone)
    session = desk.sessions.at_or_after(local.date())
    holiday = f"no session on {local.date()}" if session.day != local.date() else ""
    return Pass(procedure, session, instant, driver, desk.clock.now(), holiday)


@contextmanager
def _recorded(desk: Desk, run: Pass) -> Iterator[None]:
    if not run.skipped:
        run.skipped = _claim(desk, run)
    elif not run.skipped.startswith(("early", "no session")):
        _record(desk, run, "skipped", run.skipped)
    if run.skipped:
        yield
        return
    with _Outcome(desk, run):
        finish_stop(desk, run.began)  # whoever stopped trading may have died before the cancels
        yield


def _finish_new_stop(desk: Desk, run: Pass) -> None:
    """Cancel what was on its way when somebody stopped trading in the middle of this run."""
    change = desk.journal.read().state
    if change.state.latched and change.at >= run.began:
        finish_stop(desk, moment(desk, run))


class _Outcome:
    """Journal how the block ends. Nothing is swallowed: what went wrong goes on to the caller."""

    def __init__(self, desk: Desk, run: Pass) -> None:
        self._desk, self._run = desk, run

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            _finish_new_stop(self._desk, self._run)
            _record(self._desk, self._run, "completed", "")
        elif isinstance(error, Exception):
            _fail(self._desk, self._run, error)


def _fail(desk: Desk, run: Pass, error: Exception) -> None:
    """Journal a failure and what it means for trading, and tell people."""
    now = moment(desk, run)
    told = desk.hide(str(error))  # a library's own words may hold a credential
    reason = told
    if isinstance(error, BrokerUnavailable):
        # Silence is a condition of its own: it climbs the ladder although this run failed.
        note_silence(desk, True, now)
        climb(desk, None, now)
    elif isinstance(error, BrokerRefused) or not isinstance(error, MarketdayError):
        # A revoked key does not come back by itself either, and without one nothing can be seen or cancelled.
        if not isinstance(error, BrokerRefused):
            reason = f"system error in {run.procedure}: {type(error).__name__}: {told}"
        if not desk.journal.read().state.state.latched:
            stop(desk, Trigger.SYSTEM_ERROR, reason, "system", now)
    _record(desk, run, "failed", reason)
    if run.procedure not in GRACE or not isinstance(error, BrokerUnavailable):
        # Of a broker that is silent at a tick, the ladder tells when it lasts.
        tell_lasting(desk, "run_failed", run.procedure, f"{reason}.", now)
    tell(desk)


def _reason_to_skip(run: Pass) -> str:
    late = run.began - run.instant
    if late < timedelta(0):
        return f"early: its instant comes in {-late.total_seconds():.0f} s"
    grace = GRACE.get(run.procedure, _LONG_GRACE)
    if late > grace:
        return f"stale: {late.total_seconds():.0f} s late, allowed {grace.total_seconds():.0f} s"
    return ""


def _foreign(desk: Desk, run: Pass) -> str:
    """Say why the run is of another version than the session, and tell people; "" when it is not."""
    reason = other_version(desk, run.session.day)
    if reason:
        tell_version(desk, run.session.day, reason, run.began)
    return reason


def _claim(desk: Desk, run: Pass) -> str:
    try:
        desk.journal.append(Kind.CLAIM, _key(run) | {"driver": run.driver}, run.began)
    except AppendRefused as error:
        if error.code != "claimed":
            raise
        return f"done: {error.reason}"
    name_version(desk, run.session.day, run.began)
    _tell_late(desk, run)
    return ""


def _tell_late(desk: Desk, run: Pass) -> None:
    """Sum up in one alert the runs that came too late, as after a downtime a burst of them does."""
    after = max(desk.memory.told, desk.journal.read().session_seq - 1, 0)
    late = [record.data for record in desk.journal.records(after) if _is_late(record)]
    if late:
        first, last = (datetime.fromisoformat(data["instant"]) for data in (late[0], late[-1]))
        text = f"{count(len(late), 'run')} of {first:%H:%M:%S}Z to {last:%H:%M:%S}Z sent nothing."
        tell_lasting(desk, "runs_late", "", text, run.began)


def _is_late(record: Record) -> bool:
    data = record.data
    return record.kind is Kind.RUN and data["outcome"] == "skipped" and data["reason"].startswith("stale")


def _key(run: Pass) -> dict[str, str]:
    return {
        "procedure": run.procedure,
        "session": run.session.day.isoformat(),
        "instant": run.instant.isoformat(),
    }


def _record(desk: Desk, run: Pass, outcome: str, reason: str) -> None:
    told = desk.journal.read().runs.get((run.procedure, run.instant))
    if outcome in ("skipped", "overlapped") and told is not None:
        return  # once is enough: a burst of late runs must not flood the journal
    data = _key(run) | {"driver": run.driver, "outcome": outcome, "reason": reason}
    desk.journal.append(Kind.RUN, data | {"summary": encode(run.summary)}, moment(desk, run))
