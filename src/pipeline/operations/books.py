"""What a person may do with the books: adopt, balance, lock, unlock. Each is journalled, none trades."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.formatting import count
from pipeline.domain.journal import Kind
from pipeline.domain.ledger import Ledger
from pipeline.domain.reconcile import CASH_TOLERANCE, Statement, books_of, overdue, unequal
from pipeline.errors import UsageError
from pipeline.operations.bookkeeping import as_held
from pipeline.operations.desk import Desk
from pipeline.operations.reconciliation import fetch_statement, reconcile
from pipeline.ports import JournalPort

_SYMBOL = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}")


@dataclass(frozen=True, slots=True)
class Standing:
    """A symbol in the ledger. Units: :mod:`pipeline.domain.rules`.

    Attributes:
        quantity, cost: ours; external: what others hold in the account; cash: all that the ledger counts.
        lock: why nobody may trade it, "" when anybody may.
    """

    quantity: int
    cost: int
    external: int
    cash: int
    lock: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a person changed: a symbol ("" for cash alone), as it stood and as it stands.

    ``residual`` is the money in it that nobody explains.
    """

    symbol: str
    before: Standing
    after: Standing
    residual: int = 0


def standing(ledger: Ledger, symbol: str) -> Standing:
    """Return how a symbol stands in the ledger."""
    held, other = ledger.positions.get(symbol), ledger.external.get(symbol)
    return Standing(
        quantity=0 if held is None else held.quantity,
        cost=0 if held is None else held.cost,
        external=0 if other is None else other.quantity,
        cash=(ledger.cash or 0) + ledger.external_cash,
        lock=ledger.locks.get(symbol, ""),
    )


def adopt(desk: Desk, symbol: str, reason: str, by: str, now: datetime) -> Change:
    """Make what others traded in a symbol ours: shares, cost and cash. Exits watch it from then on.

    Raises:
        UsageError: no reason, nothing to adopt, or orders are open in the symbol.
        BrokerUnavailable: the books could not be compared.
    """
    _check(symbol, reason)
    reconcile(desk, "adopt", now)
    ledger = desk.journal.read()
    if symbol not in ledger.external_moves:
        others = ", ".join(sorted(ledger.external_moves)) or "in no symbol"
        raise UsageError(f"adopt {symbol}: nobody else traded it. Executions that are not ours: {others}")
    _refuse_open_orders(ledger, symbol, "adopt", _unlisted(ledger, symbol, now))
    before, other = standing(ledger, symbol), ledger.external.get(symbol)
    data = {
        "symbol": symbol,
        "quantity": before.external,
        "cost": 0 if other is None else other.cost,
        "cash": ledger.external_moves[symbol],
        "by": by,
        "reason": reason.strip(),
    }
    desk.journal.append(Kind.ADOPTED, data, now)
    reconcile(desk, "after adopt", now)
    return Change(symbol, before, standing(desk.journal.read(), symbol))


def balance(desk: Desk, symbol: str, reason: str, by: str, now: datetime) -> tuple[Change, ...]:
    """Set the ledger to what the broker proves to hold, and return what changed.

    The books are compared first, so that everything that has an explanation is booked under it; what is
    left is money that nobody explains, and is shown as that, not as profit or loss. An execution that the
    broker never listed is settled with its symbol.

    Args:
        symbol: one symbol and cash; "" for everything that differs.

    Raises:
        UsageError: no reason, nothing differs, orders are open in it, or two answers of the broker differ.
        BrokerUnavailable: not answered; nothing was changed.
    """
    if symbol or not reason.strip():
        _check(symbol, reason)
    reconcile(desk, "balance", now)
    statement = _proven(desk)
    ledger = desk.journal.read()
    differing = _to_balance(ledger, statement, symbol, now)
    for each in differing:
        _refuse_open_orders(ledger, each, "balance", _unlisted(ledger, each, now))
    before = {each: standing(ledger, each) for each in differing}
    residuals: dict[str, int] = {}
    for each in differing:
        data, residuals[each] = _balanced(desk.journal.read(), statement, each, now)
        desk.journal.append(Kind.BALANCED, data | {"by": by, "reason": reason.strip()}, now)
    reconcile(desk, "after balance", now)
    after = desk.journal.read()
    return tuple(Change(each, before[each], standing(after, each), residuals[each]) for each in differing)


def _proven(desk: Desk) -> Statement:
    """Return what the broker holds, when it says so twice."""
    first, second = fetch_statement(desk), fetch_statement(desk)
    if (first.cash, first.held) != (second.cash, second.held):
        raise UsageError("balance: two answers of the broker differ: the account is moving. Try again")
    return second


