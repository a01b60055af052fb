"""Alpaca's JSON for account activities: executions, their fees, and whatever else moved money or shares."""

from __future__ import annotations

import uuid
from zoneinfo import ZoneInfo

from pipeline.domain.money import money_decimal, price_decimal, qty_decimal
from pipeline.exchange.orders import Activity, Fill, to_datetime
from pipeline.exchange.wire import SIDE, Json, moment, plain


def fill_json(fill: Fill, wanted: int) -> Json:
    """Return the FILL activity of one execution of an order for ``wanted``."""
    whole = fill.cumulative >= wanted
    return {
        "id": activity_id(fill.at, fill.id),
        "activity_type": "FILL",
        "transaction_time": moment(fill.at),
        "type": "fill" if whole else "partial_fill",
        "price": plain(price_decimal(fill.price)),
        "qty": plain(qty_decimal(fill.qty)),
        "side": SIDE[fill.side],
        "symbol": fill.symbol,
        "leaves_qty": plain(qty_decimal(max(wanted - fill.cumulative, 0))),
        "order_id": fill.order_id,
        "cum_qty": plain(qty_decimal(fill.cumulative)),
        "order_status": "filled" if whole else "partially_filled",
    }


def fee_json(fill: Fill, zone: ZoneInfo) -> Json:
    """Return the FEE activity of one execution."""
    return {
        "id": activity_id(fill.at, str(uuid.uuid5(uuid.UUID(fill.id), "fee"))),
        "activity_type": "FEE",
        "date": to_datetime(fill.at).astimezone(zone).date().isoformat(),
        "created_at": moment(fill.at),
        "net_amount": plain(money_decimal(-fill.fee)),
        "currency": "USD",
        "symbol": fill.symbol,
        "qty": plain(qty_decimal(fill.qty)),
        "description": f"fee of execution {fill.id} of order {fill.order_id}",
        "status": "executed",
    }


def activity_json(activity: Activity, zone: ZoneInfo) -> Json:
    """Return an activity that is no execution: cash, dividends, interest, splits."""
    row: Json = {
        "id": activity_id(activity.at, activity.id),
        "activity_type": activity.kind,
        "date": to_datetime(activity.at).astimezone(zone).date().isoformat(),
        "created_at": moment(activity.at),
        "net_amount": plain(money_decimal(activity.money)),
        "currency": "USD",
        "description": activity.description,
        "status": "executed",
    }
    if activity.symbol:
        row["symbol"] = activity.symbol
    if activity.qty:
        row["qty"] = plain(qty_decimal(activity.qty))
    if activity.per_share:
        row["per_share_amount"] = plain(price_decimal(activity.per_share))
    return row


def activity_id(at: int, key: str) -> str:
    """Return an activity's id: its time to the millisecond, and its key."""
    return f"{to_datetime(at):%Y%m%d%H%M%S}{at // 1000 % 1000:03d}::{key}"
