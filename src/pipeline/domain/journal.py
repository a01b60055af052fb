"""What the journal holds: records, chained by hash so that no flip, loss or insertion goes unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

GENESIS = "0" * 64
"""What the first record names as its predecessor."""
_SEAL = b',"hash":"'
"""What stands between a line's content and its hash; the hash is of the bytes as they stand on the disk."""


class Kind(StrEnum):
    """What a record says. The payload's fields are given for each."""

    LEASE = "lease"  # epoch, owner, code, config, mode, account
    VERSION = "version"  # session, code, config, by, reason: the fingerprints that may trade this session
    OPENING = "opening"  # cash, positions: what the account held when the ledger began, or was rebalanced
    SESSION = "session"  # day, open, close, runs: [[procedure, instant], …]
    BASELINE = "baseline"  # day, day_equity, month_equity, peak_equity
    ENABLED = "enabled"  # day, go, entries, reason
    CLAIM = "claim"  # procedure, session, instant, driver
    RUN = "run"  # procedure, session, instant, outcome, reason, driver, summary
    STEP = "step"  # procedure, session, name, outcome, evidence
    TICK = "tick"  # session, instant, inputs, signals, prices
    VERDICT = "verdict"  # instant, symbol, side, purpose, asked, quantity, breaches, intent_id
    INTENT = "intent"  # the Intent
    SENDING = "sending"  # intent_id, quantity: what the gates left of it
    ACKED = "acked"  # intent_id, order_id
    UNKNOWN = "unknown"  # intent_id, reason
    REJECTED = "rejected"  # intent_id, code, reason
    ORDER = "order"  # intent_id, order_id, state, filled, raw_status
    CANCEL = "cancel"  # intent_id, reason
    VETOED = "vetoed"  # intent_id, reason: a planned or held intent that will never be sent
    FILL = "fill"  # the Fill
    EXTERNAL = "external"  # the Fill, intent_id "": an execution of an order that we did not make
    ADOPTED = "adopted"  # symbol, by, reason: its external executions become ours
    BALANCED = "balanced"  # symbol ("": cash alone), quantity, cost, cash, by, reason: as the broker holds it
    BUST = "bust"  # fill_id, reason, realized, external, unbooked, and the Fill that the broker took back
    SPLIT = "split"  # activity_id, symbol, numerator, denominator, at, rescale: what is held is in old shares
    CASH = "cash"  # the CashActivity
    SNAPSHOT = "snapshot"  # the Snapshot, and positions: {symbol: the Position}
    STATE = "state"  # state, reason, by, resume: whether a person released a latch
    SILENCE = "silence"  # broker, since (None: it answers again), failures
    RECONCILED = "reconciled"  # session, clean, discrepancies
    LOCK = "lock"  # symbol, reason (None: released), by: reconciliation, quarantine, or a person
    ALERT = "alert"  # the Alert
    DELIVERED = "delivered"  # alert_id, channel, outcome
    REPORT = "report"  # session, path, digest


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal.

    Attributes:
        seq: 1, 2, 3, …
        at: when it was written, UTC, by the clock of the desk.
        kind: what it says.
        epoch: the lease under which it was written, 0 when written without one.
        data: the payload, JSON-ready.
        prev, hash: the predecessor's hash and its own, hex SHA-256.
    """

    seq: int
    at: datetime
    kind: Kind
    epoch: int
    data: Mapping[str, Any]
    prev: str
    hash: str


def seal(record: Record) -> Record:
    """Return the record with its hash filled in."""
    return Record(
        record.seq, record.at, record.kind, record.epoch, record.data, record.prev, _hash(_body(record))
    )


def to_line(record: Record) -> bytes:
    """Return the record as one line of canonical JSON, newline included."""
    return _body(record)[:-1].encode() + _SEAL + f'{record.hash}"}}\n'.encode()


def from_line(line: bytes) -> Record:
    """Return the record a line holds.

    Raises:
        ValueError: the line is not a record, or its hash does not fit its content.
    """
    body, mark, tail = line.rpartition(_SEAL)
    digest = hashlib.sha256(body + b"}").hexdigest()
    if not mark:
        raise ValueError("not a record: it has no hash")
    if tail != f'{digest}"}}\n'.encode():
        raise ValueError("its hash does not fit its content")
    try:
        raw = json.loads(body + b"}")
        return Record(
            raw["seq"],
            datetime.fromisoformat(raw["at"]),
            Kind(raw["kind"]),
            raw["epoch"],
            raw["data"],
            raw["prev"],
            digest,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record: {error}") from error


def _body(record: Record) -> str:
    return json.dumps(
        {
            "seq": record.seq,
            "at": record.at.isoformat(),
            "kind": record.kind.value,
            "epoch": record.epoch,
            "data": record.data,
            "prev": record.prev,
        },
        sort_keys=False,
        ensure_ascii=True,
        separators=(",", ":"),
        allow_nan=False,
    )


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
