"""Alpaca's JSON in our words, and only the fields we need.

Alpaca adds, removes and renames fields monthly (FAULTS K4): everything not listed here is ignored,
everything that can be missing has a documented default, and what cannot is :class:`Unreadable`.
Numbers come as strings or as JSON numbers; both are read exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.adapters.alpaca.account import account_mode
from pipeline.domain.market import Instrument
from pipeline.domain.money import QTY_SCALE, to_money, to_price, to_qty
from pipeline.domain.orders import Fill, IntentState, Order, Side
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.ports import BrokerClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When an order was submitted, if the broker does not say."""

LIVE_STATUSES = frozenset(
    {
        "accepted",
        "accepted_for_bidding",
        "calculated",
        "done_for_day",
        "held",
        "new",
        "partial_fill",
        "partially_filled",
        "pending_cancel",
        "pending_new",
        "pending_replace",
        "pending_review",
        "stopped",
        "suspended",
    }
)
FINAL_STATUSES: Mapping[str, IntentState] = {
    "filled": IntentState.FILLED,
    "canceled": IntentState.CANCELLED,
    # The order under this id has ended; what replaced it has an id of its own.
    "replaced": IntentState.CANCELLED,
    "expired": IntentState.EXPIRED,
    "rejected": IntentState.REJECTED,
}

# A share may be bought in 10⁻⁹ (docs.alpaca.markets, "Fractional Trading").
_SMALLEST_FRACTION = 1
_CENT = 100
_USABLE = frozenset({"ACTIVE", "PAPER_ONLY"})


class Unreadable(ValueError):
    """A body that lacks what we need. Never leaves this adapter."""


def _record(raw: object) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise Unreadable(f"expected an object, got {type(raw).__name__}")
    return raw


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is {value!r}")
    return value


def _number(raw: Mapping[str, Any], name: str) -> str | int | float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable(f"{name} is {value!r}")
    return value


def _price_or_none(raw: Mapping[str, Any], name: str) -> int | None:
    return None if raw.get(name) is None else to_price(_number(raw, name))


def _first(raw: Mapping[str, Any], *names: str) -> str:
    """Return the first of ``names`` that is told; the error names the first one."""
    return next((name for name in names if raw.get(name) not in (None, "")), names[0])


def _side(raw: Mapping[str, Any]) -> Side:
    # FILL activities also say "sell_short".
    return Side.SELL if _text(raw, "side").startswith("sell") else Side.BUY


def parse_instant(value: object) -> datetime:
    """Return an RFC 3339 instant as UTC; nanoseconds are cut to microseconds. Raises Unreadable."""
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Unreadable(f"{value!r} is not an instant") from error
    if instant.tzinfo is None:
        raise Unreadable(f"{value!r} has no time zone")
    return instant.astimezone(UTC)


def parse_order(body: object) -> Order:
    """Return an order.

    An unknown status, or an answer that does not tell how much was filled, is ``UNKNOWN``. A notional
    order has no quantity: it is what was filled so far. Raises Unreadable.
    """
    raw = _record(body)
    told = raw.get("filled_qty") is not None
    filled = to_qty(_number(raw, "filled_qty")) if told else 0
    status = str(raw.get("status") or "")
    moment = _first(raw, "submitted_at", "created_at", "updated_at")
    return Order(
        id=_text(raw, "id"),
        client_id=str(raw.get("client_order_id") or ""),
        symbol=_text(raw, "symbol"),
        side=_side(raw),
        quantity=filled if raw.get("qty") is None else to_qty(_number(raw, "qty")),
        filled=filled,
        average_price=_price_or_none(raw, "filled_avg_price") or 0,
        state=order_state(status, filled) if told else IntentState.UNKNOWN,
        raw_status=status,
        submitted_at=parse_instant(raw[moment]) if raw.get(moment) else EPOCH,
    )


def order_state(status: str, filled: int) -> IntentState:
    """Return our word for Alpaca's status; one that we have never heard of is UNKNOWN."""
    if status in LIVE_STATUSES:
        return IntentState.PARTIAL if filled else IntentState.ACKED
    return FINAL_STATUSES.get(status, IntentState.UNKNOWN)


