"""What a session report says, as values. Units: :mod:`pipeline.domain.rules`.

One :class:`SessionReport` gives the HTML page, the Markdown text and the Slack summary, so that a
number is the same everywhere. Every sequence is oldest first unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.domain.formatting import NEW_YORK
from pipeline.domain.market import Timeframe
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.pnl import Explanation
from pipeline.domain.session import Session


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is about.

    Attributes:
        mode: "SIM", "PAPER" or "LIVE".
        symbols: those that are traded; their data is judged.
        timeframe: of the bars that decisions were made on.
        config: fingerprint of the configuration.
        zone: the exchange's IANA zone, for every time shown.
    """

    session: Session
    mode: str
    account: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    config: str = ""
    zone: str = NEW_YORK


@dataclass(frozen=True, slots=True)
class Profit:
    """The day in money. ``pnl`` is ``close_equity - start_equity - deposits``.

    Attributes:
        pnl_ppm: of the equity at the start with deposits.
        realized: before fees; fees: positive; open_change: the rest of ``pnl``, in positions still open.
        slippage: against arrival prices, positive is a cost. It is inside ``pnl`` already.
        drawdown_ppm: the deepest of the session, below the high-water mark, positive.
    """

    start_equity: int
    close_equity: int
    deposits: int
    pnl: int
    pnl_ppm: int
    low_equity: int
    high_equity: int
    drawdown_ppm: int
    realized: int
    fees: int
    turnover: int
    slippage: int

    @property
    def open_change(self) -> int:
        """What positions still open contributed."""
        return self.pnl - self.realized + self.fees


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Equity at the end of a pass, and how far it is below its peak (positive ppm).

    Deposits and withdrawals of the session are counted as if made before it.
    """

    at: datetime
    equity: int
    drawdown_ppm: int


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at the session's last snapshot. ``stop`` is where it would be closed, or None."""

    symbol: str
    quantity: int
    average_price: int
    price: int | None
    value: int | None
    unrealized: int | None
    share_ppm: int | None
    stop: int | None


@dataclass(frozen=True, slots=True)
class Trade:
    """One order's executions of the session.

    Attributes:
        asked: quantity ordered, None for an order that is not ours.
        arrival: last close its decision saw, None for an order that is not ours.
        average: price paid; slippage: money, positive is a cost; slippage_ppm: of the arrival price.
        realized: profit taken by it, before fees, 0 for an entry.
    """

    at: datetime
    symbol: str
    side: Side
    purpose: Purpose | None
    quantity: int
    asked: int | None
    arrival: int | None
    average: int
    slippage: int | None
    slippage_ppm: int | None
    realized: int
    fills: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision to trade, why, and what became of it. ``cut`` says which limits made it smaller."""

    at: datetime
    symbol: str
    side: Side
    purpose: Purpose
    quantity: int
    reason: str
    state: str
    note: str
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Wanted trades that one limit refused. ``allowed`` and ``actual`` are of the first, in words."""

    symbol: str
    side: Side
    limit: str
    times: int
    first_at: datetime
    last_at: datetime
    allowed: str
    actual: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """From what was seen to what was traded, in counts."""

    ticks: int
    signals: int
    wanted: int
    refused: int
    intents: int
    sent: int
    filled: int
    rejected: int


class Bound(StrEnum):
    """What a limit means."""

    TRIP = "trip"  # reaching it acts: it stops trading, or shrinks it
    CAP = "cap"  # it may be used up, not passed
    FLOOR = "floor"  # it may be used up, not undercut


