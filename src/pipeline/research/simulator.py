"""The event simulator: live trading's decisions, ladder and order life over history, tick by tick.

A pass does what the bodies of ``intraday-tick`` and ``risk-monitor`` do, in the same order: recover, look,
keep the limits, decide, send, record. Decisions, gates, sizing, stops, the ladder and the fills are live
trading's own functions; instead of a journal there are values (:mod:`pipeline.research.books`), instead of a
broker an account (:mod:`pipeline.research.account`). Nobody resumes, vetoes or trades by hand in here: a
latched state lasts to the end. Everything is an integer; the same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.domain.decide import Identity, Judged, decide
from pipeline.domain.gates import View
from pipeline.domain.ladder import size_factor
from pipeline.domain.market import Defect, Instrument
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.risk import RiskLimits
from pipeline.domain.session import Session
from pipeline.domain.signals import Signal, Strategy
from pipeline.domain.stops import EmergencyPlan, beyond_target
from pipeline.research.account import Account, Costs
from pipeline.research.books import Books
from pipeline.research.feed import Feed, Sight
from pipeline.research.history import Day, History
from pipeline.research.keeping import Keeper
from pipeline.research.results import Decided, Point, Result

_A_MINUTE = timedelta(minutes=1)
_LONGEST_HOLD = timedelta(hours=2)

NO_COSTS_SAID = Costs()
JUST_HALT = EmergencyPlan()

Steps = Mapping[str, tuple[str, ...]]
"""The named steps of each procedure: what ``market-open`` enables, and so on."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated: a configuration in domain words.

    Attributes:
        allocations: by strategy, the fraction of a full position it may take, ppm.
        cash: money at the beginning.
        reconcile_every: how often books are compared in a session: a stop that reduces waits for it.
    """

    identity: Identity
    symbols: tuple[str, ...]
    strategies: tuple[Strategy, ...]
    allocations: Mapping[str, int]
    limits: RiskLimits
    instruments: Mapping[str, Instrument]
    cash: int
    costs: Costs = NO_COSTS_SAID
    emergency: EmergencyPlan = JUST_HALT
    steps: Steps = field(default_factory=dict)
    reconcile_every: timedelta | None = timedelta(minutes=10)


def simulate(history: History, setup: Setup, told: Callable[[Day], None] = lambda _day: None) -> Result:
    """Trade every day of ``history`` and return what came of it.

    Args:
        told: called after each session, for a progress bar.
    """
    run = _Run(history, setup)
    for day in history.days:
        run.trade(day)
        told(day)
    return run.result()


class _Run:
    """One simulation under way."""

    def __init__(self, history: History, setup: Setup) -> None:
        self._history = history
        self._setup = setup
        self._account = Account(history.series, setup.costs, setup.cash)
        self._books = Books(self._account)
        self._keeper = Keeper(self._books, setup.limits, setup.emergency, setup.reconcile_every)
        lookback = max(strategy.lookback for strategy in setup.strategies)
        self._feed = Feed(history, setup.limits, lookback)
        self._decisions: list[Decided] = []
        self._curve: list[Point] = []

    def trade(self, day: Day) -> None:
        """Carry out everything that is planned for a session, in order."""
        self._account.begin(day.session)
        for name, instant in day.runs:
            self._account.advance(instant)
            if name == "intraday-tick":
                self._pass(day.session, instant, ticking=True)
            elif name == "risk-monitor":
                self._pass(day.session, instant, ticking=False)
            else:
                self._procedure(name, day, instant)

    def result(self) -> Result:
        """Return what came of it so far."""
        return Result(
            cash=self._setup.cash,
            sessions=tuple(day.session.day for day in self._history.days),
            decisions=tuple(self._decisions),
            executions=tuple(self._account.executions),
            curve=tuple(self._curve),
            states=tuple(self._books.states),
            orders=sum(life.sends > 0 for life in self._books.ledger.lives.values()),
            rejected=self._books.rejected,
        )

    def _procedure(self, name: str, day: Day, now: datetime) -> None:
        """Do what a procedure's steps do to trading; everything else they do is for people."""
        ledger, steps = self._books.ledger, self._setup.steps.get(name, ())
        if name == "plan-session":
            self._books.begin(day.session.day)
            return
        self._keeper.finish_stop(now)
        if name in ("pre-market", "post-market") or "check_position_status" in steps:
            self._keeper.reconcile(now)
        if "enable_trading" in steps:
            ledger.entries_enabled = not ledger.state.state.latched
        if "disable_new_positions" in steps:
            ledger.entries_enabled = False
            for life in ledger.open_lives:
                self._books.cancel(life, "the session is over", now)

    def _pass(self, session: Session, now: datetime, *, ticking: bool) -> None:
        """Recover, look, keep the limits, decide, record, send: a tick, or a monitor pass between two."""
        books, account = self._books, self._account
        self._keeper.finish_stop(now)
        books.recover()
        sight = self._feed.look(now) if ticking else self._feed.quotes(account, now)
        equity, cash, power = account.equity(), account.cash, account.buying_power()

        def view() -> View:
            return self._view(session, sight, (equity, cash, power))

        self._keeper.keep(session, view, equity, now)
        if not ticking:
            self._keeper.settle_stop(now)
        signals = self._signals(sight) if ticking else ()
        judged = decide(view(), signals, self._setup.limits, self._setup.identity, self._setup.allocations)
        for intent_id in self._record(judged, now):
            life = books.ledger.lives[intent_id]
            self._keeper.send(life, life.intent.quantity, now)
        if ticking:
            books.snapshot(now, equity, cash)
            state = books.ledger.state.state
            self._curve.append(Point(now, session.day, equity, cash, equity - cash, state))
        self._keeper.finish_new_stop(now)

    def _view(self, session: Session, sight: Sight, money: tuple[int, int, int]) -> View:
        """Return what a decision sees: the market, and the books after recovery."""
        ledger, limits, instant = self._books.ledger, self._setup.limits, sight.instant
        state = ledger.state.state
        left = (session.close - instant) // timedelta(seconds=1)
        return View(
            instant=instant,
            seconds_to_close=max(0, left),
            bar_seconds=int(self._history.length.total_seconds()),
            equity=money[0],
            cash=money[1],
            buying_power=money[2],
            positions=ledger.closable,
            lives=ledger.open_lives,
            prices=sight.prices,
            prices_at=sight.prices_at,
            instruments=self._setup.instruments,
            state=state,
            size_factor=size_factor(state, ledger.resumed_sessions, limits.ladder),
            entries_enabled=ledger.entries_enabled,
            locks={},
            sent=ledger.sent_today,
            sent_in_minute=_sent_in_minute(ledger.lives, instant),
            flaws=sight.flaws,
            outside_hours=not session.is_open(instant),
            excess=self._excess(),
        )

    def _excess(self) -> dict[str, int]:
        """Return what an automatic stop still wants sold; nothing before the books agreed after it."""
        ledger = self._books.ledger
        change = ledger.state
        if ledger.reconciled_at is None or ledger.reconciled_at <= change.at:
            return {}
        wanted = {key: beyond_target(change, key, held.quantity) for key, held in ledger.positions.items()}
        return {symbol: quantity for symbol, quantity in wanted.items() if quantity}

    def _signals(self, sight: Sight) -> tuple[Signal, ...]:
        """Return every strategy's wish for every symbol whose newest bar ended just now."""
        torn = {one for one, flaws in sight.flaws.items() if any(flaw.defect is Defect.GAP for flaw in flaws)}
        wishes = []
        for strategy in self._setup.strategies:
            for symbol in self._setup.symbols:
                bars = sight.bars.get(symbol, ())
                fresh = sight.prices_at.get(symbol) == sight.instant and symbol not in torn
                if fresh and len(bars) >= strategy.lookback:
                    wishes.append(strategy.decide(bars[-strategy.lookback :]))
        return tuple(wishes)

    def _record(self, judged: Sequence[Judged], now: datetime) -> list[str]:
        """Note each verdict and each intent; return what may be sent at once."""
        ready = []
        for one in judged:
            self._decisions.append(Decided(now, one))
            if one.intent is None or not self._made_way(one, now):
                continue
            self._books.plan(one, now)
            if one.intent.release_at is None:
                ready.append(one.intent.id)
        return ready

    def _made_way(self, judged: Judged, now: datetime) -> bool:
        """Before an exit: give up one that is held, cancel what is left of the entry; tell if both ended."""
        if not judged.proposal.purpose.reduces:
            return True
        gone = True
        for life in self._books.ledger.open_lives:
            superseded = life.state is IntentState.HELD or not life.intent.purpose.reduces
            if life.intent.symbol != judged.proposal.symbol or not superseded:
                continue
            if not life.cancel_requested:
                self._books.cancel(life, judged.proposal.purpose.value, now)
            ended = self._books.look_again(life.intent.id).state.terminal
            gone = gone and (ended or life.cancel_requested)
        return gone


def _sent_in_minute(lives: dict[str, OrderLife], instant: datetime) -> int:
    """Return how many orders were sent in the sixty seconds before ``instant``; ``lives`` oldest first."""
    count = 0
    for life in reversed(lives.values()):
        if instant - life.intent.decided_at > _LONGEST_HOLD:
            break
        count += life.sent_at is not None and instant - life.sent_at < _A_MINUTE
    return count
