"""A configuration and bars → a simulation: what `marketday backtest` runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from pipeline.adapters.bar_files import read_bars
from pipeline.adapters.calendar import CachedCalendar, refresh_calendar
from pipeline.domain.decide import Identity
from pipeline.domain.formatting import count
from pipeline.domain.market import Instrument
from pipeline.domain.money import QTY_SCALE, to_money, to_ppm
from pipeline.domain.session import Session, SessionTable
from pipeline.errors import ConfigurationError, UsageError
from pipeline.exchange.bars import COLUMNS
from pipeline.exchange.config import load_config
from pipeline.exchange.synthetic import WARM_UP_SESSIONS, SyntheticMarket
from pipeline.research.account import Costs
from pipeline.research.assembly import MINUTE, Coverage, Span, assemble, check_enough, coverage_of
from pipeline.research.history import History, Series
from pipeline.research.simulator import Setup
from pipeline.settings.effective import (
    calendar_code,
    emergency_plan,
    initial_cash,
    risk_limits,
    strategy_setups,
)
from pipeline.settings.models.root import Settings
from pipeline.settings.rehearsal import exchange_document
from pipeline.strategies.registry import build_strategy
from pipeline.wiring.desks import plan_of

ACCOUNT = Identity("rehearsal", "rehearsal")
"""Whose decisions a backtest makes: a rehearsal's, so that the same decision has the same id."""

Days = tuple[date | None, date | None]
"""First and last day, inclusive; None is the data's own."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where bars come from: a file, or the synthetic market of a seed.

    Attributes:
        timezone: of times in the file that carry none.
    """

    file: Path | None = None
    seed: int | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A simulation ready to run. ``notes`` say what differs from live trading, for people."""

    setup: Setup
    history: History
    coverage: tuple[Coverage, ...]
    notes: tuple[str, ...]


def prepare(settings: Settings, source: Source, days: Days, calendar: Path) -> Prepared:
    """Return the simulation of a configuration over bars.

    Args:
        calendar: folder of the cached session table; filled when it is empty.

    Raises:
        ConfigurationError: data that cannot be used: a symbol that is missing, a price that never moves,
            bars longer than the configuration's.
        UsageError: too little history, or no session between the two days.
    """
    if days[0] is not None and days[1] is not None and days[0] > days[1]:
        raise UsageError(f"--from {days[0]} is after --to {days[1]}")
    setup, plan = setup_of(settings), plan_of(settings)
    if source.file is None:
        series, table = _synthetic(settings, source, days, calendar)
    else:
        series, table = _recorded(settings, source.file, source.timezone, calendar)
    history = assemble(series, _span(table, series, days), table, plan.procedures, plan.rhythm)
    check_enough(history, max(strategy.lookback for strategy in setup.strategies))
    coverage = coverage_of(history, lambda session: -(-(session.close - session.open) // history.length))
    setup, notes = _held(setup, history)
    return Prepared(setup, history, coverage, (*notes, *_gaps(coverage)))


def setup_of(settings: Settings) -> Setup:
    """Return a configuration in the simulator's words."""
    costs, plan, setups = settings.rehearsal.costs, plan_of(settings), strategy_setups(settings)
    symbols = tuple(settings.data.symbols)
    return Setup(
        identity=ACCOUNT,
        symbols=symbols,
        strategies=tuple(build_strategy(found.type, found.name, found.params) for found in setups),
        allocations={found.name: found.allocation for found in setups},
        limits=risk_limits(settings),
        instruments={symbol: _instrument(settings, symbol) for symbol in symbols},
        cash=initial_cash(settings),
        costs=Costs(
            per_share=to_money(str(costs.fee_per_share)),
            sell_ppm=to_ppm(costs.sell_fee_pct),
            half_spread_ppm=to_ppm(costs.half_spread_pct),
            slippage_ppm=to_ppm(costs.slippage_pct),
            participation_ppm=to_ppm(costs.participation_pct),
        ),
        emergency=emergency_plan(settings),
        steps={found.name: found.steps for found in plan.procedures} | {"intraday-check": plan.checks},
        reconcile_every=plan.reconcile_every,
    )


def _instrument(settings: Settings, symbol: str) -> Instrument:
    profile = settings.rehearsal.symbols.get(symbol)
    fractionable = profile is None or profile.fractionable
    return Instrument(symbol, lot=1 if fractionable else QTY_SCALE, fractionable=fractionable)