@dataclass(frozen=True, slots=True)
class RiskBar:
    """A limit and the worst of the session beside it.

    Attributes:
        worst, limit: in ``unit``, which is "ppm" or "count".
        marks: lesser thresholds on the way, with what they do, rising.
    """

    name: str
    worst: int
    limit: int
    unit: str = "ppm"
    bound: Bound = Bound.TRIP
    marks: tuple[tuple[str, int], ...] = ()

    @property
    def used_ppm(self) -> int:
        """Share of the limit used; above 1_000_000 it is passed."""
        if self.bound is Bound.FLOOR:
            room = 1_000_000 - self.limit
            return (1_000_000 - self.worst) * 1_000_000 // room if room > 0 else 0
        return self.worst * 1_000_000 // self.limit if self.limit > 0 else 0

    @property
    def broken(self) -> bool:
        """Whether a threshold was reached, or a cap passed."""
        if self.bound is Bound.TRIP:
            return self.worst >= self.limit
        return self.worst < self.limit if self.bound is Bound.FLOOR else self.worst > self.limit

    @property
    def status(self) -> str:
        """Return "reached", "exceeded", the last mark passed, "near" (80 % and more) or "within"."""
        if self.broken:
            return "reached" if self.bound is Bound.TRIP else "exceeded"
        passed = [name for name, at in self.marks if self.worst >= at]
        if passed:
            return passed[-1]
        return "near" if self.used_ppm >= 800_000 else "within"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where the ledger and the broker differed, in words."""

    at: datetime
    kind: str
    symbol: str
    ledger: str
    broker: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How often ledger and broker were compared, and what was found. ``clean`` is of the last time."""

    times: int
    clean: bool
    last_at: datetime | None
    mismatches: tuple[Mismatch, ...] = ()


@dataclass(frozen=True, slots=True)
class DataQuality:
    """One symbol's bars. The longest hole has ``longest_bars`` and begins at ``longest_at``."""

    symbol: str
    expected: int
    present: int
    longest_bars: int
    longest_at: datetime | None

    @property
    def missing(self) -> int:
        """Bars that should be there and are not."""
        return max(0, self.expected - self.present)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One procedure's runs: expected against actual. Latencies in milliseconds from the planned instant.

    ``skipped`` came too late to act, or found the account's lock busy.
    """

    procedure: str
    expected: int
    completed: int
    skipped: int
    failed: int
    missing: int
    late: int
    latency_median: int | None
    latency_worst: int | None

    @property
    def sound(self) -> bool:
        """Whether every expected run did its work, or had a reason to skip."""
        return self.failed == 0 and self.missing == 0

    @property
    def verdict(self) -> str:
        """Return "fail", "warn" when runs were late or skipped, or "ok"."""
        if not self.sound:
            return "fail"
        return "warn" if self.late or self.skipped else "ok"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One named step of a procedure and its evidence. ``outcome``: ok, warn, fail or skipped."""

    procedure: str
    name: str
    outcome: str
    evidence: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """A change of the trading state or an incident: when, what, why, and how it ended ("" if it did not)."""

    at: datetime
    what: str
    why: str
    severity: str = "notice"
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How the system itself did.

    Attributes:
        drivers: runs by what started them, as in ("session", 390).
        alerts: by severity; undelivered: those still waiting after an hour.
        retried: orders that were sent more than once under the same id.
    """

    runs: tuple[RunLine, ...]
    checks: tuple[CheckLine, ...]
    drivers: tuple[tuple[str, int], ...] = ()
    alerts: tuple[tuple[str, int], ...] = ()
    undelivered: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class SessionReport:
    """One session, whole.

    Attributes:
        as_of: instant up to which runs were expected, UTC.
        state: trading state at ``as_of``; go: the pre-market answer, None when it was never given.
        profit: None when not one account snapshot was taken.
        tomorrow: the next session, or None when the calendar does not cover it.
        explained: where the change of equity came from, by the last comparison that could tell.
    """

    scope: Scope
    as_of: datetime
    state: str
    go: bool | None
    strategies: tuple[str, ...]
    profit: Profit | None
    curve: tuple[EquityPoint, ...]
    holdings: tuple[Holding, ...]
    trades: tuple[Trade, ...]
    choices: tuple[Choice, ...]
    refusals: tuple[Refusal, ...]
    funnel: Funnel
    risk: tuple[RiskBar, ...]
    reconciliation: Reconciliation
    data: tuple[DataQuality, ...]
    health: Health
    states: tuple[Event, ...]
    incidents: tuple[Event, ...]
    locks: tuple[tuple[str, str], ...]
    tomorrow: Session | None
    explained: Explanation | None = None
