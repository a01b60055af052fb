"""Reconciliation: orders, executions, positions, cash and activities, broker against ledger.

The broker is the truth for what exists, the ledger for what we meant. What others did is kept apart
and keeps its symbol from trading; what nobody can explain halts. Nothing is ever put right by trading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from pipeline.domain.codec import encode
from pipeline.domain.corporate import CorporateAction
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION, Ledger
from pipeline.domain.orders import Fill, IntentState, Order
from pipeline.domain.pnl import explain, residual, unrealized
from pipeline.domain.portfolio import Account
from pipeline.domain.reconcile import (
    CASH_TOLERANCE,
    CORPORATE_ACTION,
    ENDED_ORDER,
    Discrepancy,
    Statement,
    awaits,
    books_of,
    compare,
    ended_orders,
    external_orders,
    sightings,
)
from pipeline.domain.rules.limits import beyond_collar
from pipeline.domain.rules.sizing import share
from pipeline.domain.trading_state import TradingState
from pipeline.errors import BrokerRefused
from pipeline.failpoints import reach
from pipeline.operations import bookkeeping
from pipeline.operations.climbing import enter
from pipeline.operations.desk import Desk
from pipeline.operations.recovery import recover
from pipeline.operations.sending import ask_to_cancel

_IN_DOUBT = (IntentState.SENDING, IntentState.UNKNOWN)
_MOVED = frozenset({"position", "cash"})
"""Kinds of what differs when an execution is in one of the broker's lists and not in the other."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look found. ``gone``: executions that the broker took back, unless its lists lag."""

    statement: Statement
    found: tuple[Discrepancy, ...]
    gone: tuple[Fill, ...] = ()


def reconcile(desk: Desk, trigger: str, now: datetime) -> tuple[Discrepancy, ...]:
    """Book what the broker knows and we do not, compare the rest, journal the outcome and return it.

    A symbol that differs is locked until it agrees again; what nothing explains halts trading.

    Raises:
        BrokerUnavailable: not answered, which is never "nothing there".
    """
    doubtful = frozenset(recover(desk, now).unreadable)
    if desk.journal.read().cash is None:
        bookkeeping.open_books(desk, now)
    look = _look(desk, trigger, now, doubtful)
    if look.found and desk.journal.read().open_lives:
        # An order may have been filled between two of the questions: ask once more before alarming.
        doubtful = frozenset(recover(desk, now).unreadable)
        look = _look(desk, trigger, now, doubtful)
    _conclude(desk, look, trigger, now)
    return look.found


def _look(desk: Desk, trigger: str, now: datetime, doubtful: frozenset[str]) -> _Look:
    """Book, ask what is there, and compare; what differs is asked for its reason before it is one."""
    ledger = desk.journal.read()
    listed, unread = bookkeeping.book_executions(desk, now, doubtful)
    since = bookkeeping.since_last(ledger, now)
    unread += bookkeeping.book_activities(desk, since, now)
    reach("in_reconcile")
    statement = replace(fetch_statement(desk, unread), doubtful=doubtful)
    bookkeeping.give_up_unlisted(desk, statement, now)
    found = compare(books_of(desk.journal.read(), now), statement)
    if not found and trigger not in ("pre-market", "market-open"):
        return _Look(statement, found)
    actions = bookkeeping.fetch_actions(desk, now)
    booked = bookkeeping.book_splits(desk, actions, statement.held, now)
    busts, gone = bookkeeping.book_busts(desk, listed, statement, now)
    if booked or busts:
        found = compare(books_of(desk.journal.read(), now), statement)
    done = {one.activity_id for one in desk.journal.read().splits}
    left = [action for action in actions if action.id not in done]
    settled = (replace(one, settling=True) if gone and one.kind in _MOVED else one for one in found)
    return _Look(statement, tuple(_named(one, left) for one in settled), gone)


def fetch_statement(desk: Desk, unread: tuple[str, ...] = ()) -> Statement:
    """Return what the broker holds now.

    Raises:
        BrokerUnavailable: not answered, in whole or in part.
    """
    account = desk.broker.fetch_account()
    return Statement(
        cash=account.cash,
        positions=desk.broker.fetch_positions(),
        orders=desk.broker.fetch_open_orders(),
        equity=account.equity,
        unreadable=unread,
    )


