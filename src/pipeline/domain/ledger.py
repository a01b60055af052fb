"""The ledger: everything the journal's records add up to.

A fold: the same records always give the same ledger. It decides nothing; the guard
(:mod:`pipeline.domain.guard`) decides, before a record is written, whether it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from pipeline.domain import booking, living
from pipeline.domain.alerts import Alert
from pipeline.domain.codec import decode
from pipeline.domain.journal import GENESIS, Kind, Record
from pipeline.domain.money import price_decimal, qty_decimal
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Fill, IntentState, Order
from pipeline.domain.pnl import Explanation, Tally
from pipeline.domain.portfolio import CashActivity, Position, Split, part_of
from pipeline.domain.trading_state import StateChange, TradingState

EPOCH_ZERO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
BEGINNING = StateChange(TradingState.NORMAL, "the ledger begins", "system", EPOCH_ZERO)
RECONCILIATION, QUARANTINE = "reconciliation", "quarantine"
"""Who locks a symbol besides people. Only reconciliation's locks are ever released without a person."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may trade: the holder of the highest epoch."""

    epoch: int
    owner: str
    code: str
    config: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """Equity against which losses are measured, money; deposits and withdrawals already in."""

    day: date
    day_equity: int
    month_equity: int
    peak_equity: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Account and market at the end of a pass: equity and cash as the broker told them, last prices."""

    at: datetime
    session: date
    equity: int
    cash: int
    prices: Mapping[str, int]


@dataclass(slots=True)
class Ledger:
    """The state after the last record folded in. Changed only by :meth:`apply`.

    Attributes:
        version_of: the code and configuration that may trade a session, by session.
        external: holdings made by orders that are not ours, by symbol; external_moves: what they did to cash.
        external_fills: their executions, by id, until a person adopts them: then they are among ``fills``.
        realized: profit of each execution when it was booked, before fees; busts: ids taken back.
        restated: profit that each adoption and each bust booked of ours, by the number of its record.
        splits: what was counted anew, oldest first.
        tally: what explains the change of equity since the session's baseline.
        external_orders: open orders that are not ours, as the last reconciliation saw them.
        doubted_at: when an order's outcome was last unknown; settling: whether the broker's lists disagreed.
        explained: where the session's change of equity came from, by the last reconciliation that could tell.
        sighted: since when reconciliation misses what it does not take for gone yet, by a key of its own.
        given_up: what was written off as never executed, by intent: a late listing makes up for it.
        locked_by: who locked each symbol in ``locks``: reconciliation, quarantine, or a person.
    """

    seq: int = 0
    head: str = GENESIS
    last_at: datetime = EPOCH_ZERO
    lease: Lease = Lease(0, "", "", "")
    version_of: dict[date, tuple[str, str]] = field(default_factory=dict)
    state: StateChange = BEGINNING
    resumed_sessions: int | None = None
    cash: int | None = None
    opened_at: datetime = EPOCH_ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    lives: dict[str, OrderLife] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    tombstones: dict[str, None] = field(default_factory=dict)
    by_order: dict[str, str] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    booked: dict[str, int] = field(default_factory=dict)
    realized: dict[str, int] = field(default_factory=dict)
    restated: dict[int, int] = field(default_factory=dict)
    busts: set[str] = field(default_factory=set)
    external: dict[str, Position] = field(default_factory=dict)
    external_moves: dict[str, int] = field(default_factory=dict)
    external_fills: dict[str, Fill] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    activities: dict[str, CashActivity] = field(default_factory=dict)
    baseline: Baseline | None = None
    tally: Tally | None = None
    snapshot: Snapshot | None = None
    deposits_since_snapshot: int = 0
    session: date | None = None
    session_seq: int = 0
    planned: tuple[tuple[str, datetime], ...] = ()
    go: bool | None = None
    entries_enabled: bool = False
    claims: dict[tuple[str, datetime], str] = field(default_factory=dict)
    runs: dict[tuple[str, datetime], str] = field(default_factory=dict)
    last_tick: datetime | None = None
    silent_since: datetime | None = None
    failures: int = 0
    reconciled_at: datetime | None = None
    reconciled_seq: int = 0
    state_seq: int = 0
    clean: bool = True
    external_orders: tuple[Order, ...] = ()
    doubted_at: datetime | None = None
    settling: bool = False
    sighted: dict[str, datetime] = field(default_factory=dict)
    given_up: dict[str, int] = field(default_factory=dict)
    explained: Explanation | None = None
    locks: dict[str, str] = field(default_factory=dict)
    locked_by: dict[str, str] = field(default_factory=dict)
    outbox: dict[str, Alert] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    sent_today: int = 0

    @property
    def open_lives(self) -> tuple[OrderLife, ...]:
        """Every intent whose life has not ended, or whose executions are not all booked, oldest first."""
        return tuple(self.lives[key] for key in self.open_ids)

    @property
    def agreed_since_stop(self) -> bool:
        """Whether the books were found equal since the trading state was last set: by order, not by clock."""
        return self.clean and self.reconciled_seq > self.state_seq

    @property
    def version(self) -> tuple[str, str] | None:
        """The code and configuration that may trade the session planned last; None when nothing was said."""
        return None if self.session is None else self.version_of.get(self.session)

    @property
    def external_cash(self) -> int:
        """What executions of orders that are not ours, and were not adopted, did to cash."""
        return sum(self.external_moves.values())

    def held_there(self, symbol: str) -> int:
        """Return the quantity of a symbol that the broker holds by these books: ours and what is not ours."""
        ours, theirs = self.positions.get(symbol), self.external.get(symbol)
        return sum(held.quantity for held in (ours, theirs) if held is not None)

    @property
    def closable(self) -> dict[str, Position]:
        """Our positions as far as the broker still holds them: somebody else may have sold some of them."""
        return {symbol: left for symbol in self.positions if (left := self._left(symbol)) is not None}

    def _left(self, symbol: str) -> Position | None:
        held, there = self.positions[symbol], self.held_there(symbol)
        if held.quantity * there <= 0:
            return None
        return held if abs(there) >= abs(held.quantity) else part_of(held, there)

    def apply(self, record: Record) -> None:
        """Fold one record in.

        Raises:
            IllegalTransition: the record contradicts an order's life; the guard should have refused it.
        """
        _FOLDS[record.kind](self, record)
        self.seq, self.head, self.last_at = record.seq, record.hash, record.at

    def become(self, other: Ledger) -> None:
        """Take over the state of another ledger, for everybody who holds on to this one."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def advance(self, life: OrderLife) -> None:
        """Replace what is known of an intent."""
        key = life.intent.id
        life = replace(life, booked=self.booked.get(key, 0))
        self.lives[key] = life
        if life.state.terminal and not life.unsettled:
            self.open_ids.pop(key, None)
        else:
            self.open_ids[key] = None
        if life.tombstone:
            self.tombstones[key] = None
        else:
            self.tombstones.pop(key, None)
        if life.order_id:
            self.by_order[life.order_id] = key


