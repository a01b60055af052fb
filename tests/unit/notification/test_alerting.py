"""The outbox: once, in order of urgency, never in a tick's way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.alerts import Alert
from pipeline.domain.journal import Kind
from pipeline.domain.notification import AlertUndeliverable, NotifierUnavailable
from pipeline.errors import MarketdayError
from pipeline.operations.alerting import Channel, Deliverer, DeliveryReport, deliver, raise_alert

AT = datetime(2013, 10, 7, 14, tzinfo=UTC)


@dataclass
class Time:
    """Both clocks of a test."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return AT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Recorder:
    """A notifier that keeps what it is given, or raises what it is told to."""

    name: str = "recorder"
    error: MarketdayError | None = None
    posts: list[Alert] = field(default_factory=list)

    def post(self, alert: Alert) -> None:
        if self.error is not None:
            raise self.error
        self.posts.append(alert)


@dataclass
class Desk:
    """A journal, its lock and the time."""

    journal: FileJournal
    lock: FileLock
    time: Time = field(default_factory=Time)

    def deliver(self, *channels: Channel) -> DeliveryReport:
        return deliver(self.journal, channels, self.time, self.lock, self.time.monotonic)

    def outcomes(self) -> list[tuple[str, str]]:
        records = self.journal.records()
        return [(r.data["channel"], r.data["outcome"]) for r in records if r.kind is Kind.DELIVERED]


def a_journal(path: Path) -> FileJournal:
    return FileJournal(path, FileLock(path.with_suffix(".lock")))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(
        a_journal(tmp_path / "journal.jsonl"),
        FileLock(tmp_path / "deliver.lock"),
    )


def an_alert(event: str = "poor_execution", subject: str = "SPY", second: int = 0) -> Alert:
    return alert(event, subject, f"{subject} at {second} s.", AT + timedelta(seconds=second), "SIM")


def test_the_same_alert_is_told_once(desk: Desk) -> None:
    """Journalled once, posted once, and gone from the outbox: also for a reader that starts afresh."""
    recorder = Recorder()

    assert [raise_alert(desk.journal, an_alert()) for _ in range(3)] == [True, False, False]
    reports = [desk.deliver(Channel(recorder)) for _ in range(3)]

    assert reports == [DeliveryReport(posted=1, settled=1), DeliveryReport(), DeliveryReport()]
    assert recorder.posts == [an_alert()]
    assert desk.outcomes() == [("recorder", "sent")]
    assert a_journal(desk.journal.path).read().outbox == {}


def test_a_storm_is_merged_and_spaced_but_critical_alerts_go_out_first_and_each(desk: Desk) -> None:
    """100 warnings of one event and 2 halts: the halts at once, the others as one a second later."""
    recorder = Recorder()
    channel = Channel(recorder, spacing_seconds=1.0)
    for second in range(100):
        raise_alert(desk.journal, an_alert(second=second))
    for second in range(2):
        raise_alert(desk.journal, an_alert("trading_halted", "", second))

    at_once = desk.deliver(channel)
    desk.time.seconds = 0.9
    raise_alert(desk.journal, an_alert("trading_halted", "", 100))
    too_soon = desk.deliver(channel)
    desk.time.seconds = 1.9
    a_second_later = desk.deliver(channel)

    assert at_once == DeliveryReport(posted=2, settled=2, waiting=100)
    assert too_soon == DeliveryReport(posted=1, settled=1, waiting=100)
    assert a_second_later == DeliveryReport(posted=1, settled=100)
    assert [post.title for post in recorder.posts] == [
        "Trading is halted",
        "Trading is halted",
        "Trading is halted",
        "100 × Poor execution in SPY",
    ]
    assert recorder.posts[3].text == "SPY at 0 s. And 99 more, the last at 10:01:39 ET."
    assert len(recorder.posts[3].fields) == 10


def test_a_terminal_gets_every_alert_as_it_is(desk: Desk) -> None:
    """Spacing 0: nothing is merged and nothing waits."""
    recorder = Recorder()
    for second in range(5):
        raise_alert(desk.journal, an_alert(second=second))

    desk.deliver(Channel(recorder, spacing_seconds=0.0))

    assert recorder.posts == [an_alert(second=second) for second in range(5)]


