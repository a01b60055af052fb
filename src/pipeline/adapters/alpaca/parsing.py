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
from pipeline.domain.orders import IntentState, Order, Side
from pipeline.domain.portfolio import Account, BrokerPosition
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
REPLACED = "replaced"
FINAL_STATUSES: Mapping[str, IntentState] = {
    "filled": IntentState.FILLED,
    "canceled": IntentState.CANCELLED,
    # The order under this id has ended; what replaced it has an id of its own.
    REPLACED: IntentState.CANCELLED,
    "expired": IntentState.EXPIRED,
    "rejected": IntentState.REJECTED,
}

# A share may be bought in 10⁻⁹ (docs.alpaca.markets, "Fractional Trading").
_SMALLEST_FRACTION = 1
_CENT = 100
_USABLE = frozenset({"ACTIVE", "PAPER_ONLY"})


class Unreadable(ValueError):
    """A body that lacks what we need. Never leaves this adapter."""


def record_of(raw: object) -> Mapping[str, Any]:
    """Return a JSON object. Raises Unreadable."""
    if not isinstance(raw, Mapping):
        raise Unreadable(f"expected an object, got {type(raw).__name__}")
    return raw


def text_of(raw: Mapping[str, Any], name: str) -> str:
    """Return a text that is there; an identifier that came as a number is one. Raises Unreadable."""
    value = raw.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is {value!r}")
    return value


def number_of(raw: Mapping[str, Any], name: str) -> str | int | float:
    """Return what may be a number, string or not. Raises Unreadable."""
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable(f"{name} is {value!r}")
    return value


def _price_or_none(raw: Mapping[str, Any], name: str) -> int | None:
    """Return a price that nothing depends on: one that cannot be read is as good as none."""
    try:
        return None if raw.get(name) is None else to_price(number_of(raw, name))
    except ValueError:
        return None


def first_told(raw: Mapping[str, Any], *names: str) -> str:
    """Return the first of ``names`` that is told, the first of all when none is."""
    return next((name for name in names if raw.get(name) not in (None, "")), names[0])


def side_of(raw: Mapping[str, Any]) -> Side:
    """Return the side; executions also say "sell_short". Raises Unreadable: nothing is guessed."""
    side = text_of(raw, "side").lower()
    if not side.startswith(("buy", "sell")):
        raise Unreadable(f"side is {side!r}")
    return Side.SELL if side.startswith("sell") else Side.BUY


def _flag(value: object) -> bool:
    """Return a JSON truth value, also one that came as text; what is neither counts as true: it blocks."""
    return str(value).lower() not in ("false", "none", "", "0", "0.0")


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
    raw = record_of(body)
    filled = _filled(raw)
    status = str(raw.get("status") or "")
    return Order(
        id=text_of(raw, "id"),
        client_id=str(raw.get("client_order_id") or ""),
        symbol=text_of(raw, "symbol"),
        side=side_of(raw),
        quantity=(filled or 0) if raw.get("qty") is None else to_qty(number_of(raw, "qty")),
        filled=filled or 0,
        average_price=_price_or_none(raw, "filled_avg_price") or 0,
        state=IntentState.UNKNOWN if filled is None else order_state(status, filled),
        raw_status=status,
        submitted_at=_submitted(raw),
    )


def _filled(raw: Mapping[str, Any]) -> int | None:
    """Return what was executed, None when that is not told in a way that can be read."""
    try:
        filled = None if raw.get("filled_qty") is None else to_qty(number_of(raw, "filled_qty"))
    except ValueError:
        return None
    return filled if filled is None or filled >= 0 else None


def _submitted(raw: Mapping[str, Any]) -> datetime:
    for name in ("submitted_at", "created_at", "updated_at"):
        try:
            return parse_instant(raw.get(name))
        except Unreadable:
            continue
    return EPOCH


def order_state(status: str, filled: int) -> IntentState:
    """Return our word for Alpaca's status; one that we have never heard of is UNKNOWN."""
    if status in LIVE_STATUSES:
        return IntentState.PARTIAL if filled else IntentState.ACKED
    return FINAL_STATUSES.get(status, IntentState.UNKNOWN)