def _lease(ledger: Ledger, record: Record) -> None:
    data = record.data
    ledger.lease = Lease(data["epoch"], data["owner"], data["code"], data["config"])


def _version(ledger: Ledger, record: Record) -> None:
    data = record.data
    ledger.version_of[date.fromisoformat(data["session"])] = data["code"], data["config"]


def _session(ledger: Ledger, record: Record) -> None:
    day = date.fromisoformat(record.data["day"])
    if ledger.session is not None and day <= ledger.session:
        return  # planned already, or the late run of an older session: the day never goes back
    ledger.session, ledger.session_seq = day, record.seq
    ledger.planned = tuple((name, datetime.fromisoformat(at)) for name, at in record.data["runs"])
    ledger.go, ledger.entries_enabled, ledger.sent_today = None, False, 0
    if ledger.resumed_sessions is not None:
        ledger.resumed_sessions += 1


def _baseline(ledger: Ledger, record: Record) -> None:
    before, ledger.baseline = ledger.baseline, decode(Baseline, record.data)
    if before is None or before.day != ledger.baseline.day:
        booking.begin_tally(ledger)


def _snapshot(ledger: Ledger, record: Record) -> None:
    ledger.snapshot = decode(Snapshot, record.data)
    ledger.deposits_since_snapshot = 0
    base = ledger.baseline
    equity = ledger.snapshot.equity
    if ledger.cash is not None:
        # Cash that nothing explains may be a deposit still to be recorded, which will raise the peak itself.
        equity -= max(0, ledger.snapshot.cash - ledger.cash - ledger.external_cash)
    if base is not None and equity > base.peak_equity:
        ledger.baseline = replace(base, peak_equity=equity)


def _enabled(ledger: Ledger, record: Record) -> None:
    ledger.go = record.data["go"]
    ledger.entries_enabled = record.data["entries"]


def _claim(ledger: Ledger, record: Record) -> None:
    ledger.claims[_run_key(record.data)] = record.data["driver"]


def _run(ledger: Ledger, record: Record) -> None:
    key = _run_key(record.data)
    if ledger.runs.get(key) != "completed":  # another driver's word about a run that is done changes nothing
        ledger.runs[key] = record.data["outcome"]


def _run_key(data: Mapping[str, Any]) -> tuple[str, datetime]:
    return data["procedure"], datetime.fromisoformat(data["instant"])


