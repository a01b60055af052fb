"""What the product needs of the world, in its own words. Each Protocol states its promises.

Adapters translate one vendor to these words, errors included, and add no rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from pipeline.domain.alerts import Alert
from pipeline.domain.corporate import CorporateAction
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.market import Bar, BySymbol, Flaw, Instrument, Quote, Timeframe
from pipeline.domain.orders import Fill, Intent, Order
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.domain.reports import SessionReport
from pipeline.domain.session import SessionTable


class Clock(Protocol):
    """Tells the time. In rehearsal it is the exchange's virtual one."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""


class Idempotency(StrEnum):
    """What sending the same order id twice does at this broker."""

    KEY_FOREVER = "key_forever"
    KEY_WHILE_OPEN = "key_while_open"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The broker's own view of time and session."""

    now: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


class Broker(Protocol):
    """One account at one broker.

    Every method may raise ``BrokerUnavailable`` (no answer: try again, except ``submit``) and
    ``BrokerRefused`` (credentials or account). "Not answered" is never "empty".

    An answer that cannot be read is ``AnswerUnreadable``. Lists of orders, executions and activities raise
    ``RowsUnreadable`` instead, which carries the rows that can be read: nothing is dropped silently, and who
    may go on with part of the list can. Of positions there is no part: one row unread, and none is known.
    """

    name: str
    idempotency: Idempotency

    def fetch_clock(self) -> BrokerClock:
        """Return the broker's time and session."""

    def fetch_account(self) -> Account:
        """Return the account. Its mode is what the broker shows, not what we configured."""

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        """Return every position; an empty tuple means proven flat."""

    def fetch_open_orders(self) -> tuple[Order, ...]:
        """Return every order that is not final, all pages."""

    def fetch_order(self, client_id: str) -> Order | None:
        """Return the order with our id, or None when the broker definitely has none.

        Of one that was replaced, the order that stands now: ``id`` is its own, ``quantity`` what was ordered
        first, ``filled`` what all of them executed.
        """

    def fetch_orders(self, since: datetime) -> tuple[Order, ...]:
        """Return every order submitted at or after ``since``, all pages, oldest first."""

    def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return every execution at or after ``since``, all pages, oldest first.

        ``intent_id`` is "" where the broker does not tell our id; the caller joins by order id.
        """

    def fetch_cash_activities(self, since: date) -> tuple[CashActivity, ...]:
        """Return money movements other than fills, on or after ``since``, oldest first."""

    def fetch_corporate_actions(self, since: date) -> tuple[CorporateAction, ...]:
        """Return splits, symbol changes, spin-offs and the like on or after ``since``, oldest first."""

    def fetch_instruments(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the instruments the broker knows; unknown symbols are absent."""

    def submit(self, intent: Intent) -> Order:
        """Send the order once: exactly one request leaves, within a total deadline.

        Raises:
            BrokerUnavailable: no usable answer. ``sent=False`` only when the request certainly
                did not reach the broker; otherwise the order may or may not be live.
            OrderRejected: the broker refused it and holds nothing under its id.
        """

    def cancel(self, order_id: str) -> None:
        """Ask to cancel; the outcome is seen by fetching. An order already final is not an error."""

    def cancel_all(self) -> Mapping[str, str]:
        """Ask, in one request, to cancel every open order, those included that a person made by hand.

        Return the orders for which that was refused, by the broker's id, with its reason: empty when each
        was accepted or had ended. The outcome is seen by fetching.
        """

    def close(self) -> None:
        """Release connections."""


class OrderUpdates(Protocol):
    """Hints that something changed at the broker. Never the truth: that is asked for.

    Attributes:
        failure: why there is no connection now, "" while there is one.
        refused: whether the broker refused the credentials: nothing is heard until another start.
        last_event: the newest update's own instant, UTC; None before the first that tells one.
    """

    failure: str
    refused: bool
    last_event: datetime | None

    def start(self, notify: Callable[[], None] | None = None) -> None:
        """Begin to listen in a thread of its own, which calls ``notify`` at each change."""

    def stop(self) -> None:
        """End, soon."""

    def reconnect(self) -> None:
        """Give up a connection that says nothing, and make another."""


