"""Fault scripts: a day's troubles in a YAML file, carried out by the exchange in virtual time::

    name: A bad day
    seed: 7                          # of probabilities, unless a fault has its own
    entries:
      - at: "10:15"                  # exchange time; also "open" and "close"
        session: 1                   # of the rehearsal, 1 by default
        duration: 90s                # also 6m, 1h, or seconds
        fault: {kind: outage}        # as of POST /faults, without from and to
      - at: "11:00"
        change: {kind: deposit, amount: 5000}    # as of POST /changes, without at
      - at: "10:25"
        operator: resume             # for a person, or who plays one: told, not carried out
        reason: the line is back

A change with a duration is taken back at its end, where it can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from pipeline.domain.session import Session
from pipeline.errors import ConfigurationError
from pipeline.exchange.changes import KINDS, read_change
from pipeline.exchange.fault_rules import FaultRule, parse_rule
from pipeline.exchange.fields import Fields, one_of, text, whole
from pipeline.exchange.orders import Refused

VERBS = ("halt", "flatten", "resume", "adopt", "balance", "lock", "unlock", "veto", "accept", "reconcile")
"""What a person may do in a script: verbs of the ``marketday`` command."""

_TAKEN_BACK: Mapping[str, Mapping[str, Any]] = {
    "cancels": {"mode": "normal"},
    "clock": {},
    "account": {"reset": True},
    "asset": {"reset": True},
}
"""Changes that a duration ends, and what ends them."""

_UNTIL = ("halt_symbol", "closure")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MOST_SESSIONS = 1_000


class _Loader(yaml.SafeLoader):
    """YAML without dates: an instant stays the text that was written, as JSON has it."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML reads this very attribute
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """Something a person does at an instant: a verb, its arguments, the reason given."""

    at: datetime
    verb: str
    arguments: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A change of what is true at an instant; ``body`` as of ``POST /changes``."""

    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A script laid upon sessions: everything with its instant, in order of the script."""

    faults: tuple[FaultRule, ...]
    changes: tuple[Planned, ...]
    operator: tuple[OperatorAct, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a script.

    Attributes:
        at: ``open``, ``close``, or a time of day.
        session: from 1.
        duration: None when it has none.
        what: the rule, the change's JSON, or verb, arguments and reason.
        where: file and line.
    """

    at: str | time
    session: int
    duration: timedelta | None
    what: FaultRule | Mapping[str, Any] | tuple[str, ...]
    where: str

    def instant(self, sessions: Sequence[Session], zone: ZoneInfo) -> datetime:
        """Return when it happens. Raises ConfigurationError: there is no such session."""
        if self.session > len(sessions):
            remedy = f"the rehearsal has {len(sessions)} sessions"
            raise ConfigurationError("session", self.session, remedy, self.where)
        session = sessions[self.session - 1]
        if isinstance(self.at, time):
            return datetime.combine(session.day, self.at, zone)
        return session.open if self.at == "open" else session.close


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it is written; its ``name``, that of its file, begins the ids of its faults."""

    name: str
    entries: tuple[Entry, ...]

    def schedule(self, sessions: Sequence[Session], timezone: str) -> Schedule:
        """Return it laid upon the sessions of a rehearsal, the first of them first.

        Raises:
            ConfigurationError: an entry is for a session that is not there; names the line.
        """
        zone = ZoneInfo(timezone)
        faults: list[FaultRule] = []
        changes: list[Planned] = []
        acts: list[OperatorAct] = []
        for number, entry in enumerate(self.entries, 1):
            at = entry.instant(sessions, zone)
            if isinstance(entry.what, FaultRule):
                name = entry.what.id or f"{self.name}-{number}"
                if any(name == rule.id for rule in faults):
                    raise ConfigurationError("fault.id", name, "is taken by another fault", entry.where)
                end = at + entry.duration if entry.duration else None
                faults.append(replace(entry.what, id=name, start=at, end=end))
            elif isinstance(entry.what, tuple):
                verb, *arguments, reason = entry.what
                acts.append(OperatorAct(at, verb, tuple(arguments), reason))
            else:
                changes += _planned(entry.what, at, entry.duration)
        return Schedule(tuple(faults), tuple(changes), tuple(acts))


def load_script(path: Path) -> Script:
    """Return the script in a file.

    Raises:
        ConfigurationError: names file and line, key, value and remedy.
    """
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigurationError("faults", str(path), f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError("faults", str(path), f"is not YAML: {error}") from error
    top = _members(root, str(path))
    try:
        fields = Fields("script", top)
        seed = fields.take("seed", lambda node: whole(0, 2**63 - 1)(_value(node)), 0)
        fields.take("name", lambda node: text(_value(node)), path.stem)
        listed = fields.take("entries", _listed)
        fields.finish()
    except ConfigurationError as error:
        raise _located(error, str(path)) from error
    return Script(re.sub(r"[^\w.-]", "-", path.stem)[:48], tuple(_entry(node, seed, path) for node in listed))


def _entry(node: yaml.Node, seed: int, path: Path) -> Entry:
    where = f"{path}:{node.start_mark.line + 1}"
    members = _members(node, where)
    try:
        fields = Fields("entry", members)
        at = fields.take("at", _time)
        session = fields.take("session", lambda found: whole(1, _MOST_SESSIONS)(_value(found)), 1)
        duration = fields.maybe("duration", _duration)
        what = _what(fields, members, seed)
        fields.finish()
    except ConfigurationError as error:
        raise _located(error, where) from error
    except Refused as error:
        raise ConfigurationError("change", _value(members["change"]), error.message, where) from error
    _check_duration(duration, what, where)
    return Entry(at, session, duration, what, where)


def _listed(node: yaml.Node) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise ValueError("must be a list of what happens, and when")
    return list(node.value)


def _located(error: ConfigurationError, where: str) -> ConfigurationError:
    """Return the error with its place, and a value for people."""
    return ConfigurationError(error.key, _value(error.value), error.remedy, where)


def _what(
    fields: Fields, members: Mapping[str, yaml.Node], seed: int
) -> FaultRule | Mapping[str, Any] | tuple[str, ...]:
    """Return the one thing an entry says. Raises ConfigurationError, Refused."""
    named = [name for name in ("fault", "change", "operator") if name in members]
    if len(named) != 1:
        raise ConfigurationError("entry", named or None, "must say one of fault, change and operator")
    value = fields.take(named[0], _value)
    if named[0] == "operator":
        words = str(value).split()
        verb = Fields("entry", {"operator": words[0] if words else ""}).take("operator", one_of(*VERBS))
        return (verb, *words[1:], fields.take("reason", lambda found: text(_value(found))))
    if named[0] == "change":
        return _change(value)
    for key in ("from", "to"):
        if isinstance(value, dict) and key in value:
            raise ConfigurationError(f"fault.{key}", str(value[key]), "is said by 'at' and 'duration' here")
    rule = parse_rule(value)
    return rule if rule.seed else replace(rule, seed=seed)


def _change(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError("change", value, "must be an object, as in {kind: deposit, amount: 5000}")
    if "at" in value:
        raise ConfigurationError("change.at", str(value["at"]), "stands beside 'change' here")
    Fields("change", {"kind": value.get("kind")}).take("kind", one_of(*KINDS))
    read_change(value)
    return value


def _check_duration(duration: timedelta | None, what: object, where: str) -> None:
    """Refuse a duration of something that happens in an instant."""
    if duration is None or isinstance(what, FaultRule):
        return
    kind = what["kind"] if isinstance(what, dict) else "an operator's act"
    if kind not in (*_TAKEN_BACK, *_UNTIL):
        raise ConfigurationError("duration", str(duration), f"{kind} happens in an instant: remove it", where)


def _planned(body: Mapping[str, Any], at: datetime, duration: timedelta | None) -> Iterator[Planned]:
    if duration is None:
        yield Planned(at, body)
    elif body["kind"] in _UNTIL:
        yield Planned(at, {**body, "until": (at + duration).isoformat()})
    else:
        yield Planned(at, body)
        ended = {"kind": body["kind"], **_TAKEN_BACK[body["kind"]]}
        yield Planned(at + duration, ended | {k: v for k, v in body.items() if k == "symbol"})


def _members(node: yaml.Node | None, where: str) -> dict[str, yaml.Node]:
    """Return the keys and values of a mapping. Raises ConfigurationError: no mapping, or a key twice."""
    if not isinstance(node, yaml.MappingNode):
        remedy = "must be keys with values, as in 'at: \"10:15\"'"
        raise ConfigurationError("script", _value(node), remedy, where)
    members: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value in members:
            line = key.start_mark.line + 1
            raise ConfigurationError(str(key.value), None, f"is given twice, again in line {line}", where)
        if isinstance(value, yaml.MappingNode):
            _members(value, where)
        members[key.value] = value
    return members


def _value(node: Any) -> Any:
    """Return a node as Python values."""
    if not isinstance(node, yaml.Node):
        return node
    constructor = _Loader("")
    try:
        return constructor.construct_document(node)
    finally:
        constructor.dispose()


def _time(node: yaml.Node) -> str | time:
    """Return the time of day in a node, read as written: YAML takes a bare 10:15 for 615."""
    written = str(node.value)
    if written in ("open", "close"):
        return written
    try:
        return time.fromisoformat(written)
    except ValueError as error:
        raise ValueError("must be a time as in \"10:15\", 'open' or 'close'") from error


def _duration(node: yaml.Node) -> timedelta:
    found = _DURATION.match(str(node.value))
    if not found or not float(found[1]):
        raise ValueError("must be as in 90s, 6m or 1h, above zero")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2] or "s"])
