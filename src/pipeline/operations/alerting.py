"""Alerts, from the journal to people. A tick only journals; everything slow or fragile happens here.

``raise_alert`` writes. ``deliver`` drains what was written through the notifiers, once. A
:class:`Deliverer` does so for as long as a session lives, in a thread of its own.

Each alert reaches every channel at least once: a process that dies between a post and its record posts again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from pipeline.domain.alert_catalogue import MAX_FIELDS, TITLE_LENGTH
from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.codec import encode
from pipeline.domain.formatting import shortened, time_of_day
from pipeline.domain.journal import Kind
from pipeline.domain.notification import NotifierUnavailable
from pipeline.errors import LockBusy, MarketdayError, Terminal, Transient
from pipeline.ports import Clock, JournalPort, Lock, Notifier

log = logging.getLogger(__name__)

SENT = "sent"
LONGEST_PAUSE_SECONDS = 30.0


def raise_alert(journal: JournalPort, alert: Alert) -> bool:
    """Journal ``alert`` unless its id was told before; return whether it is new. Posts nothing.

    Raises:
        AppendRefused, LockBusy, JournalCorrupt: as ``JournalPort.append``.
    """
    if alert.id in journal.read().told:
        return False
    journal.append(Kind.ALERT, encode(alert), alert.at)
    return True


@dataclass(slots=True)
class Channel:
    """One notifier, how often it may be used, and what it remembers.

    Attributes:
        spacing_seconds: least time between messages that are not CRITICAL. Slack takes one a second; a
            terminal takes as many as there are: 0, and nothing is merged.
        spaced_until, paused_until: instants of the monotonic clock; nothing is posted before the
            second, only CRITICAL before the first.
        failures: consecutive ones.
        done: what became of alerts that another channel still owes, by id.
    """

    notifier: Notifier
    spacing_seconds: float = 1.0
    spaced_until: float = float("-inf")
    paused_until: float = float("-inf")
    failures: int = 0
    done: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one pass did.

    Attributes:
        posted: messages that left; a merged one counts once.
        settled: alerts that every channel is through with.
        dropped: of these, the alerts that some channel refused for good.
        waiting: alerts that some channel still owes.
        failures: one sentence for each channel that did not take a message.
        busy: another process delivers; nothing was done.
    """

    posted: int = 0
    settled: int = 0
    dropped: int = 0
    waiting: int = 0
    failures: tuple[str, ...] = ()
    busy: bool = False


