"""The ledger: everything the journal's records add up to.

A fold: the same records always give the same ledger. It decides nothing; the guard
(:mod:`pipeline.domain.guard`) decides, before a record is written, whether it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from pipeline.domain.alerts import Alert
from pipeline.domain.codec import decode
from pipeline.domain.journal import GENESIS, Kind, Record
from pipeline.domain.orders import Fill, Intent, IntentState, OrderLife
from pipeline.domain.portfolio import CashActivity, Position, apply_fill, cash_of
from pipeline.domain.trading_state import StateChange, TradingState

EPOCH_ZERO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
BEGINNING = StateChange(TradingState.NORMAL, "the ledger begins", "system", EPOCH_ZERO)
DEPOSITS = frozenset({"CSD", "CSW", "JNLC"})
"""Activity kinds that move the owner's money: not profit, not loss."""


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
    """The state after the last record folded in. Changed only by :meth:`apply`."""

    seq: int = 0
    head: str = GENESIS
    last_at: datetime = EPOCH_ZERO
    lease: Lease = Lease(0, "", "", "")
    state: StateChange = BEGINNING
    resumed_sessions: int | None = None
    cash: int | None = None
    opened_at: datetime = EPOCH_ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    lives: dict[str, OrderLife] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    by_order: dict[str, str] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    booked: dict[str, int] = field(default_factory=dict)
    activities: dict[str, CashActivity] = field(default_factory=dict)
    baseline: Baseline | None = None
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
    clean: bool = True
    locks: dict[str, str] = field(default_factory=dict)
    outbox: dict[str, Alert] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    sent_today: int = 0

    @property
    def open_lives(self) -> tuple[OrderLife, ...]:
        """Every intent whose life has not ended, or whose executions are not all booked, oldest first."""
        return tuple(self.lives[key] for key in self.open_ids)

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
        if life.order_id:
            self.by_order[life.order_id] = key


def _lease(ledger: Ledger, record: Record) -> None:
    data = record.data
    ledger.lease = Lease(data["epoch"], data["owner"], data["code"], data["config"])


def _opening(ledger: Ledger, record: Record) -> None:
    ledger.cash, ledger.opened_at = record.data["cash"], record.at
    ledger.positions = {
        symbol: decode(Position, held) for symbol, held in sorted(record.data["positions"].items())
    }


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
    ledger.baseline = decode(Baseline, record.data)


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


def _intent(ledger: Ledger, record: Record) -> None:
    intent = decode(Intent, record.data)
    life = OrderLife(intent)
    held = intent.release_at is not None
    ledger.advance(life.move(IntentState.HELD, record.at) if held else life)


def _moved(state: IntentState, note: str) -> Callable[[Ledger, Record], None]:
    def fold(ledger: Ledger, record: Record) -> None:
        life = ledger.lives[record.data["intent_id"]]
        order_id = record.data.get("order_id", "")
        ledger.advance(life.move(state, record.at, record.data.get(note, ""), order_id))

    return fold


def _sending(ledger: Ledger, record: Record) -> None:
    life = ledger.lives[record.data["intent_id"]]
    moved = life.shrunk(record.data["quantity"]).move(IntentState.SENDING, record.at)
    ledger.advance(moved)
    ledger.sent_today += moved.sends == 1


def _order(ledger: Ledger, record: Record) -> None:
    life = ledger.lives[record.data["intent_id"]].executed(record.data["filled"])
    state = IntentState(record.data["state"])
    if state is not life.state or state is IntentState.PARTIAL:
        life = life.move(state, record.at, record.data["raw_status"], record.data["order_id"])
    ledger.advance(life)


def _cancel(ledger: Ledger, record: Record) -> None:
    ledger.advance(ledger.lives[record.data["intent_id"]].cancelling())


