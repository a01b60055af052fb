"""The faults in force: which of them strikes a request, the same ones for the same requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.exchange.fault_rules import DATA, OUTAGE, SCOPES, STREAM, FaultRule
from pipeline.exchange.orders import not_found, to_datetime, to_instant

_ALWAYS = 2**62


@dataclass(slots=True)
class Standing:
    """A rule in force, and how often it was asked and struck.

    Attributes:
        since, until: microseconds of virtual time, half-open.
    """

    rule: FaultRule
    since: int
    until: int
    seen: int = 0
    hits: int = 0

    def holds(self, now: int) -> bool:
        """Tell whether it may strike at an instant."""
        return self.since <= now < self.until and not (0 < self.rule.limit <= self.hits)

    def strike(self) -> bool:
        """Count one concerned request and tell whether it is struck."""
        self.seen += 1
        rule = self.rule
        if self.seen <= rule.skip or 0 < rule.limit <= self.hits:
            return False
        if rule.probability < 1 and draw(rule.seed, f"{rule.id}/{self.seen}") >= rule.probability:
            return False
        self.hits += 1
        return True

    def falsify(self) -> bool:
        """Count one answer with market data and tell whether it is falsified; chance is drawn per bar."""
        self.seen += 1
        if self.seen <= self.rule.skip or 0 < self.rule.limit <= self.hits:
            return False
        self.hits += 1
        return True

    def concerns(self, method: str, path: str) -> bool:
        """Tell whether a request is one it is about."""
        rule = self.rule
        if method != (_OWN_METHOD.get(rule.kind) or rule.method or method):
            return False
        if rule.kind == OUTAGE:
            return re.match(SCOPES[rule.scope], path) is not None
        return re.match(rule.path or _OWN_PATH.get(rule.kind, ""), path) is not None


_OWN_METHOD = {"late": "POST", "lag": "GET"}
_OWN_PATH = {"late": "/v2/orders$", "lag": "/v2/positions$", "unknown_status": "/v2/orders"}


class FaultBook:
    """Every rule in force, oldest first. Its state follows from what it was told, in order."""

    def __init__(self) -> None:
        self._standing: dict[str, Standing] = {}
        self._named = 0

    def __bool__(self) -> bool:
        return bool(self._standing)

    def __contains__(self, standing: object) -> bool:
        return any(standing is held for held in self._standing.values())

    def name(self, rule: FaultRule) -> FaultRule:
        """Return the rule with an id. Raises ConfigurationError when another has it."""
        if rule.id in self._standing:
            raise ConfigurationError("fault.id", rule.id, "is in force already: remove it, or choose another")
        if rule.id:
            return rule
        number = self._named + 1
        while f"fault-{number}" in self._standing:
            number += 1
        return replace(rule, id=f"fault-{number}")

    def add(self, rule: FaultRule, now: int) -> None:
        """Put a rule that has an id in force."""
        self._named += 1
        since = to_instant(rule.start) if rule.start else now
        until = to_instant(rule.end) if rule.end else _ALWAYS
        self._standing[rule.id] = Standing(rule, since, until)

    def remove(self, fault_id: str) -> None:
        """Take a rule out of force; all of them for an empty id. Raises Refused (404)."""
        if not fault_id:
            self._standing.clear()
        elif self._standing.pop(fault_id, None) is None:
            known = ", ".join(self._standing) or "none is in force"
            raise not_found(f"no fault {fault_id!r}: {known}")

    def restore(self, fault_id: str, seen: int, hits: int) -> None:
        """Count again what was counted before a restart."""
        standing = self._standing.get(fault_id)
        if standing is not None:
            standing.seen, standing.hits = seen, hits

    def of_request(self, method: str, path: str, now: int) -> Standing | None:
        """Return the oldest rule that strikes a request."""
        for standing in self._standing.values():
            if standing.rule.kind in STREAM or standing.rule.kind in DATA:
                continue
            if standing.holds(now) and standing.concerns(method, path) and standing.strike():
                return standing
        return None

    def of_data(self, path: str, now: int) -> list[Standing]:
        """Return the rules that falsify an answer with market data; their window is the bars' time."""
        return [
            standing
            for standing in self._standing.values()
            if standing.rule.kind in DATA
            and standing.since <= now
            and re.match(standing.rule.path or "/v2/stocks", path)
            and standing.falsify()
        ]

    def of_stream(self, kinds: Iterable[str], before: int, now: int) -> Standing | None:
        """Return the oldest stream rule of the kinds that strikes in ``(before, now]``."""
        for standing in self._standing.values():
            rule = standing.rule
            kind = "stream_drop" if rule.kind == OUTAGE and rule.scope != "data" else rule.kind
            if kind in kinds and standing.since <= now and standing.until > before:
                held = standing.holds(now) or standing.since > before
                if held and standing.strike():
                    return standing
        return None

    def has_streams(self) -> bool:
        """Tell whether any rule concerns the socket."""
        return any(s.rule.kind in (*STREAM, OUTAGE) for s in self._standing.values())

    def to_json(self) -> list[dict[str, Any]]:
        """Return every rule with its counters."""
        return [
            {"from": to_datetime(s.since).isoformat()} | s.rule.to_json() | {"seen": s.seen, "hits": s.hits}
            for s in self._standing.values()
        ]


def draw(seed: int, name: str) -> float:
    """Return a number in [0, 1) that depends on its arguments only."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big") / 2**64