def _to_balance(ledger: Ledger, statement: Statement, symbol: str, now: datetime) -> tuple[str, ...]:
    """Return what differs, as asked for; cash alone is ""."""
    books = books_of(ledger, now)
    unlisted = {life.intent.symbol for life in ledger.open_lives if overdue(ledger, life, now)}
    differing = tuple(sorted({*unequal(books, statement), *unlisted}))
    cash_differs = abs(statement.cash - books.cash) > CASH_TOLERANCE
    if symbol and (symbol in differing or symbol in ledger.external or cash_differs):
        return (symbol,)
    if not symbol and (differing or cash_differs):
        return differing or ("",)
    named = f" {symbol}" if symbol else ""
    others = f"; what differs is {', '.join(differing)}" if differing else ""
    raise UsageError(f"balance{named}: nothing to balance: ledger and broker agree{others}")


def _balanced(
    ledger: Ledger, statement: Statement, symbol: str, now: datetime
) -> tuple[dict[str, object], int]:
    """Return the record that sets a symbol and cash to the statement, and its money that nobody explains."""
    there = next((held for held in statement.positions if held.symbol == symbol), None)
    held = None if there is None else as_held(there, now)
    quantity, cost = (0, 0) if held is None else (held.quantity, held.cost)
    ours = (ledger.positions.get(symbol), ledger.external.get(symbol))
    known = (ledger.cash or 0) + ledger.external_cash + sum(one.cost for one in ours if one is not None)
    residual = statement.cash + cost - known
    data: dict[str, object] = {"symbol": symbol, "quantity": quantity, "cost": cost, "cash": statement.cash}
    data["settled"] = _unlisted(ledger, symbol, now)
    return data | {"residual": residual}, residual


def _unlisted(ledger: Ledger, symbol: str, now: datetime) -> dict[str, int]:
    """Return what ended orders executed in a symbol that was never listed, by intent."""
    return {
        life.intent.id: life.filled - life.booked
        for life in ledger.open_lives
        if life.intent.symbol == symbol and life.state.terminal and overdue(ledger, life, now)
    }


def lock(journal: JournalPort, symbol: str, reason: str, by: str, now: datetime) -> None:
    """Keep a symbol from being entered until a person unlocks it. Exits go on.

    Raises:
        UsageError: no reason, or it is locked by a person already.
    """
    _check(symbol, reason)
    ledger = journal.read()
    holder = ledger.locked_by.get(symbol)
    if holder == by:
        raise UsageError(f"lock {symbol}: it is locked already, by {holder}: {ledger.locks[symbol]}")
    journal.append(Kind.LOCK, {"symbol": symbol, "reason": reason.strip(), "by": by}, now)


def unlock(journal: JournalPort, symbol: str, reason: str, by: str, now: datetime) -> str:
    """Let a symbol be traded again, whoever locked it; return why it was locked.

    What still differs locks it again at the next reconciliation.

    Raises:
        UsageError: no reason, or it is not locked.
    """
    _check(symbol, reason)
    ledger = journal.read()
    if symbol not in ledger.locks:
        locked = ", ".join(sorted(ledger.locks)) or "no symbol"
        raise UsageError(f"unlock {symbol}: it is not locked; locked now: {locked}")
    why = f"{ledger.locks[symbol]} (by {ledger.locked_by[symbol]})"
    data = {"symbol": symbol, "reason": None, "by": by, "why": reason.strip()}
    journal.append(Kind.LOCK, data, now)
    return why


def _check(symbol: str, reason: str) -> None:
    if not _SYMBOL.fullmatch(symbol):
        raise UsageError(f"SYMBOL {symbol!r}: no symbol looks like that; write it as the broker does: BRK.B")
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why', it stands in the journal for good")


def _refuse_open_orders(ledger: Ledger, symbol: str, verb: str, ended: Container[str] = ()) -> None:
    lives = [life.intent for life in ledger.open_lives if life.intent.id not in ended]
    ours = [intent.id for intent in lives if intent.symbol == symbol]
    theirs = [order.id for order in ledger.external_orders if order.symbol == symbol]
    moving = [*ours, *theirs]
    if moving:
        raise UsageError(
            f"{verb} {symbol}: {count(len(moving), 'order')} still open in it ({', '.join(moving[:3])}): "
            "wait for the end, or cancel it, then try again"
        )
