"""Account activities: fills, fees and whatever else moved money or shares, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Activity, Fill, invalid, to_datetime
from pipeline.exchange.queries import parse_count, parse_day, parse_instant
from pipeline.exchange.wire_activities import activity_json, fee_json, fill_json

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
    if "TRANS" in wanted:
        wanted |= {"CSD", "CSW"}
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
    happened: list[Fill | Activity] = [*engine.book.fills, *engine.book.activities]
    for item in sorted(happened, key=lambda item: item.at):
        if not after < item.at <= until or day not in (date.min, _day(item.at, zone)):
            continue
        if isinstance(item, Activity):
            yield activity_json(item, zone)
            continue
        yield fill_json(item, engine.book.registry.get(item.order_id).ticket.qty)
        if item.fee:
            yield fee_json(item, zone)


def _day(at: int, zone: ZoneInfo) -> date:
    return to_datetime(at).astimezone(zone).date()
