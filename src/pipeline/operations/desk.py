"""A desk: one account, one configuration, and everything it takes to trade them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.domain.decide import Identity
from pipeline.domain.market import Bar, Flaw, Instrument, Timeframe
from pipeline.domain.risk import Breach, RiskLimits
from pipeline.domain.session import SessionTable
from pipeline.domain.signals import Strategy
from pipeline.domain.stops import EmergencyPlan
from pipeline.domain.timetable import Procedure, Rhythm
from pipeline.ports import Broker, Clock, Inspector, JournalPort, Lock, MarketData, ReportRenderer, Store

BADGES = {"rehearsal": "SIM", "paper": "PAPER", "live": "LIVE"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration says of the session, apart from limits.

    Attributes:
        procedures: the session's procedures with their named steps.
        rhythm: what repeats within the session.
        checks: steps of the hourly ``intraday-check``.
        reconcile_every: longest time between two reconciliations in a session; None: the timetable's alone.
        residual_limit: change of equity that nothing explains, as a fraction of it, before it is told, ppm.
        muted: alert events people do not want; CRITICAL ones always come through.
        emergency: what stops do besides stopping.
    """

    procedures: tuple[Procedure, ...]
    rhythm: Rhythm
    checks: tuple[str, ...]
    muted: frozenset[str] = frozenset()
    reconcile_every: timedelta | None = timedelta(minutes=10)
    residual_limit: int = 500
    emergency: EmergencyPlan = field(default_factory=EmergencyPlan)

    def steps(self, procedure: str) -> tuple[str, ...]:
        """Return the named steps of a procedure, in order; none when it has none."""
        if procedure == "intraday-check":
            return self.checks
        return next((found.steps for found in self.procedures if found.name == procedure), ())


@dataclass(slots=True)
class Memory:
    """What a process remembers between passes to save requests. Losing it changes no decision."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    bars: dict[str, list[Bar]] = field(default_factory=dict)
    flaws: dict[str, list[Flaw]] = field(default_factory=dict)
    priced: dict[str, datetime] = field(default_factory=dict)
    splits: int = 0
    fetched_to: datetime | None = None
    asked_again: dict[str, datetime] = field(default_factory=dict)
    clock_asked: datetime | None = None
    doubt: Breach | None = None
    listed_at: datetime | None = None
    projected: int = 0
    told: int = 0
    recovery_tried: datetime | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """One account with its limits, strategies and ports.

    Attributes:
        account: name of the account in the configuration; names the journal, too.
        mode: "rehearsal", "paper" or "live".
        owner: this process, for the lease; code, config: fingerprints of what it runs.
        virtual: whether time is the rehearsal exchange's own.
        armed_account: the only account that real money may move in, "" without real money.
        armed_until: the last day on which pre-market may say GO with real money.
        hide: takes every credential out of a text that others wrote.
    """

    account: str
    mode: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    strategies: tuple[Strategy, ...]
    allocations: Mapping[str, int]
    limits: RiskLimits
    plan: Plan
    sessions: SessionTable
    broker: Broker
    data: MarketData
    clock: Clock
    journal: JournalPort
    store: Store
    lock: Lock
    renderer: ReportRenderer
    inspector: Inspector
    home: Path
    owner: str
    code: str
    config: str
    virtual: bool
    armed_account: str = ""
    armed_until: date | None = None
    memory: Memory = field(default_factory=Memory)
    hide: Callable[[str], str] = str

    @property
    def identity(self) -> Identity:
        """The parts of an intent's id that stay the same."""
        return Identity(self.account, self.mode)

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return ZoneInfo(self.sessions.timezone)

    @property
    def badge(self) -> str:
        """SIM, PAPER or LIVE."""
        return BADGES[self.mode]
