"""How the ledger folds money and shares: executions, cash, splits, and what a person puts right.

Executions of orders that are not ours are kept apart from our own until a person adopts them,
so that nothing we did not decide is ever counted as our decision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.domain.codec import decode
from pipeline.domain.orders import Fill
from pipeline.domain.pnl import DEPOSIT, Tally, source_of
from pipeline.domain.portfolio import (
    Booking,
    CashActivity,
    Position,
    Split,
    apply_fill,
    cash_of,
    merged,
    split,
    undo_fill,
)

if TYPE_CHECKING:
    from pipeline.domain.journal import Record
    from pipeline.domain.ledger import Ledger


def open_books(ledger: Ledger, record: Record) -> None:
    """The account's cash and positions when the ledger began."""
    first = ledger.cash is None
    ledger.cash, ledger.opened_at = record.data["cash"], record.at
    ledger.positions = {
        symbol: decode(Position, held) for symbol, held in sorted(record.data["positions"].items())
    }
    if first and ledger.baseline is not None:
        begin_tally(ledger)


def begin_tally(ledger: Ledger) -> None:
    """Begin to count anew what moves equity, from the session's baseline on."""
    if ledger.cash is None or ledger.baseline is None:
        ledger.tally = None  # nothing can be explained before the books are open
        return
    held = (*ledger.positions.values(), *ledger.external.values())
    known = ledger.cash + ledger.external_cash + sum(one.cost for one in held)
    ledger.tally = Tally(start_unrealized=ledger.baseline.day_equity - known)


def _count(ledger: Ledger, source: str, amount: int) -> None:
    if ledger.tally is not None:
        ledger.tally = ledger.tally.plus(source, amount)


def _hold(held: dict[str, Position], symbol: str, position: Position | None) -> None:
    if position is None:
        held.pop(symbol, None)
    else:
        held[symbol] = position


def book_fill(ledger: Ledger, record: Record) -> None:
    """An execution of our own order; the same one twice is one."""
    fill = decode(Fill, record.data)
    if fill.id in ledger.fills:
        return
    ledger.fills[fill.id] = fill
    key = fill.intent_id or ledger.by_order.get(fill.order_id, "")
    _settle(ledger, key, fill.quantity - _found_again(ledger, key, fill.quantity))
    done = apply_fill(ledger.positions.get(fill.symbol), fill)
    _book(ledger, fill.symbol, done, cash_of(fill))
    ledger.realized[fill.id] = done.realized


def _settle(ledger: Ledger, key: str, quantity: int) -> None:
    """Count so much of an intent's executions as booked."""
    ledger.booked[key] = ledger.booked.get(key, 0) + quantity
    if key in ledger.lives:
        ledger.advance(ledger.lives[key])


def _found_again(ledger: Ledger, key: str, quantity: int) -> int:
    """Return how much of an execution had been written off, and counts as booked since."""
    found = min(ledger.given_up.get(key, 0), quantity)
    if found:
        ledger.given_up[key] -= found
    return found


def _write_off(ledger: Ledger, key: str, quantity: int) -> None:
    """An execution that is never listed settles its order; one that is listed after all is booked then."""
    ledger.given_up[key] = ledger.given_up.get(key, 0) + quantity
    _settle(ledger, key, quantity)


def _book(ledger: Ledger, symbol: str, done: Booking, cash: int) -> None:
    _hold(ledger.positions, symbol, done.position)
    _count(ledger, "realized", done.realized)
    if ledger.cash is not None:
        ledger.cash += cash


def book_external(ledger: Ledger, record: Record) -> None:
    """An execution of an order that is not ours; the same one twice is one."""
    fill = decode(Fill, record.data)
    if fill.id in ledger.external_fills or fill.id in ledger.fills:
        return
    ledger.external_fills[fill.id] = fill
    done = apply_fill(ledger.external.get(fill.symbol), fill)
    _book_external(ledger, fill.symbol, done, cash_of(fill))
    ledger.realized[fill.id] = done.realized


def _book_external(ledger: Ledger, symbol: str, done: Booking, cash: int) -> None:
    _hold(ledger.external, symbol, done.position)
    _count(ledger, "external", done.realized)
    ledger.external_moves[symbol] = ledger.external_moves.get(symbol, 0) + cash


def adopt(ledger: Ledger, record: Record) -> None:
    """What orders that are not ours did in a symbol becomes ours: shares, cost, cash and executions."""
    symbol = record.data["symbol"]
    done = merged(ledger.positions.get(symbol), ledger.external.pop(symbol, None))
    _book(ledger, symbol, done, ledger.external_moves.pop(symbol, 0))
    ledger.restated[record.seq] = done.realized
    for fill_id in [key for key, fill in ledger.external_fills.items() if fill.symbol == symbol]:
        ledger.fills[fill_id] = ledger.external_fills.pop(fill_id)


