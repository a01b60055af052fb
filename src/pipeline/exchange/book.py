"""The account's book: its orders, its money, and everything that has happened to them.

Families: a bracket is an entry with two exits, an OTO an entry with one, an OCO an exit with
another. Exits wait until the whole entry is filled; one that fills cancels the other; a
cancelled or expired member takes the rest of its family with it.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from pipeline.domain.money import notional
from pipeline.domain.rules.fees import fee
from pipeline.exchange.config import AccountConfig, Costs
from pipeline.exchange.ledger import Ledger, held_by_sells
from pipeline.exchange.orders import FINAL, Activity, Event, Fill, Order, Registry, Ticket


class Book:
    """Orders, ledger, fills and events of one account. All ids follow from their order of arrival."""

    def __init__(self, account: AccountConfig, costs: Costs) -> None:
        self.registry = Registry()
        self.ledger = Ledger(account.cash)
        self.events: list[Event] = []
        self.fills: list[Fill] = []
        self.activities: list[Activity] = []
        self._executions = 0
        self._costs = costs
        self._namespace = uuid.uuid5(uuid.NAMESPACE_OID, account.id)

    def available(self, symbol: str) -> int:
        """Return the quantity held that no open sell holds."""
        return self.ledger.quantity(symbol) - held_by_sells(self.registry, symbol)

    def enter(self, ticket: Ticket, status: str, at: int, expires: int) -> Order:
        """Take in an accepted order and its legs."""
        root = self._new(ticket, status, at, expires)
        live = ticket.order_class == "oco"
        legs = [
            replace(self._new(leg, "held", at, expires), live=live, parent=root.id) for leg in _legs(ticket)
        ]
        order = self.registry.put(replace(root, legs=tuple(self.registry.put(leg).id for leg in legs)))
        self.log("received", at, order)
        self.log(status, at, order)
        return order

    def exchange(self, old: Order, ticket: Ticket, at: int, expires: int) -> Order:
        """Put a changed order in the place of ``old``: filled quantity and family are kept.

        As in FIX, the new quantity is the total, fills of the replaced order included.
        """
        fresh = self._new(ticket, old.status, at, expires)
        new = replace(
            old,
            id=fresh.id,
            seq=fresh.seq,
            ticket=fresh.ticket,
            submitted=at,
            updated=at,
            eligible=at,
            expires=expires,
            replaces=old.id,
        )
        gone = replace(old, status="replaced", updated=at, replaced_at=at, replaced_by=new.id, legs=())
        self.registry.put(gone)
        self.registry.put(new)
        self._adopt(old, new)
        self.log("received", at, new)
        self.log("replaced", at, gone)
        self.log("new", at, new)
        return new

    def fill(self, order: Order, price: int, qty: int, at: int) -> None:
        """Book one execution, and what follows for the order's family."""
        ticket = order.ticket
        fill = self.execution(order, price, qty, at)
        whole = fill.cumulative >= ticket.qty
        kept = order.status == "pending_cancel" or order.status in FINAL
        order = self.registry.put(
            replace(
                order,
                status="filled" if whole else order.status if kept else "partially_filled",
                filled=fill.cumulative,
                value=order.value + price * qty,
                updated=at,
                filled_at=at if whole else 0,
            )
        )
        self.ledger.book(fill)
        self.fills.append(fill)
        self.log("fill" if whole else "partial_fill", at, order, fill)
        for sibling in self.registry.siblings(order):
            self._shrink(sibling, max(order.remaining, 0), at)
        if whole and ticket.order_class != "oco":
            for leg in order.legs:
                self._activate(self.registry.orders[leg], len(order.legs) > 1, at)

    def execution(self, order: Order, price: int, qty: int, at: int) -> Fill:
        """Return a new execution of an order, with what it costs; it is not booked."""
        ticket, costs = order.ticket, self._costs
        charged = fee(notional(price, qty), qty, not ticket.buys, costs.per_share, costs.sell_ppm)
        self._executions += 1
        name = self._id(f"execution {self._executions}")
        return Fill(name, at, order.id, ticket.symbol, ticket.side, price, qty, order.filled + qty, charged)

    def add_activity(self, activity: Activity) -> Activity:
        """Note an activity, under a new id unless it has one, and move its money."""
        name = activity.id or self._id(f"activity {len(self.activities) + 1}")
        named = replace(activity, id=name)
        self.activities.append(named)
        self.ledger.cash += named.money
        return named

    def end(self, order: Order, status: str, at: int) -> None:
        """Make an order and what is still open of its family ``canceled`` or ``expired``."""
        root = self.registry.orders[order.parent] if order.parent else order
        for member in (root.id, *root.legs):
            still = self.registry.open.get(member)
            if still is not None:
                self.log(status, at, self.registry.put(_ended(still, status, at)))

    def log(self, kind: str, at: int, order: Order, fill: Fill | None = None) -> None:
        """Note what happened to an order."""
        position = self.ledger.quantity(order.ticket.symbol)
        name = order.ticket.client_order_id
        self.events.append(Event(len(self.events) + 1, at, kind, order, fill, position, name))

    def log_refusal(self, client_order_id: str, reason: str, at: int) -> None:
        """Note a submission that was refused."""
        seq = len(self.events) + 1
        self.events.append(Event(seq, at, "refused", client_order_id=client_order_id, refusal=reason))

    def log_change(self, note: str, at: int, refusal: str = "") -> None:
        """Note what the control port did, or could not do."""
        kind = "change_refused" if refusal else "change"
        self.events.append(Event(len(self.events) + 1, at, kind, refusal=refusal, note=note))

    def _id(self, name: str) -> str:
        return str(uuid.uuid5(self._namespace, name))

    def _new(self, ticket: Ticket, status: str, at: int, expires: int) -> Order:
        seq = len(self.registry.orders) + 1
        named = replace(ticket, client_order_id=ticket.client_order_id or self._id(f"client {seq}"))
        order = Order(self._id(f"order {seq}"), seq, named, status, at, at, expires, at)
        return self.registry.put(order)

    def _adopt(self, old: Order, new: Order) -> None:
        if old.parent:
            root = self.registry.orders[old.parent]
            legs = tuple(new.id if leg == old.id else leg for leg in root.legs)
            self.registry.put(replace(root, legs=legs))
        for leg in old.legs:
            self.registry.put(replace(self.registry.orders[leg], parent=new.id))

    def _shrink(self, order: Order, remaining: int, at: int) -> None:
        """Leave the other exit of a family as much to do as the one that just filled has left."""
        if not remaining:
            self.end(order, "canceled", at)
            return
        ticket = replace(order.ticket, qty=order.filled + remaining)
        self.registry.put(replace(order, ticket=ticket, updated=at))

    def _activate(self, leg: Order, paired: bool, at: int) -> None:
        """Let a leg work after its entry is complete. The protective leg of a pair shows as ``held``.

        Source: Alpaca's forum on bracket legs after the entry's fill: profit ``new``, stop ``held``.
        """
        if not leg.is_open:
            return
        shared = sum(other.remaining for other in self.registry.siblings(leg) if other.live)
        qty = min(self.available(leg.ticket.symbol) + shared, leg.ticket.qty)
        if qty <= 0:
            self.end(leg, "canceled", at)
            return
        status = "held" if paired and leg.ticket.stop else "new"
        ticket = replace(leg.ticket, qty=qty)
        working = replace(leg, ticket=ticket, status=status, live=True, eligible=at, updated=at)
        self.registry.put(working)
        if status == "new":
            self.log("new", at, working)


def _ended(order: Order, status: str, at: int) -> Order:
    ended = replace(order, status=status, updated=at)
    return replace(ended, canceled_at=at) if status == "canceled" else replace(ended, expired_at=at)


def _legs(ticket: Ticket) -> tuple[Ticket, ...]:
    """Return the tickets of the legs: profit first, then protection. An OCO's root is its own profit leg."""
    plain = replace(
        ticket,
        side=-1,
        limit=0,
        stop=0,
        client_order_id="",
        take_profit=0,
        stop_loss=0,
        stop_loss_limit=0,
    )
    legs: list[Ticket] = []
    if ticket.take_profit and ticket.order_class != "oco":
        legs.append(replace(plain, kind="limit", limit=ticket.take_profit))
    if ticket.stop_loss:
        kind = "stop_limit" if ticket.stop_loss_limit else "stop"
        legs.append(replace(plain, kind=kind, stop=ticket.stop_loss, limit=ticket.stop_loss_limit))
    return tuple(legs)
