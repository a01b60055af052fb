"""Every error of Marketday, in one tree.

::

    MarketdayError
    ├── Transient                the same call may succeed later
    │   ├── BrokerUnavailable    no answer, or an answer that says "not now"
    │   │   └── AnswerUnreadable an answer came, and makes no sense; the line itself is fine
    │   │       └── RowsUnreadable   some rows of a list make no sense; it carries those that do
    │   ├── DataUnavailable      market data did not arrive
    │   ├── StoreUnavailable     the database is held by another process
    │   └── LockBusy             another process holds the lock
    └── Terminal                 it will not
        ├── ConfigurationError   a key, its value and the remedy
        ├── DataInvalid          market data that cannot be true
        ├── OrderRejected        the broker refused an order, definitely
        ├── BrokerRefused        the broker refused the caller (credentials, blocked account)
        ├── AccountMismatch      paper where live is configured, or the other way round
        ├── IllegalTransition    an order cannot go from that state to this one
        ├── AppendRefused        the journal's guard refused a record (halted, fenced, …)
        ├── JournalCorrupt       a record, or the tail, of the journal is not what was written
        ├── StaleRun             a run that came too late to act
        └── UsageError           a command that cannot be carried out as given

``Transient`` may be retried by the caller, ``Terminal`` may not. Arguments go to
``super().__init__`` unchanged so that every error survives pickling.
"""

from __future__ import annotations


class MarketdayError(Exception):
    """Anything Marketday raises on purpose."""


class Transient(MarketdayError):
    """The same call may succeed later."""


class Terminal(MarketdayError):
    """The same call will not succeed."""


class BrokerUnavailable(Transient):
    """The broker did not answer. ``sent`` tells whether the request may have arrived."""

    def __init__(self, broker: str, reason: str, sent: bool = True) -> None:
        super().__init__(broker, reason, sent)
        self.broker = broker
        self.reason = reason
        self.sent = sent

    def __str__(self) -> str:
        return f"{self.broker} did not answer: {self.reason}"


class AnswerUnreadable(BrokerUnavailable):
    """The broker answered what cannot be read: nothing is known of this one thing, the line is fine."""

    def __str__(self) -> str:
        return f"{self.broker} answered what cannot be read: {self.reason}"


class RowsUnreadable(AnswerUnreadable):
    """A list came of which some rows cannot be read.

    Attributes:
        readable: the other rows, in our words and in the list's order, for who may go on with them.
        unreadable: one sentence for each row that is missing from them.
    """

    def __init__(
        self, broker: str, what: str, readable: tuple[object, ...], unreadable: tuple[str, ...]
    ) -> None:
        shown = "; ".join(unreadable[:3])
        super().__init__(broker, f"{len(unreadable)} of {len(readable) + len(unreadable)} {what}: {shown}")
        self.args = (broker, what, readable, unreadable)
        self.readable = readable
        self.unreadable = unreadable


class DataUnavailable(Transient):
    """Market data did not arrive."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"no market data from {self.source}: {self.reason}"


class StoreUnavailable(Transient):
    """The database could not be opened in time."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the store {self.path} is not available: {self.reason}"


class LockBusy(Transient):
    """Another process holds the lock."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(path, holder)
        self.path = path
        self.holder = holder

    def __str__(self) -> str:
        return f"{self.path} is held by {self.holder}"


class ConfigurationError(Terminal):
    """A configuration that cannot be used. Names the key, the value and the remedy."""

    def __init__(self, key: str, value: object, remedy: str, where: str = "") -> None:
        super().__init__(key, value, remedy, where)
        self.key = key
        self.value = value
        self.remedy = remedy
        self.where = where

    def __str__(self) -> str:
        at = f"{self.where}: " if self.where else ""
        shown = "" if self.value is None else f" = {self.value!r}"
        return f"{at}{self.key}{shown}: {self.remedy}"


class DataInvalid(Terminal):
    """Market data that cannot be true."""

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(symbol, reason)
        self.symbol = symbol
        self.reason = reason

    def __str__(self) -> str:
        return f"data of {self.symbol} refused: {self.reason}"


class OrderRejected(Terminal):
    """The broker refused the order, definitely: nothing is live under its id."""

    def __init__(self, order_id: str, code: str, reason: str) -> None:
        super().__init__(order_id, code, reason)
        self.order_id = order_id
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"order {self.order_id} refused ({self.code}): {self.reason}"


class BrokerRefused(Terminal):
    """The broker refused the caller: wrong credentials, or a blocked account."""

    def __init__(self, broker: str, reason: str) -> None:
        super().__init__(broker, reason)
        self.broker = broker
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.broker} refused: {self.reason}"


class AccountMismatch(Terminal):
    """The account is not of the kind the configuration names."""

    def __init__(self, configured: str, found: str, evidence: str) -> None:
        super().__init__(configured, found, evidence)
        self.configured = configured
        self.found = found
        self.evidence = evidence

    def __str__(self) -> str:
        return f"configured for {self.configured}, but the broker shows {self.found}: {self.evidence}"


class IllegalTransition(Terminal):
    """An order cannot go from that state to this one."""

    def __init__(self, intent_id: str, state: str, event: str) -> None:
        super().__init__(intent_id, state, event)
        self.intent_id = intent_id
        self.state = state
        self.event = event

    def __str__(self) -> str:
        return f"intent {self.intent_id} is {self.state}: it cannot take {self.event}"


class AppendRefused(Terminal):
    """The journal's guard refused a record. ``code`` is stable, for machines."""

    def __init__(self, kind: str, code: str, reason: str) -> None:
        super().__init__(kind, code, reason)
        self.kind = kind
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.kind} not journalled ({self.code}): {self.reason}"


class JournalCorrupt(Terminal):
    """The journal is not what was written."""

    def __init__(self, path: str, record: int, reason: str) -> None:
        super().__init__(path, record, reason)
        self.path = path
        self.record = record
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"journal {self.path}, record {self.record}: {self.reason}. Nothing will trade on it. "
            "Keep the file, restore the newest backup beside it and run `marketday store verify`."
        )


class StaleRun(Terminal):
    """A run that came too late to act."""

    def __init__(self, procedure: str, late_seconds: float, allowed_seconds: float) -> None:
        super().__init__(procedure, late_seconds, allowed_seconds)
        self.procedure = procedure
        self.late_seconds = late_seconds
        self.allowed_seconds = allowed_seconds

    def __str__(self) -> str:
        return f"{self.procedure} is {self.late_seconds:.0f} s late (allowed: {self.allowed_seconds:.0f} s)"


class UsageError(Terminal):
    """A command that cannot be carried out as given; the sentence names the remedy."""
