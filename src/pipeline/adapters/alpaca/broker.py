"""One account at Alpaca, through alpaca-py. Promises: :class:`pipeline.ports.Broker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pipeline.adapters.alpaca import activities, parsing
from pipeline.adapters.alpaca.account import BROKER, AlpacaSettings, check_endpoints
from pipeline.adapters.alpaca.lists import (
    Rows,
    fetch_activity_pages,
    fetch_list,
    fetch_order_pages,
    just_before,
    read_rows,
    second_before,
)
from pipeline.adapters.alpaca.outcomes import (
    NOT_FOUND,
    Answer,
    Verdict,
    answered,
    classify_submit,
    unavailable,
)
from pipeline.domain.corporate import CorporateAction, CorporateKind
from pipeline.domain.market import SYMBOL, Instrument
from pipeline.domain.money import price_decimal, qty_decimal
from pipeline.domain.orders import Fill, Intent, IntentState, Order
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity
from pipeline.errors import AnswerUnreadable, BrokerRefused, BrokerUnavailable, OrderRejected
from pipeline.ports import BrokerClock, Idempotency

if TYPE_CHECKING:
    from pipeline.adapters.alpaca.transport import Wire

T = TypeVar("T")

_ASSETS_ONE_BY_ONE = 20
"""Up to here one request per symbol; beyond, the whole list (about 12,000 assets) is cheaper."""
_LONGEST_CHAIN = 10
"""How often an order may have been replaced: more is no order any more, or a circle."""
_SPLIT_WINDOW = timedelta(days=14)
"""How far the day on which a split is booked may lie from its ex-date."""


class AlpacaBroker:
    """The orders, positions and money of one account.

    Every request leaves at most once, within ``settings.total_deadline`` (:mod:`.transport`), and within the
    minute's budget (:mod:`.budget`): cancels, look-ups and executions may use what is kept for them.

    Raises:
        AccountMismatch: addresses or key are not of the configured mode; nothing was sent.
    """

    name = BROKER
    idempotency = Idempotency.KEY_FOREVER

    def __init__(self, settings: AlpacaSettings) -> None:
        from pipeline.adapters.alpaca.transport import open_trading

        check_endpoints(settings)
        self._settings = settings
        self._wire = open_trading(settings)
        self._announcements: Wire | None = None

    def fetch_clock(self) -> BrokerClock:
        """Return the broker's time and session."""
        return self._read(parsing.parse_clock, "/clock")

    def fetch_account(self) -> Account:
        """Return the account; its mode is what its number says."""
        return self._read(parsing.parse_account, "/account")

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        """Return every position; only a proper empty list is flat, and one row unread is no list at all."""
        rows = self._list("/positions", {})
        return tuple(held for row in rows if (held := _understood(parsing.parse_position, row)) is not None)

    def fetch_open_orders(self) -> tuple[Order, ...]:
        """Return every order that is not final, legs included, oldest first."""
        return fetch_order_pages(self._wire, {"status": "open"}).told("open orders")

    def fetch_orders(self, since: datetime) -> tuple[Order, ...]:
        """Return every order submitted at or after ``since``, oldest first."""
        found = fetch_order_pages(self._wire, {"status": "all", "after": just_before(since)})
        found.read = [order for order in found.read if order.submitted_at >= since]
        return found.told("orders")

    def fetch_order(self, client_id: str) -> Order | None:
        """Return the order with our id, or None: only Alpaca's own 404 says that there is none.

        An order that says it was replaced, and not by which one, is in an UNKNOWN state.
        """
        query = {"client_order_id": client_id}
        answer = self._wire.ask("get", "/orders:by_client_order_id", query, urgent=True)
        if answer.status == 404 and answer.code == NOT_FOUND:
            return None
        body = answered(answer)
        order = _understood(parsing.parse_order, body)
        if order.client_id != client_id:
            raise AnswerUnreadable(
                BROKER, f"asked for order {client_id}, answered {order.client_id or order.id}"
            )
        return self._standing(order, body)

    def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return every execution at or after ``since``, oldest first, joined by order id only."""
        query = {"after": second_before(since)}
        rows = fetch_activity_pages(self._wire, "/account/activities/FILL", query, urgent=True)
        found = read_rows(activities.parse_fill, rows)
        found.read = [fill for fill in found.read if fill.at >= since]
        return found.told("executions")

    def fetch_cash_activities(self, since: date) -> tuple[CashActivity, ...]:
        """Return money movements on or after ``since``, oldest first."""
        moved = read_rows(activities.parse_cash_activity, self._non_trades(since))
        kept = [money for money in moved.read if money is not None and money.at.date() >= since]
        return Rows(kept, moved.unread).told("activities")

    def fetch_corporate_actions(self, since: date) -> tuple[CorporateAction, ...]:
        """Return corporate actions on or after ``since``, oldest first.

        Activities do not always tell a split's ratio: then it is looked up among the announced ones.
        """
        rows = activities.joined(row for row in self._non_trades(since) if activities.is_corporate(row))
        found = read_rows(activities.parse_corporate_action, rows)
        kept = [self._with_ratio(action) for action in found.read if action.at.date() >= since]
        found.read = sorted(kept, key=lambda action: action.at)
        return found.told("corporate actions")

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
        answer = self._wire.ask("delete", f"/orders/{quote(order_id, safe='')}", urgent=True)
        unknown = answer.status == 404 and answer.code == NOT_FOUND
        if answer.status != 422 and not unknown:
            answered(answer)

    def cancel_all(self) -> Mapping[str, str]:
        """Cancel every open order of the account in one request; return those that could not be."""
        rows = answered(self._wire.ask("delete", "/orders", urgent=True))
        if not isinstance(rows, list):
            raise AnswerUnreadable(BROKER, f"cancelling answered {type(rows).__name__} instead of a list")
        told = (_understood(parsing.parse_cancelled, row) for row in rows)
        return {order_id: reason for order_id, reason in told if reason}

    def close(self) -> None:
        """Release connections."""
        self._wire.close()
        if self._announcements is not None:
            self._announcements.close()

    def _read(self, parse: Callable[[object], T], path: str) -> T:
        return _understood(parse, answered(self._wire.ask("get", path)))

    def _list(self, path: str, query: Mapping[str, Any]) -> list[Any]:
        return fetch_list(self._wire, path, query)

    def _non_trades(self, since: date) -> list[Any]:
        query = {"category": "non_trade_activity", "after": (since - timedelta(days=1)).isoformat()}
        rows = fetch_activity_pages(self._wire, "/account/activities", query, urgent=False)
        # A server that does not know the "category" filter also sends executions.
        return [row for row in rows if not (isinstance(row, Mapping) and row.get("activity_type") == "FILL")]

    def _with_ratio(self, action: CorporateAction) -> CorporateAction:
        if action.kind is not CorporateKind.SPLIT or action.rescales:
            return action
        from pipeline.adapters.alpaca.transport import open_corporate

        self._announcements = self._announcements or open_corporate(self._settings)
        query = {
            "symbols": action.symbol,
            "types": "forward_split,reverse_split",
            "start": (action.at - _SPLIT_WINDOW).date().isoformat(),
            "end": (action.at + _SPLIT_WINDOW).date().isoformat(),
        }
        body = answered(self._announcements.ask("get", "/corporate-actions", query))
        day = action.at.date()
        ratio = _understood(lambda found: activities.announced_ratio(found, action.symbol, day), body)
        return replace(action, numerator=ratio[0], denominator=ratio[1])

    def _standing(self, first: Order, body: Mapping[str, Any]) -> Order:
        """Return what stands now of an order: the last one that replaced it, told of as the first one.

        Alpaca counts as FIX does: the quantity and the executions of an order include those of the orders
        that it replaced.
        """
        order, seen, filled = first, {first.id}, first.filled
        while order.raw_status == parsing.REPLACED:
            following = body.get("replaced_by")
            if not following:
                order = replace(order, state=IntentState.UNKNOWN)
                break
            if following in seen or len(seen) > _LONGEST_CHAIN:
                raise AnswerUnreadable(BROKER, f"order {first.client_id} was replaced in a circle")
            answer = self._wire.ask("get", f"/orders/{quote(str(following), safe='')}", urgent=True)
            if answer.status == 404:
                raise AnswerUnreadable(BROKER, f"{first.client_id} was replaced by {following}, not found")
            body = answered(answer)
            order = _understood(parsing.parse_order, body)
            seen.add(order.id)
            filled = max(filled, order.filled)
        # Replaced by a smaller one and filled: of what was first ordered, the rest will never be executed.
        cut = len(seen) > 1 and order.state is IntentState.FILLED and filled < first.quantity
        state = IntentState.CANCELLED if cut else order.state
        return replace(order, client_id=first.client_id, quantity=first.quantity, filled=filled, state=state)

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


def _understood(parse: Callable[[object], T], body: object) -> T:
    """Return the parsed body; what cannot be read is "not answered", never "empty"."""
    try:
        return parse(body)
    except ValueError as error:
        reason = str(error)
    raise AnswerUnreadable(BROKER, reason)


def _acknowledged(intent: Intent, answer: Answer) -> Order:
    order = _understood(parsing.parse_order, answer.body)
    if order.client_id not in ("", intent.id):
        raise AnswerUnreadable(BROKER, f"sent order {intent.id}, answered with {order.client_id}")
    return replace(order, client_id=intent.id)


def _ticket(intent: Intent) -> dict[str, str]:
    """Return the body of POST /orders; the SDK's request models would turn the quantity into a float."""
    limit = intent.limit_price
    kind = (
        {"type": "market"} if limit is None else {"type": "limit", "limit_price": f"{price_decimal(limit):f}"}
    )
    return {
        "symbol": intent.symbol,
        "qty": f"{qty_decimal(intent.quantity):f}",
        "side": intent.side.value,
        **kind,
        "time_in_force": "day",
        "client_order_id": intent.id,
    }