def _named(one: Discrepancy, actions: Sequence[CorporateAction]) -> Discrepancy:
    """Return a difference in shares under the name of the corporate action that speaks of its symbol."""
    for action in actions:
        words = {action.symbol, *re.findall(r"[A-Z][A-Z0-9.\-]*", action.description)}
        if one.kind == "position" and one.symbol in words:
            told = f"{action.kind.value} {action.id}: {action.description or action.symbol}"
            # A split that does not give what is there explains nothing: something else moved as well.
            return replace(one, kind=one.kind if action.rescales else CORPORATE_ACTION, detail=told)
    return one


def _conclude(desk: Desk, look: _Look, trigger: str, now: datetime) -> None:
    ledger, statement, found = desk.journal.read(), look.statement, look.found
    sighted = sightings(ledger, statement, look.gone, now)
    orders = external_orders(books_of(ledger, now), statement)
    _lock_new_orders(desk, ledger, orders, now)
    data = {
        "session": ledger.session.isoformat() if ledger.session else now.date().isoformat(),
        "clean": not found,
        "trigger": trigger,
        "discrepancies": [encode(one) for one in found],
        "external_orders": [encode(order) for order in orders],
        "settling": any(one.settling for one in found),
        "sighted": {key: since.isoformat() for key, since in sighted.items()},
        **_explained(desk, ledger, statement, found),
    }
    desk.journal.append(Kind.RECONCILED, data, now)
    _lock_symbols(desk, ledger, found, orders, now)
    halting = [one for one in found if one.halts]
    if halting and ledger.state.state < TradingState.HALTED:
        first = halting[0]
        named = f"{first.kind} {first.symbol}".strip()
        reason = f"{named}: ledger {first.ledger}, broker {first.broker}"
        enter(desk, TradingState.HALTED, reason, RECONCILIATION, now)
    _cancel_ended(desk, look, now)


def _cancel_ended(desk: Desk, look: _Look, now: datetime) -> None:
    """Cancel what is open at the broker although it had ended: nobody else would.

    Raises:
        BrokerUnavailable: the request may not have arrived; the next look asks again.
    """
    ledger = desk.journal.read()
    certain = {one.broker for one in look.found if one.kind == ENDED_ORDER and one.halts}
    for order_id, key in ended_orders(books_of(ledger, now), look.statement).items():
        if order_id not in certain:
            continue
        if not ledger.lives[key].cancel_requested:
            data = {"intent_id": key, "reason": f"it had ended, and is open as order {order_id}"}
            desk.journal.append(Kind.CANCEL, data, now)
        with suppress(BrokerRefused):  # it has ended after all: the next look tells
            ask_to_cancel(desk, order_id)


def _explained(
    desk: Desk, ledger: Ledger, statement: Statement, found: tuple[Discrepancy, ...]
) -> dict[str, object]:
    """Return where the session's change of equity comes from, and what of it nothing explains.

    Nothing while executions are under way or books differ: then cash or shares are known to be missing.
    """
    moving = any(awaits(life) for life in ledger.open_lives)
    if ledger.tally is None or ledger.baseline is None or found or moving:
        return {}
    prices = {position.symbol: position.price for position in statement.positions}
    explained = explain(
        ledger.tally, unrealized(ledger.positions, prices), unrealized(ledger.external, prices)
    )
    base = ledger.baseline.day_equity
    left = residual(statement.equity, base, explained)
    return {
        "equity": statement.equity,
        "change": statement.equity - base,
        "explained": encode(explained),
        "deposits": ledger.tally.deposit,
        "residual": left,
        "alarming": abs(left) > share(statement.equity, desk.plan.residual_limit),
    }


def _lock_new_orders(desk: Desk, ledger: Ledger, orders: Sequence[Order], now: datetime) -> None:
    """Lock the symbols of orders that others made since the last look: their fills would be told too late."""
    seen = {order.id for order in ledger.external_orders}
    for order in orders:
        if order.id not in seen and order.symbol not in desk.journal.read().locks:
            reason = f"external: order {order.id} is open, and not ours"
            _lock(desk, order.symbol, reason, RECONCILIATION, now)