def test_a_channel_that_asks_for_patience_gets_it_and_the_other_is_not_told_twice(desk: Desk) -> None:
    """Slack says 429 with 7 s: at 6 s it is left alone, at 7 s it gets it; the console has it already."""
    slack = Recorder("slack", NotifierUnavailable("slack", "429", 7.0))
    console = Recorder("console")
    channels = (Channel(console, 0.0), Channel(slack))
    raise_alert(desk.journal, an_alert())

    failed = desk.deliver(*channels)
    slack.error = None
    desk.time.seconds = 6.0
    patient = desk.deliver(*channels)
    desk.time.seconds = 7.0
    done = desk.deliver(*channels)

    assert failed == DeliveryReport(
        posted=1, waiting=1, failures=(str(NotifierUnavailable("slack", "429", 7.0)),)
    )
    assert patient == DeliveryReport(waiting=1)
    assert done == DeliveryReport(posted=1, settled=1)
    assert (len(console.posts), len(slack.posts)) == (1, 1)
    assert desk.outcomes() == [("console", "sent"), ("slack", "sent")]


def test_failures_without_a_word_back_off_by_doubling_to_thirty_seconds(desk: Desk) -> None:
    """Pauses of 1, 2, 4, 8, 16, 30, 30 s, and one second again after a success."""
    slack = Recorder("slack", NotifierUnavailable("slack", "500"))
    channel = Channel(slack)
    raise_alert(desk.journal, an_alert())
    pauses = []
    for _ in range(7):
        desk.deliver(channel)
        pauses.append(channel.paused_until - desk.time.seconds)
        desk.time.seconds = channel.paused_until
    slack.error = None
    desk.deliver(channel)

    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert (channel.failures, len(slack.posts)) == (0, 1)


def test_what_a_channel_refuses_for_good_is_recorded_and_does_not_hold_up_the_rest(desk: Desk) -> None:
    """A webhook that is gone: dropped with its reason, counted, and the console still hears of it."""
    gone = Recorder("slack", AlertUndeliverable("slack", "404 no_service", "Create a new one."))
    console = Recorder("console")
    raise_alert(desk.journal, an_alert("trading_halted", ""))

    report = desk.deliver(Channel(gone), Channel(console, 0.0))

    assert report == DeliveryReport(posted=2, settled=1, dropped=1)
    assert len(console.posts) == 1
    assert desk.outcomes() == [
        ("slack", "dropped: slack refused the message: 404 no_service. Create a new one."),
        ("console", "sent"),
    ]


def test_a_second_deliverer_returns_at_once(desk: Desk) -> None:
    """While another holds the lock nothing is posted twice, and nobody waits."""
    recorder = Recorder()
    raise_alert(desk.journal, an_alert())

    with FileLock(desk.lock.path).hold(0.0):
        began = time.perf_counter()
        report = desk.deliver(Channel(recorder))
        took = time.perf_counter() - began

    assert report == DeliveryReport(busy=True)
    assert (recorder.posts, took < 0.1) == ([], True)


def test_without_a_channel_alerts_wait(desk: Desk) -> None:
    """Nothing is thrown away because nobody was configured to listen."""
    raise_alert(desk.journal, an_alert())

    assert desk.deliver() == DeliveryReport(waiting=1)
    assert len(desk.journal.read().outbox) == 1


def test_the_background_deliverer_posts_while_appends_never_wait_for_a_slow_channel(tmp_path: Path) -> None:
    """The channel takes 0.3 s a message; 20 appends meanwhile take far less than one message."""

    class Slow(Recorder):
        def post(self, alert: Alert) -> None:
            time.sleep(0.3)
            super().post(alert)

    slow = Slow()
    journal, clock = a_journal(tmp_path / "journal.jsonl"), Time()
    deliverer = Deliverer(
        journal, (Channel(slow, 0.0),), clock, FileLock(tmp_path / "deliver.lock"), time.monotonic
    )
    deliverer.poll_seconds = 0.01
    deliverer.start()
    raise_alert(journal, an_alert("trading_halted", ""))
    time.sleep(0.05)
    began = time.perf_counter()
    for second in range(20):
        raise_alert(journal, an_alert("go", "", second))
    took = time.perf_counter() - began
    impatient = deliverer.flush(0.05)
    deliverer.stop()

    assert took < 0.3
    assert not impatient
    assert slow.posts[0].event == "trading_halted"
    assert deliverer.last_error is None


def test_flush_returns_when_everybody_has_heard(tmp_path: Path) -> None:
    """Two alerts, one channel: flush says True and the outbox is empty."""
    journal, lock = (
        a_journal(tmp_path / "journal.jsonl"),
        FileLock(tmp_path / "deliver.lock"),
    )
    deliverer = Deliverer(journal, (Channel(Recorder(), 0.0),), Time(), lock, time.monotonic)
    raise_alert(journal, an_alert())
    raise_alert(journal, an_alert(second=1))

    assert deliverer.flush(1.0)
    assert journal.read().outbox == {}