class MarketData(Protocol):
    """Prices. Errors: ``DataUnavailable`` (try again), ``DataInvalid`` (a question that makes no sense)."""

    def fetch_bars(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> BySymbol[Sequence[Bar]]:
        """Return complete bars with ``start <= bar.start`` and ``bar end <= end``, oldest first.

        Duplicates are removed. Every symbol asked for is a key; no bars is an empty sequence. Rows that
        cannot be true are among the flaws: one bad row says nothing about another symbol.
        """

    def fetch_quotes(self, symbols: Sequence[str]) -> BySymbol[Quote]:
        """Return the latest quote of each symbol that has one; what cannot be read is among the flaws."""

    def fetch_headlines(self, symbols: Sequence[str], since: datetime) -> Sequence[Headline]:
        """Return news about the symbols since an instant, newest first."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One piece of news."""

    at: datetime
    title: str
    symbols: tuple[str, ...]
    source: str


class Calendar(Protocol):
    """Exchange sessions, from a cached table."""

    def load(self, exchange: str, closures: Collection[date] = ()) -> SessionTable:
        """Return the table, without ``closures``. Raises ``OutsideCalendar`` when it cannot be had."""


class Pacer(Protocol):
    """Lets time pass until an instant: by sleeping, or by moving a virtual clock."""

    async def wait_until(self, instant: datetime) -> None:
        """Return at ``instant`` or, when it has passed, at once."""


class JournalPort(Protocol):
    """The append-only record of what we meant; see ``domain.journal`` for what a record is."""

    def append(self, kind: Kind, data: Mapping[str, Any], at: datetime) -> Record:
        """Write one record durably, after the guard has agreed under the journal's lock.

        Raises:
            AppendRefused: halted, fenced, duplicate, illegal, or no room on the disk; nothing was written.
            JournalCorrupt: what is on disk is not what was written.
            LockBusy: another writer did not finish in time.
        """

    def take_lease(self, owner: str, code: str, config: str, at: datetime) -> int:
        """Become the one who may trade, unless ``owner`` already is, and return the epoch."""

    def read(self) -> Ledger:
        """Fold in what other processes appended and return the ledger. It is not a copy: do not change it."""

    def records(self, after: int = 0) -> Sequence[Record]:
        """Return the records with a sequence number above ``after``, verified."""


class Store(Protocol):
    """Results: a projection of the journal plus market data (DuckDB by default)."""

    def project(self, records: Sequence[Record]) -> int:
        """Apply records not yet applied, in one transaction; return how many. Idempotent.

        Raises:
            StoreUnavailable: held by another process beyond the bounded wait.
        """

    def projected(self) -> int:
        """Return the sequence number of the last record applied, 0 when none."""

    def record_bars(self, bars: Sequence[Bar], timeframe: Timeframe) -> None:
        """Keep bars; those already kept stay as they are."""

    def load_bars(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> Mapping[str, Sequence[Bar]]:
        """Return kept bars in ``[start, end)`` by symbol, oldest first."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Mapping[str, object], ...]:
        """Return the rows of a read-only query by column name, in order."""


class ReportRenderer(Protocol):
    """Turns a session's report into what people read; pure."""

    def html(self, report: SessionReport) -> str:
        """Return one self-contained HTML page."""

    def markdown(self, report: SessionReport) -> str:
        """Return the same numbers as Markdown."""


class Notifier(Protocol):
    """One way to reach people. Called only by the deliverer, never by a tick."""

    name: str

    def post(self, alert: Alert) -> None:
        """Deliver one alert.

        Raises:
            Transient: try later (with the alert kept).
            Terminal: this alert can never be delivered this way.
        """


class Inspector(Protocol):
    """Looks at the bars of whole sessions: slower and more thorough than a tick. Never called by one."""

    def inspect(self, bars: Mapping[str, Sequence[Bar]], length: timedelta) -> tuple[Flaw, ...]:
        """Return what is wrong with the bars, by symbol and start: rows, duplicates, order, mixed feeds."""


class Lock(Protocol):
    """A lock between processes that ends with its holder."""

    def hold(self, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold it for the length of the block. Raises ``LockBusy`` after ``wait_seconds``."""