def deliver(
    journal: JournalPort,
    channels: Sequence[Channel],
    clock: Clock,
    lock: Lock,
    monotonic: Callable[[], float],
) -> DeliveryReport:
    """Post what the outbox holds, as far as each channel allows now, and return what was done.

    CRITICAL alerts go first, one message each, never merged and never spaced. Others are spaced and,
    when several of one event wait, merged. What a channel does not take stays in the outbox; what it
    refuses for good is recorded as dropped.

    Raises:
        MarketdayError: the journal could not be read or written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.hold(0.0))
        except LockBusy:
            return DeliveryReport(busy=True)
        # Copied in one step: the thread that ticks may fold into the same ledger.
        pending = tuple(journal.read().outbox.values())
        _forget(channels, pending)
        served = [_serve(channel, pending, monotonic) for channel in channels]
        settled = [alert for alert in pending if channels and _is_settled(alert, channels)]
        dropped = _record(journal, channels, settled, clock)
    return DeliveryReport(
        posted=sum(posted for posted, _ in served),
        settled=len(settled),
        dropped=dropped,
        waiting=len(pending) - len(settled),
        failures=tuple(failure for _, failure in served if failure),
    )


def _is_settled(alert: Alert, channels: Sequence[Channel]) -> bool:
    return all(alert.id in channel.done for channel in channels)


def _forget(channels: Sequence[Channel], pending: Sequence[Alert]) -> None:
    """Drop what is remembered of alerts that have left the outbox."""
    waiting = {alert.id for alert in pending}
    for channel in channels:
        channel.done = {key: outcome for key, outcome in channel.done.items() if key in waiting}


def _serve(channel: Channel, pending: Sequence[Alert], monotonic: Callable[[], float]) -> tuple[int, str]:
    """Post what one channel owes and return how many messages left and why it stopped, "" if it did not."""
    posted = 0
    for message in _messages([alert for alert in pending if alert.id not in channel.done], channel):
        now = monotonic()
        critical = message[0].severity is Severity.CRITICAL
        if now < channel.paused_until or (now < channel.spaced_until and not critical):
            continue
        failure = _post(channel, message, monotonic)
        if failure:
            return posted, failure
        posted += 1
    return posted, ""


def _messages(owed: Sequence[Alert], channel: Channel) -> list[tuple[Alert, ...]]:
    """Return the alerts of each message: critical ones first and alone, then the others, oldest first."""
    groups: dict[tuple[str, ...], list[Alert]] = {}
    for alert in sorted(owed, key=lambda one: one.severity is not Severity.CRITICAL):
        alone = alert.severity is Severity.CRITICAL or channel.spacing_seconds <= 0
        groups.setdefault((alert.id,) if alone else (alert.event, alert.mode), []).append(alert)
    return [tuple(group) for group in groups.values()]


def _post(channel: Channel, message: tuple[Alert, ...], monotonic: Callable[[], float]) -> str:
    """Post one message and return why the channel did not take it, "" when it is through with it."""
    outcome = SENT
    try:
        channel.notifier.post(merged(message))
    except Transient as error:
        channel.failures += 1
        channel.paused_until = monotonic() + _pause(error, channel.failures)
        return str(error)
    except Terminal as error:
        log.error("%s dropped %s: %s", channel.notifier.name, message[0].id, error)
        outcome = f"dropped: {error}"
    channel.failures = 0
    channel.spaced_until = monotonic() + channel.spacing_seconds
    channel.done.update({alert.id: outcome for alert in message})
    return ""


def merged(message: Sequence[Alert]) -> Alert:
    """Return one alert that stands for several of the same event: how many, the first, and what each was."""
    first = message[0]
    if len(message) == 1:
        return first
    title = shortened(f"{len(message)} × {first.title}", TITLE_LENGTH)
    text = f"{first.text} And {len(message) - 1} more, the last at {time_of_day(message[-1].at)}."
    fields = tuple((time_of_day(alert.at), alert.text) for alert in message[:MAX_FIELDS])
    return replace(first, title=title, text=text, fields=fields)


def _pause(error: Transient, failures: int) -> float:
    asked = error.retry_after if isinstance(error, NotifierUnavailable) else None
    backoff: float = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(failures - 1, 10))
    return backoff if asked is None else asked


def _record(journal: JournalPort, channels: Sequence[Channel], settled: Sequence[Alert], clock: Clock) -> int:
    """Journal what became of each alert on each channel and return how many alerts were dropped somewhere."""
    dropped = 0
    for alert in settled:
        outcomes = {channel.notifier.name: channel.done[alert.id] for channel in channels}
        for name, outcome in outcomes.items():
            journal.append(
                Kind.DELIVERED, {"alert_id": alert.id, "channel": name, "outcome": outcome}, clock.now()
            )
        dropped += any(outcome != SENT for outcome in outcomes.values())
    return dropped


class Deliverer:
    """Delivers in the background for as long as it is started. A daemon: it never keeps a process alive.

    Nothing that happens in it reaches the caller; ``last_error`` says what it could not do.
    """

    def __init__(
        self,
        journal: JournalPort,
        channels: Sequence[Channel],
        clock: Clock,
        lock: Lock,
        monotonic: Callable[[], float],
    ) -> None:
        self.last_error: MarketdayError | None = None
        self.dropped = 0
        self._pass = partial(deliver, journal, channels, clock, lock, monotonic)
        self._monotonic = monotonic
        self._idle = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliver-alerts", daemon=True)

    poll_seconds = 0.25

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """End the thread, waiting at most ``timeout_seconds`` for a post under way; the rest stays."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Deliver until nothing waits or the time is over; return whether nothing waits."""
        deadline = self._monotonic() + timeout_seconds
        while True:
            report = self._attempt()
            if report is not None and not report.busy and report.waiting == 0:
                return True
            left = deadline - self._monotonic()
            if left <= 0:
                return False
            self._idle.wait(min(self.poll_seconds, left))

    def _run(self) -> None:
        while not self._stopping.wait(self.poll_seconds):
            self._attempt()

    def _attempt(self) -> DeliveryReport | None:
        try:
            report = self._pass()
        except MarketdayError as error:
            log.error("alerts are waiting: %s", error)
            self.last_error = error
            return None
        self.dropped += report.dropped
        return report
