"""One account at Alpaca, through alpaca-py. Promises: :class:`pipeline.ports.Broker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from pipeline.adapters.alpaca import parsing
from pipeline.adapters.alpaca.account import BROKER, AlpacaSettings, check_endpoints
from pipeline.adapters.alpaca.outcomes import (
    NOT_FOUND,
    Answer,
    Verdict,
    answered,
    classify_submit,
    unavailable,
)
from pipeline.domain.market import SYMBOL, Instrument
from pipeline.domain.money import qty_decimal
from pipeline.domain.orders import Fill, Intent, Order
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.errors import BrokerRefused, BrokerUnavailable, OrderRejected
from pipeline.ports import BrokerClock, Idempotency

T = TypeVar("T")

_ORDERS_PAGE = 500
_ACTIVITIES_PAGE = 100
_ASSETS_ONE_BY_ONE = 20
"""Up to here one request per symbol; beyond, the whole list (about 12,000 assets) is cheaper."""


class AlpacaBroker:
    """The orders, positions and money of one account.

    Every request leaves once, within ``settings.total_deadline`` (:mod:`.transport`).

    Raises:
        AccountMismatch: addresses or key are not of the configured mode; nothing was sent.
    """

    name = BROKER
    idempotency = Idempotency.KEY_FOREVER

    def __init__(self, settings: AlpacaSettings) -> None:
        from pipeline.adapters.alpaca.transport import open_trading

        check_endpoints(settings)
        self._wire = open_trading(settings)

    def fetch_clock(self) -> BrokerClock:
        """Return the broker's time and session."""
        return self._read(parsing.parse_clock, "/clock")

    def fetch_account(self) -> Account:
        """Return the account; its mode is what its number says."""
        return self._read(parsing.parse_account, "/account")

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        """Return every position; only a proper empty list is flat."""
        rows = self._list("/positions", {})
        return tuple(held for row in rows if (held := _understood(parsing.parse_position, row)) is not None)

    def fetch_open_orders(self) -> tuple[Order, ...]:
        """Return every order that is not final, legs included, oldest first."""
        return self._orders({"status": "open"})

    def fetch_orders(self, since: datetime) -> tuple[Order, ...]:
        """Return every order submitted at or after ``since``, oldest first."""
        found = self._orders({"status": "all", "after": _just_before(since)})
        return tuple(order for order in found if order.submitted_at >= since)

    def fetch_order(self, client_id: str) -> Order | None:
        """Return the order with our id, or None: only Alpaca's own 404 says that there is none."""
        answer = self._wire.ask("get", "/orders:by_client_order_id", {"client_order_id": client_id})
        if answer.status == 404 and answer.code == NOT_FOUND:
            return None
        order = _understood(parsing.parse_order, answered(answer))
        if order.client_id != client_id:
            raise BrokerUnavailable(
                BROKER, f"asked for order {client_id}, answered {order.client_id or order.id}"
            )
        return order

    def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return every execution at or after ``since``, oldest first, joined by order id only."""
        rows = self._activities("/account/activities/FILL", {"after": _second_before(since)})
        fills = (_understood(parsing.parse_fill, row) for row in rows)
        return tuple(fill for fill in fills if fill.at >= since)

    def fetch_cash_activities(self, since: date) -> tuple[CashActivity, ...]:
        """Return money movements on or after ``since``, oldest first."""
        query = {"category": "non_trade_activity", "after": (since - timedelta(days=1)).isoformat()}
        rows = self._activities("/account/activities", query)
        moved = (_understood(parsing.parse_cash_activity, row) for row in rows if _is_cash(row))
        return tuple(money for money in moved if money is not None and money.at.date() >= since)

    def fetch_instruments(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the instruments the broker knows; unknown symbols are absent."""
        wanted = [symbol for symbol in symbols if SYMBOL.match(symbol)]
        if len(wanted) <= _ASSETS_ONE_BY_ONE:
            found = (self._instrument(symbol) for symbol in wanted)
            return {asset.symbol: asset for asset in found if asset is not None}
        rows = self._list("/assets", {"asset_class": "us_equity"})
        chosen = set(wanted)
        told = (row for row in rows if isinstance(row, Mapping) and row.get("symbol") in chosen)
        return {asset.symbol: asset for asset in (_understood(parsing.parse_instrument, row) for row in told)}

    def submit(self, intent: Intent) -> Order:
        """Send a market order for the day, once, under the intent's id.

        Alpaca executes fractions of a share only as market orders for the day. An answer with an unknown
        status is an order in state UNKNOWN; a duplicate id is looked up and the order it names returned.
        """
        answer = self._wire.ask("post", "/orders", _ticket(intent))
        verdict = classify_submit(answer)
        if verdict is Verdict.ACKED:
            return _acknowledged(intent, answer)
        if verdict is Verdict.LOOK_UP:
            return self._duplicate(intent, answer)
        if verdict is Verdict.REJECTED:
            raise OrderRejected(intent.id, str(answer.code or answer.status), answer.reason)
        raise unavailable(answer)

    def cancel(self, order_id: str) -> None:
        """Ask to cancel. Alpaca says 422 for an order that is final, or already being cancelled.

        One that it does not know (a paper account was reset) is no error either: there is nothing to cancel.
        """
        answer = self._wire.ask("delete", f"/orders/{quote(order_id, safe='')}")
        unknown = answer.status == 404 and answer.code == NOT_FOUND
        if answer.status != 422 and not unknown:
            answered(answer)

    def close(self) -> None:
        """Release connections."""
        self._wire.close()

    def _read(self, parse: Callable[[object], T], path: str) -> T:
        return _understood(parse, answered(self._wire.ask("get", path)))

    def _list(self, path: str, query: Mapping[str, Any]) -> list[Any]:
        rows = answered(self._wire.ask("get", path, query))
        if not isinstance(rows, list):
            raise BrokerUnavailable(BROKER, f"{path} answered {type(rows).__name__} instead of a list")
        return rows

    def _instrument(self, symbol: str) -> Instrument | None:
        answer = self._wire.ask("get", f"/assets/{symbol}")
        if answer.status == 404 and answer.code == NOT_FOUND:
            return None
        return _understood(parsing.parse_instrument, answered(answer))

    def _duplicate(self, intent: Intent, answer: Answer) -> Order:
        try:
            order = self.fetch_order(intent.id)
        except (BrokerRefused, BrokerUnavailable) as error:
            doubt = f"its look-up failed ({error.reason})"
        else:
            if order is not None:
                return order
            doubt = "the broker calls the id taken, and does not know it"
        # Whatever the look-up says of itself, the order has been sent: its id is taken.
        raise BrokerUnavailable(BROKER, f"{doubt}: {answer.summary}", sent=True)

    def _orders(self, query: Mapping[str, Any]) -> tuple[Order, ...]:
        """Return all pages, oldest first.

        A page begins just before the instant of the last order seen, because several may share it.
        """
        base = {**query, "limit": _ORDERS_PAGE, "direction": "asc"}
        found: dict[str, Order] = {}
        cursor: dict[str, Any] = {}
        while True:
            page = [
                _understood(parsing.parse_order, row) for row in self._list("/orders", {**base, **cursor})
            ]
            fresh = [order for order in page if order.id not in found]
            found |= {order.id: order for order in fresh}
            if len(page) < _ORDERS_PAGE:
                return tuple(sorted(found.values(), key=lambda order: order.submitted_at))
            if not fresh and "after_order_id" in cursor:
                raise BrokerUnavailable(BROKER, f"the list of orders does not go on after {len(found)}")
            # A whole page in one instant: only the id tells where to go on, and it excludes "after".
            if not fresh or "after_order_id" in cursor:
                base.pop("after", None)
                cursor = {"after_order_id": page[-1].id}
            else:
                cursor = {"after": _just_before(page[-1].submitted_at)}

    def _activities(self, path: str, query: Mapping[str, Any]) -> list[Any]:
        """Return all pages, oldest first."""
        asked: dict[str, Any] = {**query, "direction": "asc", "page_size": _ACTIVITIES_PAGE}
        rows: list[Any] = []
        while True:
            page = self._list(path, asked)
            rows += page
            if len(page) < _ACTIVITIES_PAGE:
                return rows
            token = page[-1].get("id") if isinstance(page[-1], Mapping) else None
            if not token or token == asked.get("page_token"):
                raise BrokerUnavailable(BROKER, f"{path} does not go on after {len(rows)} entries")
            asked["page_token"] = token