def _lock_symbols(
    desk: Desk,
    ledger: Ledger,
    found: tuple[Discrepancy, ...],
    orders: Sequence[Order],
    now: datetime,
) -> None:
    """Lock what differs or is awaited; release what we locked ourselves, when it agrees and is only ours."""
    wrong = {one.symbol: one for one in found if one.symbol}
    for symbol, one in sorted(wrong.items()):
        grave = one.kind == CORPORATE_ACTION or (one.kind == ENDED_ORDER and not one.settling)
        if grave and ledger.locked_by.get(symbol) in (None, RECONCILIATION):
            _lock(desk, symbol, one.detail, QUARANTINE, now)
        elif symbol not in ledger.locks:
            _lock(desk, symbol, f"reconciliation: {one.detail}", RECONCILIATION, now)
    awaited = {life.intent.symbol for life in ledger.open_lives if awaits(life)}
    for symbol in sorted(awaited - {*ledger.locks, *wrong}):
        _lock(desk, symbol, f"{RECONCILIATION}: an execution is not listed yet", RECONCILIATION, now)
    others = {*ledger.external, *(order.symbol for order in orders), *awaited}
    for symbol, by in sorted(ledger.locked_by.items()):
        if by == RECONCILIATION and symbol not in wrong and symbol not in others:
            _lock(desk, symbol, None, RECONCILIATION, now)


def _lock(desk: Desk, symbol: str, reason: str | None, by: str, now: datetime) -> None:
    desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason, "by": by}, now)


def watch_books(
    desk: Desk, account: Account, now: datetime, prices: Mapping[str, int] = MappingProxyType({})
) -> str:
    """Reconcile when it is due, and return why, "" when it was not.

    Due is: every so many minutes; after an order whose outcome was unknown; after a look that found the
    broker's lists in disagreement; while an execution is awaited; when the price of something held jumped,
    for a split looks like a crash until it is booked; and at once when cash moved that nothing explains,
    which every trade by hand does. Asking that costs nothing: the account was fetched anyway.
    """
    explain_cash(desk, account, now)
    trigger = _due(desk, account, now) or _jumped(desk, prices, now)
    if trigger:
        reconcile(desk, trigger, now)
    return trigger


def _due(desk: Desk, account: Account, now: datetime) -> str:
    ledger = desk.journal.read()
    last = ledger.reconciled_at
    if ledger.cash is None or last is None:
        return ""  # the books are opened by pre-market
    in_doubt = any(life.state in _IN_DOUBT for life in ledger.open_lives)
    if ledger.doubted_at is not None and last <= ledger.doubted_at < now and not in_doubt:
        return "after an unknown"
    if last > now:
        return "the clock went back"
    if ledger.settling and last < now:
        return "after a disagreement"
    if last < now and ledger.clean and (ledger.sighted or any(awaits(life) for life in ledger.open_lives)):
        return "an execution is awaited"
    if last < now and ledger.clean and _cash_gap(ledger, account) and not _moving(ledger):
        return "cash moved"
    every = desk.plan.reconcile_every
    return "every so often" if every and now - last >= every else ""


def _jumped(desk: Desk, prices: Mapping[str, int], now: datetime) -> str:
    """Say which holding's price moved beyond the collar since the last snapshot, "" when none did."""
    ledger = desk.journal.read()
    if ledger.snapshot is None or ledger.reconciled_at is None or ledger.reconciled_at >= now:
        return ""
    before = ledger.snapshot.prices
    for symbol in sorted({*ledger.positions, *ledger.external}):
        known = symbol in prices and symbol in before
        if known and beyond_collar(prices[symbol], before[symbol], desk.limits.price_collar):
            return f"the price of {symbol} jumped"
    return ""


def _moving(ledger: Ledger) -> bool:
    return any(life.state.at_broker or awaits(life) for life in ledger.open_lives)


def _cash_gap(ledger: Ledger, account: Account) -> bool:
    return abs(account.cash - (ledger.cash or 0) - ledger.external_cash) > CASH_TOLERANCE


def explain_cash(desk: Desk, account: Account, now: datetime) -> int:
    """Book what moved the account's cash other than fills, before anybody takes it for a profit or a loss.

    Nothing is asked while cash agrees. While orders are under way it may have moved with their fills, or
    not: a withdrawal taken for a drawdown would halt, or sell everything.
    """
    ledger = desk.journal.read()
    if ledger.cash is None or not _cash_gap(ledger, account):
        return 0
    before = ledger.seq
    bookkeeping.book_activities(desk, now - timedelta(days=1), now)
    return desk.journal.read().seq - before