def parse_fill(body: object) -> Fill:
    """Return an execution from a FILL activity; Alpaca does not tell our id. Raises Unreadable."""
    raw = _record(body)
    return Fill(
        id=_text(raw, "id"),
        order_id=_text(raw, "order_id"),
        intent_id=str(raw.get("client_order_id") or ""),
        symbol=_text(raw, "symbol"),
        side=_side(raw),
        quantity=to_qty(_number(raw, "qty")),
        price=to_price(_number(raw, "price")),
        at=parse_instant(raw.get("transaction_time")),
    )


def parse_position(body: object) -> BrokerPosition | None:
    """Return a position, short ones negative, or None for one of zero shares.

    ``price`` is 0 when the broker knows no current one; ``available`` is all of it unless it says less.
    Raises Unreadable.
    """
    raw = _record(body)
    size = abs(to_qty(_number(raw, "qty")))
    if size == 0:
        return None
    short = raw.get("side") == "short" or str(raw["qty"]).startswith("-")
    available = abs(to_qty(_number(raw, _first(raw, "qty_available", "qty"))))
    sign = -1 if short else 1
    return BrokerPosition(
        symbol=_text(raw, "symbol"),
        quantity=sign * size,
        available=sign * available,
        average_price=to_price(_number(raw, "avg_entry_price")),
        price=_price_or_none(raw, "current_price") or 0,
    )


def parse_account(body: object) -> Account:
    """Return the account; its mode is read off its number. Raises Unreadable.

    A status that is not known to be usable blocks it; a missing buying power is read as the cash.
    """
    raw = _record(body)
    number = _text(raw, "account_number")
    blocks = ("account_blocked", "trading_blocked", "trade_suspended_by_user")
    return Account(
        number=number,
        mode=account_mode(number),
        equity=to_money(_number(raw, _first(raw, "equity", "portfolio_value"))),
        cash=to_money(_number(raw, "cash")),
        buying_power=to_money(_number(raw, _first(raw, "buying_power", "cash"))),
        blocked=any(raw.get(name) for name in blocks) or raw.get("status", "ACTIVE") not in _USABLE,
        currency=str(raw.get("currency") or "USD"),
    )


def parse_cash_activity(body: object) -> CashActivity | None:
    """Return a movement of money, or None when none moved (a split, a cancelled entry). Raises Unreadable."""
    raw = _record(body)
    if raw.get("net_amount") in (None, "") or raw.get("status") == "canceled":
        return None
    amount = to_money(_number(raw, "net_amount"))
    if amount == 0:
        return None
    created = raw.get("created_at")
    return CashActivity(
        id=_text(raw, "id"),
        kind=_text(raw, "activity_type"),
        amount=amount,
        # ``date`` is a day, the only time that older entries carry.
        at=parse_instant(created) if created else parse_instant(f"{_text(raw, 'date')[:10]}T00:00:00Z"),
        description=" ".join(str(raw[name]) for name in ("symbol", "description") if raw.get(name)),
    )


def parse_clock(body: object) -> BrokerClock:
    """Return the broker's time and session. Raises Unreadable."""
    raw = _record(body)
    is_open = raw.get("is_open")
    if not isinstance(is_open, bool):
        raise Unreadable(f"is_open is {is_open!r}")
    return BrokerClock(
        now=parse_instant(raw.get("timestamp")),
        is_open=is_open,
        next_open=parse_instant(raw.get("next_open")),
        next_close=parse_instant(raw.get("next_close")),
    )


def parse_instrument(body: object) -> Instrument:
    """Return what may be traded, and in which steps. Raises Unreadable."""
    raw = _record(body)
    fractionable = bool(raw.get("fractionable"))
    lot = _SMALLEST_FRACTION if fractionable else QTY_SCALE
    if raw.get("min_trade_increment") is not None:
        lot = max(to_qty(_number(raw, "min_trade_increment")), 1)
    step = _price_or_none(raw, "price_increment")
    return Instrument(
        symbol=_text(raw, "symbol"),
        price_increment=_CENT if step is None else max(step, 1),
        lot=lot,
        tradable=bool(raw.get("tradable")) and raw.get("status", "active") == "active",
        fractionable=fractionable,
    )
