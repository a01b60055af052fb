"""Account activities: fills and fees, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Fill, invalid, to_datetime
from pipeline.exchange.queries import parse_count, parse_day, parse_instant
from pipeline.exchange.wire import fee_json, fill_json

PAGE = 100
"""Default and largest page (Alpaca's documentation)."""


def list_activities(engine: Engine, kinds: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one page of activities.

    Args:
        engine: the exchange's state.
        kinds: comma-separated activity types; empty means all.
        query: date, after (exclusive), until, direction, page_size, page_token (the last id seen).

    Raises:
        Refused: a parameter that cannot be read, or a token that is no activity's id.
    """
    wanted = {kind for kind in kinds.split(",") if kind}
    rows = [row for row in _all(engine, query) if not wanted or row["activity_type"] in wanted]
    if query.get("direction", "desc") != "asc":
        rows.reverse()
    token = query.get("page_token")
    if token:
        seen = next((i for i, row in enumerate(rows) if row["id"] == token), None)
        if seen is None:
            raise invalid(f"invalid page_token {token}")
        rows = rows[seen + 1 :]
    return rows[: parse_count(query.get("page_size"), PAGE, PAGE)]


def _all(engine: Engine, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the activities of the asked time, oldest first."""
    zone = ZoneInfo(engine.tape.table.timezone)
    after, until = parse_instant(query.get("after"), -1), parse_instant(query.get("until"), engine.now)
    day = parse_day(query.get("date"), date.min)
    for fill in engine.book.fills:
        if not after < fill.at <= until:
            continue
        if day == date.min or _day(fill, zone) == day:
            yield fill_json(fill, engine.book.registry.get(fill.order_id).ticket.qty)
            if fill.fee:
                yield fee_json(fill, zone)


def _day(fill: Fill, zone: ZoneInfo) -> date:
    return to_datetime(fill.at).astimezone(zone).date()
