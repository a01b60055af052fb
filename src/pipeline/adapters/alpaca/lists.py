"""Whole lists from Alpaca's pages, row by row: what cannot be read is reported, never left out silently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipeline.adapters.alpaca.account import BROKER
from pipeline.adapters.alpaca.outcomes import answered
from pipeline.adapters.alpaca.parsing import parse_order
from pipeline.domain.orders import Order
from pipeline.errors import AnswerUnreadable, RowsUnreadable

if TYPE_CHECKING:
    from pipeline.adapters.alpaca.transport import Wire

T = TypeVar("T")

_ORDERS_PAGE = 500
_ACTIVITIES_PAGE = 100


@dataclass(slots=True)
class Rows(Generic[T]):
    """Rows of one list: those that were read, and a sentence for each other, by its id."""

    read: list[T] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def add(self, parse: Callable[[object], T], row: object) -> T | None:
        """Read one row and return it, or note that it cannot be."""
        try:
            found = parse(row)
        except ValueError as error:
            name = str(row.get("id")) if isinstance(row, Mapping) else f"row {len(self.unread) + 1}"
            self.unread[name] = f"{name}: {error}"
            return None
        self.read.append(found)
        return found

    def told(self, what: str) -> tuple[T, ...]:
        """Return every row. Raises RowsUnreadable, which carries those that were read."""
        if self.unread:
            raise RowsUnreadable(BROKER, what, tuple(self.read), tuple(self.unread.values()))
        return tuple(self.read)


def read_rows(parse: Callable[[object], T], rows: Iterable[object]) -> Rows[T]:
    """Return rows as they are read."""
    found: Rows[T] = Rows()
    for row in rows:
        found.add(parse, row)
    return found


def fetch_list(wire: Wire, path: str, query: Mapping[str, Any], urgent: bool = False) -> list[Any]:
    """Return one page. Raises BrokerUnavailable, BrokerRefused; AnswerUnreadable when it is no list."""
    rows = answered(wire.ask("get", path, query, urgent))
    if not isinstance(rows, list):
        raise AnswerUnreadable(BROKER, f"{path} answered {type(rows).__name__} instead of a list")
    return rows


def fetch_order_pages(wire: Wire, query: Mapping[str, Any]) -> Rows[Order]:
    """Return the orders of all pages, oldest first.

    A page begins just before the instant of the last order seen, because several may share it.
    """
    base = {**query, "limit": _ORDERS_PAGE, "direction": "asc"}
    found: Rows[Order] = Rows()
    known: set[str] = set()
    cursor: dict[str, Any] = {}
    while True:
        rows = fetch_list(wire, "/orders", {**base, **cursor}, urgent=True)
        page: Rows[Order] = read_rows(parse_order, rows)
        found.unread |= page.unread
        fresh = [order for order in page.read if order.id not in known]
        known.update(order.id for order in fresh)
        found.read += fresh
        if len(rows) < _ORDERS_PAGE:
            found.read.sort(key=lambda order: order.submitted_at)
            return found
        if not page.read or (not fresh and "after_order_id" in cursor):
            raise AnswerUnreadable(BROKER, f"the list of orders does not go on after {len(known)}")
        # A whole page in one instant: only the id tells where to go on, and it excludes "after".
        if not fresh or "after_order_id" in cursor:
            base.pop("after", None)
            cursor = {"after_order_id": page.read[-1].id}
        else:
            cursor = {"after": just_before(page.read[-1].submitted_at)}


def fetch_activity_pages(wire: Wire, path: str, query: Mapping[str, Any], urgent: bool) -> list[Any]:
    """Return the rows of all pages, oldest first."""
    asked: dict[str, Any] = {**query, "direction": "asc", "page_size": _ACTIVITIES_PAGE}
    rows: list[Any] = []
    while True:
        page = fetch_list(wire, path, asked, urgent)
        rows += page
        if len(page) < _ACTIVITIES_PAGE:
            return rows
        token = page[-1].get("id") if isinstance(page[-1], Mapping) else None
        if not token or token == asked.get("page_token"):
            raise AnswerUnreadable(BROKER, f"{path} does not go on after {len(rows)} entries")
        asked["page_token"] = token


def just_before(instant: datetime) -> str:
    """Return an exclusive lower bound that still includes ``instant``."""
    return (instant.astimezone(UTC) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")


def second_before(instant: datetime) -> str:
    """Return the same for activities, which document whole seconds only."""
    return (instant.astimezone(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
