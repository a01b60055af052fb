"""Reconciliation: orders, fills, positions and cash, broker against ledger.

The broker is the truth for what exists, the ledger for what we meant.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.portfolio import Account, BrokerPosition, Position
from pipeline.domain.reconcile import CASH_TOLERANCE, Books, Discrepancy, Statement, compare
from pipeline.domain.rules.sizing import cost_of
from pipeline.domain.trading_state import TradingState
from pipeline.operations.climbing import enter
from pipeline.operations.desk import Desk
from pipeline.operations.recovery import record_fills, recover


def reconcile(desk: Desk, trigger: str, now: datetime) -> tuple[Discrepancy, ...]:
    """Book what the broker knows and we do not, compare the rest, journal the outcome and return it.

    A symbol that differs is locked until it agrees again; any difference halts trading.

    Raises:
        BrokerUnavailable: not answered, which is never "nothing there".
    """
    recover(desk, now)
    ledger = desk.journal.read()
    if ledger.cash is None:
        _open_books(desk, now)
    _book(desk, ledger, now)
    found = _compare(desk)
    if found and ledger.open_lives:
        # An order may have been filled between two of the questions: ask once more before alarming.
        recover(desk, now)
        _book(desk, ledger, now)
        found = _compare(desk)
    return _conclude(desk, found, trigger, now)


def _open_books(desk: Desk, now: datetime) -> None:
    """The ledger begins: adopt what the account holds."""
    account = desk.broker.fetch_account()
    held = {position.symbol: _adopted(position, now) for position in desk.broker.fetch_positions()}
    positions = {symbol: encode(position) for symbol, position in held.items()}
    desk.journal.append(Kind.OPENING, {"cash": account.cash, "positions": positions}, now)


def _adopted(held: BrokerPosition, now: datetime) -> Position:
    cost = cost_of(held.average_price, abs(held.quantity))
    return Position(held.symbol, held.quantity, cost if held.quantity > 0 else -cost, now)


def _book(desk: Desk, ledger: Ledger, now: datetime) -> None:
    since = (ledger.reconciled_at or now) - timedelta(days=1)
    record_fills(desk, desk.broker.fetch_fills(since), now)
    book_activities(desk, since, now)


def book_activities(desk: Desk, since: datetime, now: datetime) -> int:
    """Book fees, dividends, deposits and withdrawals that the ledger does not know; return how many."""
    ledger = desk.journal.read()
    before = ledger.seq
    for activity in desk.broker.fetch_cash_activities(since.date()):
        if activity.id not in ledger.activities and activity.at >= ledger.opened_at:
            desk.journal.append(Kind.CASH, encode(activity), now)
    return desk.journal.read().seq - before


def explain_cash(desk: Desk, account: Account, now: datetime) -> int:
    """Book what moved the account's cash other than fills, before anybody takes it for a profit or a loss.

    Nothing is asked while cash agrees. While orders are under way it may have moved with their fills, or
    not: a withdrawal taken for a drawdown would halt, or sell everything.
    """
    ledger = desk.journal.read()
    if ledger.cash is None or abs(account.cash - ledger.cash) <= CASH_TOLERANCE:
        return 0
    return book_activities(desk, now - timedelta(days=1), now)


def _compare(desk: Desk) -> tuple[Discrepancy, ...]:
    ledger = desk.journal.read()
    statement = Statement(
        cash=desk.broker.fetch_account().cash,
        positions=desk.broker.fetch_positions(),
        orders=desk.broker.fetch_open_orders(),
    )
    books = Books(
        cash=ledger.cash or 0,
        positions=ledger.positions,
        lives=ledger.open_lives,
        order_ids=frozenset(ledger.by_order),
    )
    return compare(books, statement)


def _conclude(
    desk: Desk, found: tuple[Discrepancy, ...], trigger: str, now: datetime
) -> tuple[Discrepancy, ...]:
    ledger = desk.journal.read()
    data = {
        "session": ledger.session.isoformat() if ledger.session else now.date().isoformat(),
        "clean": not found,
        "trigger": trigger,
        "discrepancies": [encode(one) for one in found],
    }
    desk.journal.append(Kind.RECONCILED, data, now)
    _lock_symbols(desk, ledger, found, now)
    if found and ledger.state.state < TradingState.HALTED:
        first = found[0]
        named = f"{first.kind} {first.symbol}".strip()
        reason = f"{named}: ledger {first.ledger}, broker {first.broker}"
        enter(desk, TradingState.HALTED, reason, "reconciliation", now)
    return found


def _lock_symbols(desk: Desk, ledger: Ledger, found: tuple[Discrepancy, ...], now: datetime) -> None:
    """Lock what differs; release what we locked ourselves and agrees again."""
    wrong = {one.symbol: f"reconciliation: {one.detail}" for one in found if one.symbol}
    for symbol, reason in sorted(wrong.items()):
        if symbol not in ledger.locks:
            desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason}, now)
    for symbol, reason in sorted(ledger.locks.items()):
        if reason.startswith("reconciliation:") and symbol not in wrong:
            desk.journal.append(Kind.LOCK, {"symbol": symbol, "reason": None}, now)
