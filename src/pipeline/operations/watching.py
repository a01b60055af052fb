"""The watchdog's eyes: what is wrong with a desk that should be trading, from its journal alone. Pure.

It needs neither Prefect nor broker nor store, and is no part of the session it watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain.alert_catalogue import alert
from pipeline.domain.formatting import count, duration, time_of_day
from pipeline.domain.ledger import Ledger
from pipeline.domain.stops import unconfirmed
from pipeline.operations.alerting import raise_alert
from pipeline.operations.cancelling import CONFIRMED_WITHIN
from pipeline.operations.telling import hourly
from pipeline.ports import JournalPort


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen at one instant, beside the ledger.

    Attributes:
        now: by the desk's clock; taken before the ledger is read, so that no tick is missed for it.
        opened: when the session that is on opened, UTC; None while the exchange is closed.
        trader: whether a session process holds the home.
        watching: when the watching began: what was missed before is not held against a desk just started.
        quiet: how long no tick may be journalled while the session is open.
    """

    now: datetime
    opened: datetime | None
    trader: bool
    watching: datetime
    quiet: timedelta


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person must look at: an event of the catalogue, and what was seen."""

    event: str
    sentence: str


def alarms(ledger: Ledger, sight: Sight) -> tuple[Alarm, ...]:
    """Return what is wrong now, the most urgent last; nothing when all is well."""
    return tuple(_alarms(ledger, sight))


def _alarms(ledger: Ledger, sight: Sight) -> Iterator[Alarm]:
    silent = _without_tick(ledger, sight)
    died = sight.opened is not None and not sight.trader and _session_ran(ledger, sight.opened)
    if silent is not None:
        text = f"No tick was journalled for {duration(silent.total_seconds())}"
        yield Alarm("no_tick", f"{text} (limit {duration(sight.quiet.total_seconds())}); {_last(ledger)}.")
    if died:
        yield Alarm("session_died", f"It traded this session and no process holds the desk; {_last(ledger)}.")
    if ledger.positions and (died or silent is not None):
        held = f"{count(len(ledger.positions), 'position')}: {', '.join(sorted(ledger.positions)[:5])}"
        yield Alarm("positions_unwatched", f"{held}. No stop is executed until somebody trades again.")
    left = unconfirmed(ledger.open_lives, ledger.state)
    if left and sight.now - ledger.state.at > CONFIRMED_WITHIN:
        text = f"{count(len(left), 'order')} may still be executed {duration_since(ledger, sight)} after"
        yield Alarm("cancel_unconfirmed", f"{text} {ledger.state.state.name}: {ledger.state.reason}.")


def duration_since(ledger: Ledger, sight: Sight) -> str:
    """Return how long ago the trading state was entered, for people."""
    return duration((sight.now - ledger.state.at).total_seconds())


def _without_tick(ledger: Ledger, sight: Sight) -> timedelta | None:
    """Return how long no tick was journalled while the session is open, or None while that is in order."""
    if sight.opened is None:
        return None
    begin = max(sight.opened, sight.watching) if sight.trader else sight.opened
    last = begin if ledger.last_tick is None else max(ledger.last_tick, begin)
    silent = sight.now - last
    return silent if silent > sight.quiet else None


def _session_ran(ledger: Ledger, opened: datetime) -> bool:
    """Tell whether a session process took part in this session: ticks may also come from elsewhere."""
    since = opened - timedelta(hours=12)
    return any(at >= since and driver.startswith("session") for (_, at), driver in ledger.claims.items())


def _last(ledger: Ledger) -> str:
    return "none ever was" if ledger.last_tick is None else f"the last was at {time_of_day(ledger.last_tick)}"


def raise_alarms(journal: JournalPort, found: Iterable[Alarm], now: datetime, badge: str) -> int:
    """Journal an alert of each alarm, once an hour while it lasts; return how many are new."""
    return sum(raise_alert(journal, hourly(alert(one.event, "", one.sentence, now, badge))) for one in found)
