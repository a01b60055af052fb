"""The rules by which the exchange answers wrongly: one vocabulary for its client and its server.

A rule says which requests it concerns, when it strikes, and how the answer is spoiled. Windows are
in virtual time; the seconds of ``hang``, ``slow`` and ``drip`` are real ones.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.exchange.fields import Fields, fraction, instant, one_of, text, whole

LONGEST_WAIT = 120.0
"""Real seconds an answer may be held back: longer ones would outlive every client's deadline."""

INSTEAD = ("status", "html", "empty", "malformed", "truncated", "torn", "hang", "reset", "body", "late")
"""Kinds that stand for an answer, or for none; only they can strike before the effect."""

SPOILED = (
    "slow",
    "drip",
    "lag",
    "unknown_status",
    "drop_field",
    "extra_field",
    "rename_field",
    "wrong_type",
    "null_field",
    "replace_field",
)
"""Kinds that spoil the real answer, hence always after the effect."""

STREAM = ("stream_drop", "stream_mute", "stream_duplicate", "stream_reorder", "stream_skip", "stream_auth")
"""Kinds that concern the trade-updates socket."""

DATA = (
    "data_nan",
    "data_null",
    "data_zero",
    "data_negative",
    "data_crossed",
    "data_duplicate",
    "data_conflict",
    "data_disorder",
    "data_missing",
    "data_frozen",
    "data_spike",
    "data_stale",
    "data_partial",
    "data_unclosed",
    "data_naive",
)
"""Kinds that falsify market data; their window is the time of the bar."""

OUTAGE = "outage"
KINDS = (*INSTEAD, *SPOILED, *STREAM, *DATA, OUTAGE)

SCOPES = {
    "all": "",
    "trading": r"/v2/(account|orders|positions|clock|calendar|assets)",
    "data": r"/(v2/stocks|v1beta1|v1/corporate)",
}
"""What an outage can concern, as paths."""

_NEEDS_FIELD = ("drop_field", "extra_field", "rename_field", "wrong_type", "null_field", "replace_field")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One fault.

    Attributes:
        kind: one of :data:`KINDS`.
        id: by which it is removed; empty lets the exchange name it.
        method, path: which requests: empty for any; the path is a regular expression from its start.
        when: ``before`` the command has its effect, so that it has none, or ``after``.
        status, code, message, headers: of the answer, for the kinds that give one.
        seconds: real for hang, slow, drip and outage; virtual for late, lag and data_stale.
        count: how often it strikes, 0 for ever. None: once, or for ever when ``end`` or a
            probability bounds it, and for market data.
        skip: concerned requests that pass first.
        probability, seed: of each strike; the same seed and requests give the same strikes.
        start, end: virtual window, half-open; of bars for market data.
        field, value: dotted field of each JSON object that is spoiled, and what with.
        symbol, factor: of market data; empty for every symbol; the factor of a spike.
        scope: of an outage, one of :data:`SCOPES`.
    """

    kind: str
    id: str = ""
    method: str = ""
    path: str = ""
    when: str = "before"
    status: int = 0
    code: int = 0
    message: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    count: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    start: datetime | None = None
    end: datetime | None = None
    field: str = ""
    value: Any = None
    symbol: str = ""
    factor: float = 1.1
    scope: str = "all"

    @property
    def limit(self) -> int:
        """How often it strikes, 0 for ever."""
        if self.count is not None:
            return self.count
        bounded = self.end is not None or self.probability < 1 or self.kind in (*DATA, OUTAGE)
        return 0 if bounded else 1

    def to_json(self) -> dict[str, Any]:
        """Return it as the control port takes it: what differs from the defaults."""
        plain = FaultRule(kind=self.kind)
        values = {name: getattr(self, name) for name in self.__slots__}
        changed = {k: v for k, v in values.items() if k == "kind" or v != getattr(plain, k)}
        for name, key in (("start", "from"), ("end", "to")):
            moment = changed.pop(name, None)
            if moment is not None:
                changed[key] = moment.isoformat()
        return changed


def parse_rule(values: object) -> FaultRule:
    """Return the rule a JSON object describes.

    Raises:
        ConfigurationError: names the key, its value and the remedy.
    """
    fields = Fields("fault", values)
    rule = FaultRule(
        kind=fields.take("kind", one_of(*KINDS)),
        id=fields.take("id", _name, ""),
        method=fields.take("method", one_of("", "GET", "POST", "PATCH", "DELETE"), ""),
        path=fields.take("path", _pattern, ""),
        when=fields.take("when", one_of("before", "after"), "before"),
        status=fields.take("status", whole(200, 599), 0),
        code=fields.take("code", whole(0, 10**8), 0),
        message=fields.take("message", text, ""),
        headers=fields.take("headers", _headers, {}),
        seconds=fields.take("seconds", fraction(0.0, 10**7), 0.0),
        count=fields.maybe("count", whole(0, 10**9)),
        skip=fields.take("skip", whole(0, 10**9), 0),
        probability=fields.take("probability", fraction(0.0, 1.0), 1.0),
        seed=fields.take("seed", whole(0, 2**63 - 1), 0),
        start=fields.maybe("from", instant),
        end=fields.maybe("to", instant),
        field=fields.take("field", text, ""),
        value=fields.maybe("value", _anything),
        symbol=fields.take("symbol", text, ""),
        factor=fields.take("factor", fraction(0.0, 1000.0), 1.1),
        scope=fields.take("scope", one_of(*SCOPES), "all"),
    )
    fields.finish()
    _check(rule)
    return rule


def _check(rule: FaultRule) -> None:
    """Refuse what would silently do nothing, or for ever."""
    if rule.start and rule.end and rule.start >= rule.end:
        raise ConfigurationError("fault.to", rule.end.isoformat(), "must be after 'from'")
    if rule.kind in ("hang", "slow", "drip", OUTAGE) and rule.seconds > LONGEST_WAIT:
        raise ConfigurationError(
            "fault.seconds", rule.seconds, f"is in real seconds: give at most {LONGEST_WAIT:.0f}"
        )
    if rule.kind in ("hang", "slow", "drip", "late", "lag") and not rule.seconds:
        raise ConfigurationError("fault.seconds", None, f"is missing: say how long, for {rule.kind}")
    if rule.kind == "status" and not rule.status:
        raise ConfigurationError("fault.status", None, "is missing: say which, as in 504")
    if rule.kind in _NEEDS_FIELD and not rule.field:
        raise ConfigurationError("fault.field", None, "is missing: say which, as in 'filled_qty'")
    if rule.kind == "rename_field" and not isinstance(rule.value, str):
        raise ConfigurationError("fault.value", rule.value, "must be the field's new name")
    if rule.kind == "late" and (rule.method, rule.when) not in (("POST", "before"), ("", "before")):
        raise ConfigurationError("fault.method", rule.method, "a late order is a POST: leave it out")


def _name(value: Any) -> str:
    if not re.fullmatch(r"[\w.-]{1,64}", text(value)):
        raise ValueError("must be 1 to 64 letters, digits, '_', '.' or '-'")
    return str(value)


def _pattern(value: Any) -> str:
    try:
        return re.compile(text(value)).pattern
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error}), as in '/v2/orders$'") from error


def _headers(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str | int) for v in value.values()):
        raise TypeError('must be an object of texts, as in {"Retry-After": "3"}')
    return {str(name): str(content) for name, content in value.items()}


def _anything(value: Any) -> Any:
    return value
