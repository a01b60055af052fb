"""What the watchdog needs of the world: a desk's time, its session, whether anybody runs it, its channels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from pipeline.adapters.console import ConsoleNotifier
from pipeline.adapters.file_lock import FileLock
from pipeline.domain.alerts import Alert
from pipeline.domain.ledger import Ledger
from pipeline.domain.session import OutsideCalendar
from pipeline.errors import ConfigurationError, MarketdayError, Terminal, Transient
from pipeline.operations.alerting import Channel, deliver
from pipeline.operations.watching import Sight
from pipeline.ports import JournalPort
from pipeline.settings.effective import emergency_plan
from pipeline.settings.models.root import Settings
from pipeline.wiring.desks import home_lock
from pipeline.wiring.notifiers import channels
from pipeline.wiring.offline import cached_calendar, exchange_time, wall_time
from pipeline.wiring.spec import DESK_FILE, load_spec

_DEFAULT_QUIET = timedelta(minutes=5)


@dataclass(slots=True)
class Post:
    """Where the watchdog stands: one account's home.

    Attributes:
        settings: None when the configuration cannot be read: the watch goes on with defaults.
        watching: when it began, by the desk's clock.
        seen: the journal's last record at the look before.
    """

    home: Path
    rehearsal: bool
    settings: Settings | None
    channels: tuple[Channel, ...]
    watching: datetime
    seen: int = -1


def open_post(home: Path, rehearsal: bool, last: datetime, output: TextIO) -> Post:
    """Return a post; ``last`` is the instant of the journal's last record, for a rehearsal that stands."""
    try:
        settings: Settings | None = load_spec(home / DESK_FILE).settings(with_credentials=not rehearsal)
    except ConfigurationError:
        settings = None
    found = (Channel(ConsoleNotifier(output), spacing_seconds=0.0),)
    told = found if settings is None else channels(settings, output)
    return Post(home, rehearsal, settings, told, _now(home, rehearsal, last))


def _now(home: Path, rehearsal: bool, last: datetime) -> datetime:
    return wall_time() if not rehearsal else exchange_time(home) or last


def present(post: Post, last: datetime) -> datetime:
    """Return the desk's present: in rehearsal the exchange's, or that of the last record when it is gone."""
    return _now(post.home, post.rehearsal, last)


def sight(post: Post, ledger: Ledger, now: datetime) -> Sight:
    """Return what is seen at ``now``. Without a calendar, the session is the one that was planned.

    A rehearsal's minutes may last half a second: there, a journal that has grown since the last look is
    no silence.
    """
    plan = None if post.settings is None else emergency_plan(post.settings)
    quiet = _DEFAULT_QUIET if plan is None else timedelta(minutes=plan.quiet_minutes)
    trader = home_lock(post.home).held()
    grown, post.seen = -1 < post.seen < ledger.seq, ledger.seq
    if post.rehearsal and trader and grown:
        quiet = timedelta.max
    return Sight(now, _opened(post, ledger, now), trader, post.watching, quiet)


def _opened(post: Post, ledger: Ledger, now: datetime) -> datetime | None:
    sessions = None if post.settings is None else cached_calendar(post.home, post.settings)
    if sessions is None:
        return _by_plan(ledger, now)
    try:
        session = sessions.at_or_after(now.astimezone(ZoneInfo(sessions.timezone)).date())
    except OutsideCalendar:
        return _by_plan(ledger, now)
    return session.open if session.is_open(now) else None


def _by_plan(ledger: Ledger, now: datetime) -> datetime | None:
    """Return when the planned session opened, if its first and last planned tick lie around ``now``."""
    ticks = [at for name, at in ledger.planned if name == "intraday-tick"]
    return ticks[0] if ticks and ticks[0] <= now < ticks[-1] else None


def deliver_now(post: Post, journal: JournalPort, now: datetime) -> None:
    """Post what waits in the outbox: the session that should do so may be the one that died.

    Raises:
        MarketdayError: the journal could not be read or written.
    """
    lock = FileLock(post.home / "locks" / "outbox.lock")
    deliver(journal, post.channels, _Standing(now), lock, time.monotonic)


def post_past_the_journal(post: Post, alert: Alert) -> Sequence[str]:
    """Post an alert that cannot be journalled; return why some channels did not take it."""
    failures = []
    for channel in post.channels:
        try:
            channel.notifier.post(alert)
        except (Transient, Terminal) as error:
            failures.append(f"{channel.notifier.name}: {error}")
    return failures


@dataclass(frozen=True, slots=True)
class _Standing:
    """The clock of one delivery: the desk's present, which in rehearsal is not this machine's."""

    at: datetime

    def now(self) -> datetime:
        """Return the instant of the look that found something to tell."""
        return self.at


UNREADABLE = (MarketdayError, OSError)
"""What a journal that cannot be read raises."""