def _tick(ledger: Ledger, record: Record) -> None:
    ledger.last_tick = datetime.fromisoformat(record.data["instant"])


def _state(ledger: Ledger, record: Record) -> None:
    data = record.data
    ledger.state, ledger.state_seq = StateChange.of(data, record.at), record.seq
    if data["resume"]:
        ledger.resumed_sessions = 0


def _silence(ledger: Ledger, record: Record) -> None:
    since = record.data["since"]
    ledger.silent_since = None if since is None else datetime.fromisoformat(since)
    ledger.failures = record.data["failures"]


def _reconciled(ledger: Ledger, record: Record) -> None:
    ledger.reconciled_at, ledger.reconciled_seq = record.at, record.seq
    ledger.clean = record.data["clean"]
    ledger.settling = record.data.get("settling", False)
    sighted = record.data.get("sighted", {}).items()
    ledger.sighted = {key: datetime.fromisoformat(since) for key, since in sighted}
    if "residual" in record.data:
        ledger.explained = decode(Explanation, record.data)
    ledger.external_orders = tuple(decode(Order, raw) for raw in record.data.get("external_orders", ()))


def _lock(ledger: Ledger, record: Record) -> None:
    symbol, reason = record.data["symbol"], record.data["reason"]
    if reason is None:
        unlock(ledger, symbol)
        return
    # Journals from before locks had names: reconciliation began each of its own with its name.
    ours = reason.startswith(f"{RECONCILIATION}:")
    ledger.locks[symbol] = reason
    ledger.locked_by[symbol] = record.data.get("by") or (RECONCILIATION if ours else QUARANTINE)


def unlock(ledger: Ledger, symbol: str) -> None:
    """Release a symbol, whoever locked it."""
    ledger.locks.pop(symbol, None)
    ledger.locked_by.pop(symbol, None)


def _external(ledger: Ledger, record: Record) -> None:
    booking.book_external(ledger, record)
    data = record.data
    if data["symbol"] not in ledger.locks:
        ledger.locks[data["symbol"]] = external_reason(data)
        ledger.locked_by[data["symbol"]] = RECONCILIATION


def external_reason(data: Mapping[str, Any]) -> str:
    """Return why a symbol is locked after an execution that is not ours."""
    traded = f"{data['side']} of {qty_decimal(data['quantity'])} at {price_decimal(data['price'])}"
    return f"external: {traded} by order {data['order_id']}, which is not ours"


def _adopted(ledger: Ledger, record: Record) -> None:
    booking.adopt(ledger, record)
    if ledger.locked_by.get(record.data["symbol"]) == RECONCILIATION:
        unlock(ledger, record.data["symbol"])


def _alert(ledger: Ledger, record: Record) -> None:
    alert = decode(Alert, record.data)
    if alert.id not in ledger.told:
        ledger.told.add(alert.id)
        ledger.outbox[alert.id] = alert


def _delivered(ledger: Ledger, record: Record) -> None:
    ledger.outbox.pop(record.data["alert_id"], None)


def _kept_elsewhere(ledger: Ledger, record: Record) -> None:
    """Evidence for the store; the ledger needs nothing of it."""


_FOLDS: dict[Kind, Callable[[Ledger, Record], None]] = {
    Kind.LEASE: _lease,
    Kind.VERSION: _version,
    Kind.OPENING: booking.open_books,
    Kind.SESSION: _session,
    Kind.BASELINE: _baseline,
    Kind.ENABLED: _enabled,
    Kind.CLAIM: _claim,
    Kind.RUN: _run,
    Kind.STEP: _kept_elsewhere,
    Kind.TICK: _tick,
    Kind.VERDICT: _kept_elsewhere,
    Kind.INTENT: living.plan,
    Kind.SENDING: living.sending,
    Kind.ACKED: living.moved(IntentState.ACKED, "note"),
    Kind.UNKNOWN: living.unknown,
    Kind.REJECTED: living.moved(IntentState.REJECTED, "reason"),
    Kind.ORDER: living.told,
    Kind.CANCEL: living.cancel,
    Kind.VETOED: living.moved(IntentState.EXPIRED, "reason"),
    Kind.FILL: booking.book_fill,
    Kind.EXTERNAL: _external,
    Kind.ADOPTED: _adopted,
    Kind.BALANCED: booking.balance,
    Kind.BUST: booking.bust,
    Kind.SPLIT: booking.split_shares,
    Kind.CASH: booking.book_cash,
    Kind.SNAPSHOT: _snapshot,
    Kind.STATE: _state,
    Kind.SILENCE: _silence,
    Kind.RECONCILED: _reconciled,
    Kind.LOCK: _lock,
    Kind.ALERT: _alert,
    Kind.DELIVERED: _delivered,
    Kind.REPORT: _kept_elsewhere,
}