def balance(ledger: Ledger, record: Record) -> None:
    """A person sets the ledger to what the broker holds; what nobody can explain is counted as that.

    ``settled`` are executions that were never listed, by intent: what they moved is in it.
    """
    data, symbol = record.data, record.data["symbol"]
    for key, quantity in sorted(data.get("settled", {}).items()):
        _write_off(ledger, key, quantity)
    before = _worth(ledger, symbol)
    ledger.external.pop(symbol, None)
    ledger.external_moves.pop(symbol, None)
    if symbol:
        held = Position(symbol, data["quantity"], data["cost"], record.at) if data["quantity"] else None
        _hold(ledger.positions, symbol, _since_before(held, ledger.positions.get(symbol)))
    ledger.cash = data["cash"] - ledger.external_cash
    _count(ledger, "balanced", _worth(ledger, symbol) - before)


def _worth(ledger: Ledger, symbol: str) -> int:
    """Return all cash, and what is held of a symbol at cost."""
    held = (ledger.positions.get(symbol), ledger.external.get(symbol))
    return (ledger.cash or 0) + ledger.external_cash + sum(one.cost for one in held if one is not None)


def _since_before(held: Position | None, before: Position | None) -> Position | None:
    if held is None or before is None or (held.quantity > 0) != (before.quantity > 0):
        return held
    return replace(held, opened_at=before.opened_at)


def bust(ledger: Ledger, record: Record) -> None:
    """The broker took an execution back. What was booked of its order stays booked: it was executed once.

    One that was taken back before it was booked only settles its order.
    """
    fill_id = record.data["fill_id"]
    if fill_id in ledger.busts:
        return
    ledger.busts.add(fill_id)
    if record.data.get("unbooked"):
        never = decode(Fill, record.data["fill"])
        _write_off(ledger, never.intent_id, never.quantity)
        return
    realized = ledger.realized.get(fill_id, 0)
    foreign = ledger.external_fills.get(fill_id)
    if foreign is not None:
        done = undo_fill(ledger.external.get(foreign.symbol), foreign, realized)
        _book_external(ledger, foreign.symbol, done, -cash_of(foreign))
        return
    fill = ledger.fills[fill_id]
    done = undo_fill(ledger.positions.get(fill.symbol), fill, realized)
    _book(ledger, fill.symbol, done, -cash_of(fill))
    ledger.restated[record.seq] = done.realized


def split_shares(ledger: Ledger, record: Record) -> None:
    """Shares are counted anew, ours and others', once: cost stays, so that entry prices and stops follow.

    ``rescale`` is False for shares bought in new ones already.
    """
    data = record.data
    done = Split(
        data["activity_id"],
        data["symbol"],
        data["numerator"],
        data["denominator"],
        datetime.fromisoformat(data["at"]),
    )
    if any(one.activity_id == done.activity_id for one in ledger.splits):
        return
    ledger.splits = (*ledger.splits, done)
    for held in (ledger.positions, ledger.external):
        if done.symbol in held and data.get("rescale", True):
            _hold(held, done.symbol, split(held[done.symbol], done.numerator, done.denominator))
    _split_target(ledger, done, data.get("rescale", True))
    taken = ledger.snapshot
    if taken is not None and done.symbol in taken.prices:
        price = taken.prices[done.symbol] * done.denominator // done.numerator
        ledger.snapshot = replace(taken, prices={**taken.prices, done.symbol: price})


def _split_target(ledger: Ledger, done: Split, rescale: bool) -> None:
    """What a stop leaves of a position is counted anew with it, or half would be sold twice over."""
    change = ledger.state
    if rescale and done.symbol in change.targets:
        kept = change.targets[done.symbol] * done.numerator // done.denominator
        ledger.state = replace(change, targets={**change.targets, done.symbol: kept})


def book_cash(ledger: Ledger, record: Record) -> None:
    """Money that moved other than by an execution; the owner's own moves every baseline with it."""
    activity = decode(CashActivity, record.data)
    if activity.id in ledger.activities:
        return
    ledger.activities[activity.id] = activity
    if ledger.cash is not None:
        ledger.cash += activity.amount
    source = source_of(activity.kind)
    _count(ledger, source, activity.amount)
    if source != DEPOSIT:
        return
    ledger.deposits_since_snapshot += activity.amount
    if ledger.baseline is not None:
        base, amount = ledger.baseline, activity.amount
        ledger.baseline = replace(
            base,
            day_equity=base.day_equity + amount,
            month_equity=base.month_equity + amount,
            peak_equity=base.peak_equity + amount,
        )
