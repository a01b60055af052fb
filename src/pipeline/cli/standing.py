"""Where an account stands, computed from its ledger alone. Units: :mod:`pipeline.domain.rules`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Baseline, Ledger
from pipeline.domain.money import PPM
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.portfolio import Position
from pipeline.domain.risk import RiskLimits
from pipeline.domain.rules.limits import stop_price
from pipeline.domain.session import OutsideCalendar, Session, SessionTable


@dataclass(frozen=True, slots=True)
class Holding:
    """A position with what the last snapshot's price makes of it; None where there is no price."""

    symbol: str
    quantity: int
    average: int
    last: int | None
    value: int | None
    unrealized: int | None
    stop: int | None
    opened_at: datetime

    @property
    def side(self) -> str:
        """LONG or SHORT."""
        return "LONG" if self.quantity > 0 else "SHORT"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The account at its last snapshot, deposits since then added. Fractions in ppm.

    Attributes:
        day, month: profit since the baselines, signed; drawdown: below the high-water mark, positive.
        exposure: gross; a position without a price counts at its cost.
    """

    at: datetime
    equity: int
    cash: int
    day: int
    day_ppm: int
    month_ppm: int
    drawdown_ppm: int
    exposure: int
    exposure_ppm: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The session that is on, or the next one; times UTC. ``next_open`` is None when nobody knows."""

    day: date | None
    open: datetime | None
    close: datetime | None
    is_open: bool
    early_close: bool = False
    next_open: datetime | None = None


def holdings(ledger: Ledger, limits: RiskLimits | None) -> tuple[Holding, ...]:
    """Return every position by symbol; stops only where limits are known and set."""
    prices = ledger.snapshot.prices if ledger.snapshot is not None else {}
    stop = None if limits is None else limits.stop_loss
    return tuple(
        _holding(held, prices.get(symbol), stop) for symbol, held in sorted(ledger.positions.items())
    )


def _holding(held: Position, last: int | None, stop: int | None) -> Holding:
    average = held.average_price
    return Holding(
        symbol=held.symbol,
        quantity=held.quantity,
        average=average,
        last=last,
        value=None if last is None else held.value(last),
        unrealized=None if last is None else held.unrealized(last),
        stop=None if stop is None else stop_price(average, held.quantity > 0, stop),
        opened_at=held.opened_at,
    )


def numbers(ledger: Ledger) -> Numbers | None:
    """Return the account's numbers, or None before the first snapshot."""
    taken = ledger.snapshot
    if taken is None:
        return None
    equity = taken.equity + ledger.deposits_since_snapshot
    base = ledger.baseline or Baseline(taken.session, equity, equity, equity)
    held = holdings(ledger, None)
    exposure = sum(abs(one.value if one.value is not None else _cost(ledger, one)) for one in held)
    return Numbers(
        at=taken.at,
        equity=equity,
        cash=taken.cash + ledger.deposits_since_snapshot if ledger.cash is None else ledger.cash,
        day=equity - base.day_equity,
        day_ppm=part(equity - base.day_equity, base.day_equity),
        month_ppm=part(equity - base.month_equity, base.month_equity),
        drawdown_ppm=part(max(0, base.peak_equity - equity), base.peak_equity),
        exposure=exposure,
        exposure_ppm=part(exposure, equity),
    )


def _cost(ledger: Ledger, held: Holding) -> int:
    return ledger.positions[held.symbol].cost


def part(amount: int, whole: int) -> int:
    """Return amount / whole in ppm, rounded half up; 0 of nothing."""
    return (2 * amount * PPM + whole) // (2 * whole) if whole > 0 else 0


def held_for_review(ledger: Ledger) -> tuple[OrderLife, ...]:
    """Return what waits for its release and may be vetoed, oldest first."""
    return tuple(life for life in ledger.open_lives if life.state is IntentState.HELD)


def unresolved(ledger: Ledger) -> tuple[OrderLife, ...]:
    """Return orders of which nobody knows whether they are live."""
    doubtful = (IntentState.SENDING, IntentState.UNKNOWN)
    return tuple(life for life in ledger.open_lives if life.state in doubtful)


def live_at_broker(ledger: Ledger) -> tuple[OrderLife, ...]:
    """Return orders that may still be executed."""
    return tuple(life for life in ledger.open_lives if life.state.at_broker)


def hours(records: Sequence[Record], sessions: SessionTable | None, now: datetime) -> Hours:
    """Return the session that is on at ``now``, or the next one.

    By the calendar where there is one, else by what the journal's last plan says.
    """
    planned = _planned(records)
    found = None if sessions is None else _by_calendar(sessions, now)
    if found is not None:
        return found
    if planned is None:
        return Hours(None, None, None, False)
    ahead = planned.open if now < planned.open else None
    opened = planned.is_open(now)
    return Hours(planned.day, planned.open, planned.close, opened, planned.early_close, ahead)


def _planned(records: Sequence[Record]) -> Session | None:
    for record in reversed(records):
        if record.kind is Kind.SESSION:
            data = record.data
            opened, closed = (datetime.fromisoformat(data[key]) for key in ("open", "close"))
            early = bool(data.get("early_close", False))
            return Session(date.fromisoformat(data["day"]), opened, closed, early)
    return None


def _by_calendar(sessions: SessionTable, now: datetime) -> Hours | None:
    try:
        session = sessions.at_or_after(now.astimezone(ZoneInfo(sessions.timezone)).date())
        if now >= session.close:
            session = sessions.following(session.day, 2)[1]
    except OutsideCalendar:
        return None
    opened = session.is_open(now)
    ahead = None if opened else session.open
    return Hours(session.day, session.open, session.close, opened, session.early_close, ahead)
