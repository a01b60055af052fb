"""Incidents as a time line: what happened, and how it ended, of a session or of all. From the store alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.domain.formatting import (
    NEW_YORK,
    count,
    duration,
    long_date,
    money,
    quantity,
    signed_money,
    time_of_day,
)
from pipeline.domain.money import to_money, to_qty
from pipeline.domain.reports import Event
from pipeline.operations import report_queries as ask
from pipeline.ports import Store

Row = Mapping[str, Any]

_REDUCING = 2
"""Level of the trading state from which on people look up (NORMAL 0 … LIQUIDATING 4)."""

_SILENT = "did not answer"
"""What stands in the reason of a run that failed for a silent broker."""

_ONCE = {"check": "failed check", "run": "failed run", "rejected_order": "rejected order"}
"""Incidents that have no end of their own."""


def load_incidents(store: Store, day: date, zone: str = NEW_YORK) -> tuple[Event, ...]:
    """Return what happened in a session, oldest first, each with its end. Raises StoreUnavailable."""
    return _happened(store, (day, day), zone)


def load_all_incidents(store: Store, zone: str = NEW_YORK) -> tuple[Event, ...]:
    """Return what happened in all sessions, and before the first, as :func:`load_incidents` does of one."""
    return _happened(store, (date.min, date.max), zone)


def _happened(store: Store, days: tuple[date, date], zone: str) -> tuple[Event, ...]:
    rows: dict[str, Sequence[Row]] = {
        name: store.query(sql, days[:1] if name == "ends" else days) for name, sql in ask.HAPPENED.items()
    }
    silences = tuple(_silences(rows["silences"]))
    others = [row for row in rows["others"] if not any(_failed_in(row, one) for one in silences)]
    found = [
        *(_outage(one, rows["others"], zone) for one in silences),
        *_stops(rows["states"], zone),
        *_external(rows["external"], rows["ends"], zone),
        *_money(rows["money"]),
        *_splits(rows["splits"]),
        *_breaks(rows["comparisons"], zone),
        *_unknown(rows["unknown"], zone),
        *_others(others, zone),
    ]
    return tuple(sorted(found, key=lambda event: event.at))


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _clock(value: datetime, zone: str) -> str:
    return time_of_day(_utc(value), zone)


def _end(began: datetime, ended: datetime, zone: str) -> str:
    """Return the time of day, after its date when that is another one."""
    first, last = (each.astimezone(ZoneInfo(zone)).date() for each in (began, ended))
    return _clock(ended, zone) if first == last else f"{long_date(last)} {_clock(ended, zone)}"


@dataclass(frozen=True, slots=True)
class _Silence:
    """From the first call without an answer to the next answer, None when none came; and how many calls."""

    since: datetime
    until: datetime | None
    calls: int


def _silences(rows: Sequence[Row]) -> Iterator[_Silence]:
    """One outage is every silence until the broker answers again."""
    since: datetime | None = None
    calls = 0
    for row in rows:
        if row["since"] is not None:
            since, calls = since or row["since"], max(calls, int(row["failures"]))
        elif since is not None:
            yield _Silence(since, row["occurred_at"], calls)
            since, calls = None, 0
    if since is not None:
        yield _Silence(since, None, calls)


def _failed_in(row: Row, silence: _Silence) -> bool:
    """Tell whether an incident is a run that failed for the silence: it is told with it."""
    if row["kind"] != "run" or _SILENT not in (row["text"] or ""):
        return False
    at: datetime = row["occurred_at"]
    return silence.since <= at and (silence.until is None or at <= silence.until)


def _outage(silence: _Silence, others: Sequence[Row], zone: str) -> Event:
    failed = sum(_failed_in(row, silence) for row in others)
    why = f"{silence.calls} calls in a row without an answer"
    if failed:
        why = f"{why}, {count(failed, 'run')} failed for it"
    ended = ""
    if silence.until is not None:
        lasted = duration((silence.until - silence.since).total_seconds())
        ended = f"answered again {_end(silence.since, silence.until, zone)}, after {lasted}"
    return Event(_utc(silence.since), "the broker was silent", why, "warning", ended)


def _stops(rows: Sequence[Row], zone: str) -> Iterator[Event]:
    """A stop lasts until the state is a lesser one; an escalation is an incident of its own."""
    for index, row in enumerate(rows):
        level = int(row["level"])
        if level < _REDUCING:
            continue
        after = next((later for later in rows[index + 1 :] if int(later["level"]) != level), None)
        ended = ""
        if after is not None:
            verb = "resumed" if after["resume"] else f"then {after['state']}"
            then = _end(row["occurred_at"], after["occurred_at"], zone)
            ended = f"{verb} {then}: {after['reason']} ({after['changed_by']})"
        severity = "critical" if level > _REDUCING else "warning"
        why = f"{row['reason']} ({row['changed_by']})"
        yield Event(_utc(row["occurred_at"]), f"trading {row['state']}", why, severity, ended)


def _external(rows: Sequence[Row], ends: Sequence[Row], zone: str) -> Iterator[Event]:
    """An execution by somebody else, or one taken back, ends when a person, or equal books, released it."""
    for row in rows:
        traded = f"{row['side']} {quantity(to_qty(row['quantity']))} {row['symbol']} at {row['price']:.2f}"
        if row["what"] == "bust":
            why = f"{traded}: {row['reason']}"
            ended = "position, cash and profit were restated"
            yield Event(_utc(row["occurred_at"]), "execution taken back", why, "critical", ended)
            continue
        later = (end for end in ends if end["seq"] > row["seq"])
        after = next((end for end in later if end["symbol"] == row["symbol"]), None)
        ended = ""
        if after is not None:
            ended = f"{after['how']} {_end(row['occurred_at'], after['occurred_at'], zone)}{after['why']}"
        why = f"{traded}, by order {row['reason']}"
        yield Event(_utc(row["occurred_at"]), "somebody else traded", why, "warning", ended)
    for end in ends:
        if end["how"] == "balanced":
            why = f"{end['symbol'] or 'cash'}{end['why']}"
            ended = f"{signed_money(to_money(end['residual']))} unexplained, shown as residual"
            yield Event(_utc(end["occurred_at"]), "books balanced by hand", why, "warning", ended)


def _money(rows: Sequence[Row]) -> Iterator[Event]:
    for row in rows:
        amount = to_money(row["amount"])
        if row["owner_money"]:
            what = "deposit" if amount > 0 else "withdrawal"
            yield Event(
                _utc(row["occurred_at"]),
                what,
                f"{money(abs(amount))} ({row['kind']})",
                "notice",
                "booked; baselines moved with it",
            )
        else:
            booked = "booked as profit and loss"
            named = row["description"] or row["kind"]
            yield Event(
                _utc(row["occurred_at"]), row["kind"], f"{signed_money(amount)}: {named}", "notice", booked
            )


def _splits(rows: Sequence[Row]) -> Iterator[Event]:
    for row in rows:
        why = f"{row['symbol']} {row['numerator']}:{row['denominator']} ({row['activity_id']})"
        yield Event(
            _utc(row["occurred_at"]),
            "split",
            why,
            "notice",
            "position, entry and stop counted anew; cost as it was",
        )


def _breaks(rows: Sequence[Row], zone: str) -> Iterator[Event]:
    """Books that differ do so until the next comparison that finds them equal."""
    began: Row | None = None
    for row in rows:
        if not row["clean"]:
            began = began or row
        elif began is not None:
            yield _break(began, f"equal again {_end(began['occurred_at'], row['occurred_at'], zone)}")
            began = None
    if began is not None:
        yield _break(began, "")


def _break(row: Row, ended: str) -> Event:
    first = f"{row['kind']} {row['symbol']}".strip()
    why = f"{first}: ledger {row['ledger']}, broker {row['broker']}"
    return Event(_utc(row["occurred_at"]), "ledger and broker differed", why, "critical", ended)


def _unknown(rows: Sequence[Row], zone: str) -> Iterator[Event]:
    for row in rows:
        ended = ""
        if row["state"] is not None:
            ended = f"{row['state']} {_end(row['occurred_at'], row['ended_at'], zone)}"
        what = f"outcome of {row['symbol']} order unknown"
        yield Event(_utc(row["occurred_at"]), what, row["detail"], "warning", ended)


def _others(rows: Sequence[Row], zone: str) -> Iterator[Event]:
    """What fails again and again for one reason, with nothing else between, is told once."""
    for _, same in groupby(rows, key=lambda row: (row["kind"], row["text"], row["occurred_at"].date())):
        alike = tuple(same)
        first, last = alike[0], alike[-1]
        subjects = ", ".join(dict.fromkeys(row["subject"] for row in alike))
        what = f"{_ONCE.get(first['kind'], first['kind'])}: {subjects}"
        again = "" if len(alike) == 1 else f"{len(alike)} times, the last {_clock(last['occurred_at'], zone)}"
        yield Event(_utc(first["occurred_at"]), what, first["text"] or "", first["severity"], again)
