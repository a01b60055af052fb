"""How the system did in a session: reconciliation, data, runs, checks, incidents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pipeline.domain.reports import (
    CheckLine,
    DataQuality,
    Event,
    Health,
    Mismatch,
    Reconciliation,
    RunLine,
    Scope,
)
from pipeline.operations import report_queries as ask
from pipeline.ports import Store

Row = Mapping[str, Any]
_SEVERITIES = {0: "notice", 1: "warning", 2: "warning", 3: "critical", 4: "critical"}


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _rows(store: Store, sql: str, *parameters: object) -> tuple[Row, ...]:
    return store.query(sql, parameters)


def load_reconciliation(store: Store, day: date) -> Reconciliation:
    """Return how often ledger and broker were compared and what was found. Raises StoreUnavailable."""
    done = _rows(store, ask.RECONCILIATIONS, day)[0]
    mismatches = tuple(
        Mismatch(
            _utc(row["occurred_at"]), row["kind"], row["symbol"], row["ledger"], row["broker"], row["detail"]
        )
        for row in _rows(store, ask.MISMATCHES, day)
    )
    last = None if done["last_at"] is None else _utc(done["last_at"])
    return Reconciliation(int(done["times"]), bool(done["clean"]), last, mismatches)


def load_data_quality(store: Store, scope: Scope, as_of: datetime) -> tuple[DataQuality, ...]:
    """Return each symbol's bars up to ``as_of``: expected, present, the longest hole."""
    session, length = scope.session, scope.timeframe.length
    until = min(session.close, max(session.open, as_of))
    expected = (until - session.open) // length
    if expected == 0:
        return ()
    asked = (scope.timeframe.value, session.open, until, int(length.total_seconds()))
    found = {row["symbol"]: row for row in _rows(store, ask.HOLES, *asked)}
    return tuple(_quality(symbol, expected, session.open, found.get(symbol)) for symbol in scope.symbols)


def _quality(symbol: str, expected: int, opened: datetime, row: Row | None) -> DataQuality:
    if row is None:
        return DataQuality(symbol, expected, 0, expected, opened)
    longest = int(row["longest"])
    return DataQuality(
        symbol, expected, int(row["present"]), longest, _utc(row["longest_at"]) if longest > 0 else None
    )


def load_health(store: Store, day: date, as_of: datetime) -> Health:
    """Return runs, checks, drivers and alerts of the session. Raises StoreUnavailable."""
    return Health(
        runs=tuple(RunLine(**row) for row in _rows(store, ask.RUNS, day, as_of)),
        checks=tuple(CheckLine(**row) for row in _rows(store, ask.CHECKS, day)),
        drivers=tuple((row["driver"], int(row["runs"])) for row in _rows(store, ask.DRIVERS, day)),
        alerts=tuple((row["severity"], int(row["alerts"])) for row in _rows(store, ask.ALERTS, day)),
        undelivered=int(_rows(store, ask.UNDELIVERED, day, as_of)[0]["alerts"]),
        retried=int(_rows(store, ask.SENT, day)[0]["retried"]),
    )


def load_states(store: Store, day: date) -> tuple[Event, ...]:
    """Return every change of the trading state. Raises StoreUnavailable."""
    return tuple(
        Event(
            _utc(row["occurred_at"]),
            row["state"],
            f"{row['reason']} ({row['changed_by']})",
            _SEVERITIES[int(row["level"])],
        )
        for row in _rows(store, ask.STATES, day)
    )


def load_locks(store: Store, as_of: datetime) -> tuple[tuple[str, str], ...]:
    """Return the symbols locked at ``as_of`` and why. Raises StoreUnavailable."""
    return tuple((row["symbol"], row["reason"]) for row in _rows(store, ask.LOCKS, as_of))