def _fill(ledger: Ledger, record: Record) -> None:
    fill = decode(Fill, record.data)
    if fill.id in ledger.fills:
        return
    ledger.fills[fill.id] = fill
    key = fill.intent_id or ledger.by_order.get(fill.order_id, "")
    ledger.booked[key] = ledger.booked.get(key, 0) + fill.quantity
    if key in ledger.lives:
        ledger.advance(ledger.lives[key])
    booking = apply_fill(ledger.positions.get(fill.symbol), fill)
    if booking.position is None:
        ledger.positions.pop(fill.symbol, None)
    else:
        ledger.positions[fill.symbol] = booking.position
    if ledger.cash is not None:
        ledger.cash += cash_of(fill)


def _cash(ledger: Ledger, record: Record) -> None:
    activity = decode(CashActivity, record.data)
    if activity.id in ledger.activities:
        return
    ledger.activities[activity.id] = activity
    if ledger.cash is not None:
        ledger.cash += activity.amount
    if activity.kind in DEPOSITS:
        ledger.deposits_since_snapshot += activity.amount
    if activity.kind in DEPOSITS and ledger.baseline is not None:
        base = ledger.baseline
        ledger.baseline = Baseline(
            base.day,
            base.day_equity + activity.amount,
            base.month_equity + activity.amount,
            base.peak_equity + activity.amount,
        )


def _snapshot(ledger: Ledger, record: Record) -> None:
    ledger.snapshot = decode(Snapshot, record.data)
    ledger.deposits_since_snapshot = 0
    base = ledger.baseline
    equity = ledger.snapshot.equity
    if ledger.cash is not None:
        # Cash that nothing explains may be a deposit still to be recorded, which will raise the peak itself.
        equity -= max(0, ledger.snapshot.cash - ledger.cash)
    if base is not None and equity > base.peak_equity:
        ledger.baseline = replace(base, peak_equity=equity)


def _state(ledger: Ledger, record: Record) -> None:
    data = record.data
    ledger.state = StateChange(TradingState(data["state"]), data["reason"], data["by"], record.at)
    if data["resume"]:
        ledger.resumed_sessions = 0


def _silence(ledger: Ledger, record: Record) -> None:
    since = record.data["since"]
    ledger.silent_since = None if since is None else datetime.fromisoformat(since)
    ledger.failures = record.data["failures"]


def _reconciled(ledger: Ledger, record: Record) -> None:
    ledger.reconciled_at = record.at
    ledger.clean = record.data["clean"]


def _lock(ledger: Ledger, record: Record) -> None:
    symbol, reason = record.data["symbol"], record.data["reason"]
    if reason is None:
        ledger.locks.pop(symbol, None)
    else:
        ledger.locks[symbol] = reason


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
    Kind.OPENING: _opening,
    Kind.SESSION: _session,
    Kind.BASELINE: _baseline,
    Kind.ENABLED: _enabled,
    Kind.CLAIM: _claim,
    Kind.RUN: _run,
    Kind.STEP: _kept_elsewhere,
    Kind.TICK: _tick,
    Kind.VERDICT: _kept_elsewhere,
    Kind.INTENT: _intent,
    Kind.SENDING: _sending,
    Kind.ACKED: _moved(IntentState.ACKED, "note"),
    Kind.UNKNOWN: _moved(IntentState.UNKNOWN, "reason"),
    Kind.REJECTED: _moved(IntentState.REJECTED, "reason"),
    Kind.ORDER: _order,
    Kind.CANCEL: _cancel,
    Kind.VETOED: _moved(IntentState.EXPIRED, "reason"),
    Kind.FILL: _fill,
    Kind.CASH: _cash,
    Kind.SNAPSHOT: _snapshot,
    Kind.STATE: _state,
    Kind.SILENCE: _silence,
    Kind.RECONCILED: _reconciled,
    Kind.LOCK: _lock,
    Kind.ALERT: _alert,
    Kind.DELIVERED: _delivered,
    Kind.REPORT: _kept_elsewhere,
}