def _understood(parse: Callable[[object], T], body: object) -> T:
    """Return the parsed body; what cannot be read is "not answered", never "empty"."""
    try:
        return parse(body)
    except ValueError as error:
        reason = str(error)
    raise BrokerUnavailable(BROKER, f"an answer that cannot be read: {reason}")


def _acknowledged(intent: Intent, answer: Answer) -> Order:
    order = _understood(parsing.parse_order, answer.body)
    if order.client_id not in ("", intent.id):
        raise BrokerUnavailable(BROKER, f"sent order {intent.id}, answered with {order.client_id}")
    return replace(order, client_id=intent.id)


def _ticket(intent: Intent) -> dict[str, str]:
    """Return the body of POST /orders; the SDK's request models would turn the quantity into a float."""
    return {
        "symbol": intent.symbol,
        "qty": f"{qty_decimal(intent.quantity):f}",
        "side": intent.side.value,
        "type": "market",
        "time_in_force": "day",
        "client_order_id": intent.id,
    }


def _just_before(instant: datetime) -> str:
    """Return an exclusive lower bound that still includes ``instant``."""
    return (instant.astimezone(UTC) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")


def _second_before(instant: datetime) -> str:
    """Return the same for activities, which document whole seconds only."""
    return (instant.astimezone(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_cash(row: object) -> bool:
    # A server that does not know the "category" filter also sends executions.
    return not (isinstance(row, Mapping) and row.get("activity_type") == "FILL")