def parse_cancelled(body: object) -> tuple[str, str]:
    """Return an item of a broker-wide cancel: the order's id, and why it was refused, "" when it was not.

    As for a single cancel, 404 and 422 mean that there is nothing left to cancel. Raises Unreadable.
    """
    raw = record_of(body)
    status = int(number_of(raw, "status"))
    if 200 <= status < 300 or status in (404, 422):
        return text_of(raw, "id"), ""
    told = raw.get("body")
    message = told.get("message") if isinstance(told, Mapping) else None
    return text_of(raw, "id"), f"HTTP {status} {message or 'no reason given'}"


def parse_position(body: object) -> BrokerPosition | None:
    """Return a position, short ones negative, or None for one of zero shares.

    ``price`` is 0 when the broker knows no current one; ``available`` is all of it unless it says less.
    Raises Unreadable.
    """
    raw = record_of(body)
    size = abs(to_qty(number_of(raw, "qty")))
    if size == 0:
        return None
    short = raw.get("side") == "short" or str(raw["qty"]).startswith("-")
    available = abs(to_qty(number_of(raw, first_told(raw, "qty_available", "qty"))))
    sign = -1 if short else 1
    return BrokerPosition(
        symbol=text_of(raw, "symbol"),
        quantity=sign * size,
        available=sign * available,
        average_price=to_price(number_of(raw, "avg_entry_price")),
        price=_price_or_none(raw, "current_price") or 0,
    )


def parse_account(body: object) -> Account:
    """Return the account; its mode is read off its number. Raises Unreadable.

    A status that is not known to be usable blocks it; a missing buying power is read as the cash.
    """
    raw = record_of(body)
    number = text_of(raw, "account_number")
    restriction = _restriction(raw)
    return Account(
        number=number,
        mode=account_mode(number),
        equity=to_money(number_of(raw, first_told(raw, "equity", "portfolio_value"))),
        cash=to_money(number_of(raw, "cash")),
        buying_power=to_money(number_of(raw, first_told(raw, "buying_power", "cash"))),
        blocked=bool(restriction),
        currency=str(raw.get("currency") or "USD"),
        restriction=restriction,
    )


def _restriction(raw: Mapping[str, Any]) -> str:
    """Return what keeps the account from opening positions, "" when nothing does."""
    names = ("account_blocked", "trading_blocked", "trade_suspended_by_user")
    found = [name for name in names if _flag(raw.get(name))]
    status = str(raw.get("status") or "ACTIVE")
    if status not in _USABLE:
        found.append(f"status {status}")
    admin = raw.get("admin_configurations")
    reasons = admin.get("restrict_to_liquidation_reasons") if isinstance(admin, Mapping) else None
    if isinstance(reasons, Mapping):
        closing = [str(name) for name, set_ in reasons.items() if _flag(set_)]
        found += [f"closing only ({', '.join(closing)})"] if closing else []
    return ", ".join(found)


def parse_clock(body: object) -> BrokerClock:
    """Return the broker's time and session. Raises Unreadable."""
    raw = record_of(body)
    is_open = str(raw.get("is_open")).lower()
    if is_open not in ("true", "false"):
        raise Unreadable(f"is_open is {is_open!r}")
    return BrokerClock(
        now=parse_instant(raw.get("timestamp")),
        is_open=is_open == "true",
        next_open=parse_instant(raw.get("next_open")),
        next_close=parse_instant(raw.get("next_close")),
    )


def parse_instrument(body: object) -> Instrument:
    """Return what may be traded, and in which steps. Raises Unreadable."""
    raw = record_of(body)
    fractionable = bool(raw.get("fractionable"))
    lot = _SMALLEST_FRACTION if fractionable else QTY_SCALE
    if raw.get("min_trade_increment") is not None:
        lot = max(to_qty(number_of(raw, "min_trade_increment")), 1)
    step = _price_or_none(raw, "price_increment")
    return Instrument(
        symbol=text_of(raw, "symbol"),
        price_increment=_CENT if step is None else max(step, 1),
        lot=lot,
        tradable=bool(raw.get("tradable")) and raw.get("status", "active") == "active",
        fractionable=fractionable,
        shortable=bool(raw.get("shortable")),
    )