def _held(setup: Setup, history: History) -> tuple[Setup, tuple[str, ...]]:
    """Return the setup without a review hold where bars are too long to show what a hold does."""
    longest = max(series.length for series in history.series.values())
    hold = setup.limits.review_hold_seconds
    if longest <= MINUTE or not hold:
        return setup, ()
    note = f"execution_delay_seconds {hold} is taken as 0: bars of {longest // MINUTE} min cannot show it"
    return replace(setup, limits=replace(setup.limits, review_hold_seconds=0)), (note,)


def _gaps(coverage: tuple[Coverage, ...]) -> tuple[str, ...]:
    return tuple(
        f"{one.symbol}: {count(one.missing, 'bar')} of {one.due:,} missing, at most {one.longest:,} in a row"
        + (f", {count(one.empty, 'session')} without any" if one.empty else "")
        for one in coverage
        if one.missing > 0
    )


def _recorded(
    settings: Settings, file: Path, timezone: str, calendar: Path
) -> tuple[Mapping[str, Series], SessionTable]:
    found = read_bars(file, timezone)
    missing = [symbol for symbol in settings.data.symbols if symbol not in found]
    if missing:
        remedy = f"the data has {', '.join(found)}; name some of them in data.symbols"
        raise ConfigurationError("data.symbols", ", ".join(missing), remedy)
    series = {symbol: found[symbol] for symbol in settings.data.symbols}
    earliest = min(datetime.fromtimestamp(held.start[0], UTC).date() for held in series.values())
    return series, _calendar(settings, calendar, earliest)


def _calendar(settings: Settings, folder: Path, earliest: date) -> SessionTable:
    """Return the session table; one that begins too late is computed anew."""
    code, closures = calendar_code(settings), settings.data.market_hours.closures
    cached = CachedCalendar(folder)
    table = cached.load(code, closures)
    if earliest > table.first:
        return table
    refresh_calendar(folder, code, first=earliest - timedelta(days=31))
    return cached.load(code, closures)


def _synthetic(
    settings: Settings, source: Source, days: Days, calendar: Path
) -> tuple[Mapping[str, Series], SessionTable]:
    """Return the market that a rehearsal with the same seed trades from the same first session on."""
    first = days[0]
    if first is None:
        raise UsageError("--synthetic needs --from: its market begins at a first session, as in 2026-11-20")
    table = _calendar(settings, calendar, first)
    begin = table.at_or_after(first)
    document = exchange_document(settings, calendar / f"{calendar_code(settings)}.json", begin.day)
    chosen = settings.rehearsal.seed if source.seed is None else source.seed
    document |= {"seed": chosen}
    with TemporaryDirectory(prefix="marketday-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(document))
        market = SyntheticMarket(load_config(path))
    sessions = [*_before(table, begin.day), *_between(table, begin.day, days[1] or begin.day)]
    return {symbol: _made(market, symbol, sessions) for symbol in settings.data.symbols}, table


def _made(market: SyntheticMarket, symbol: str, sessions: list[Session]) -> Series:
    parts = [market.bars(symbol, session) for session in sessions]
    return Series(MINUTE, *([v for part in parts for v in getattr(part, name).tolist()] for name in COLUMNS))


def _between(table: SessionTable, first: date, last: date) -> list[Session]:
    found: list[Session] = []
    session = table.at_or_after(first)
    while session.day <= last:
        found.append(session)
        session = table.at_or_after(session.day + timedelta(days=1))
    return found


def _before(table: SessionTable, day: date) -> list[Session]:
    found = [table.before(day)]
    while len(found) < WARM_UP_SESSIONS:
        found.insert(0, table.before(found[0].day))
    return found


def _span(table: SessionTable, series: Mapping[str, Series], days: Days) -> Span:
    """Return the sessions that the data covers, up to the last day asked for."""
    zone = ZoneInfo(table.timezone)
    begin = min(datetime.fromtimestamp(held.start[0], zone).date() for held in series.values())
    end = max(datetime.fromtimestamp(held.start[-1], zone).date() for held in series.values())
    first, last = days[0] or begin, min(end, days[1] or end)
    every = _between(table, begin, last) if begin <= last else []
    simulated = tuple(session for session in every if session.day >= first)
    if not simulated:
        raise UsageError(f"no session from {first} to {days[1] or end}: the data covers {begin} to {end}")
    return Span(tuple(session for session in every if session.day < first), simulated)
