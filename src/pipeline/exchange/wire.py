"""Alpaca's JSON for what the exchange holds. Money, prices and quantities travel as strings."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.domain.money import money_decimal, notional, price_decimal, qty_decimal
from pipeline.domain.session import Session
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.config import SymbolProfile
from pipeline.exchange.engine import Engine
from pipeline.exchange.ledger import Holding
from pipeline.exchange.orders import Event, Order, to_datetime

Json = dict[str, Any]

SIDE = {1: "buy", -1: "sell"}


def plain(value: Decimal) -> str:
    """Return a number without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(at: int) -> str | None:
    """Return an instant as RFC 3339, UTC; None for 0."""
    return to_datetime(at).isoformat().replace("+00:00", "Z") if at else None


@cache
def asset_id(symbol: str) -> str:
    """Return the id of a symbol's asset."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{symbol}.us_equity"))


def order_json(engine: Engine, order: Order, *, nested: bool) -> Json:
    """Return an order; with its legs inside when ``nested``."""
    ticket = order.ticket
    legs = [order_json(engine, engine.book.registry.get(leg), nested=False) for leg in order.legs]
    average = Decimal(order.value) / order.filled if order.filled else None
    return {
        "id": order.id,
        "client_order_id": ticket.client_order_id,
        "created_at": moment(order.submitted),
        "updated_at": moment(order.updated),
        "submitted_at": moment(order.submitted),
        "filled_at": moment(order.filled_at),
        "expired_at": moment(order.expired_at),
        "expires_at": moment(order.expires),
        "canceled_at": moment(order.canceled_at),
        "failed_at": None,
        "replaced_at": moment(order.replaced_at),
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces or None,
        "asset_id": asset_id(ticket.symbol),
        "symbol": ticket.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": plain(qty_decimal(ticket.qty)),
        "filled_qty": plain(qty_decimal(order.filled)),
        "filled_avg_price": None if average is None else plain(round(average.scaleb(-4), 6)),
        "order_class": ticket.order_class,
        "order_type": ticket.kind,
        "type": ticket.kind,
        "side": SIDE[ticket.side],
        "position_intent": "buy_to_open" if ticket.buys else "sell_to_close",
        "time_in_force": ticket.time_in_force,
        "limit_price": plain(price_decimal(ticket.limit)) if ticket.limit else None,
        "stop_price": plain(price_decimal(ticket.stop)) if ticket.stop else None,
        "status": order.status,
        "extended_hours": ticket.extended_hours,
        "legs": legs if nested and legs else None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def update_json(engine: Engine, event: Event, order: Order) -> Json:
    """Return the data of one trade update."""
    data: Json = {
        "event": event.kind,
        "timestamp": moment(event.at),
        "order": order_json(engine, order, nested=False),
        "execution_id": str(uuid.uuid5(uuid.UUID(order.id), f"event {event.seq}")),
    }
    if event.fill is not None:
        data["execution_id"] = event.fill.id
        data["price"] = plain(price_decimal(event.fill.price))
        data["qty"] = plain(qty_decimal(event.fill.qty))
        data["position_qty"] = plain(qty_decimal(event.position))
    return data


def log_json(event: Event) -> Json:
    """Return one entry of the exchange's own log."""
    entry: Json = {
        "seq": event.seq,
        "at": moment(event.at),
        "kind": event.kind,
        "client_order_id": event.client_order_id,
    }
    if event.order is not None:
        ticket = event.order.ticket
        entry |= {"order_id": event.order.id, "symbol": ticket.symbol, "side": SIDE[ticket.side]}
        entry |= {"qty": plain(qty_decimal(ticket.qty)), "type": ticket.kind, "status": event.order.status}
    if event.fill is not None:
        entry["execution_id"] = event.fill.id
        entry["fill_qty"] = plain(qty_decimal(event.fill.qty))
        entry["fill_price"] = plain(price_decimal(event.fill.price))
        entry["fee"] = plain(money_decimal(event.fill.fee))
    if event.refusal:
        entry["refusal"] = event.refusal
    if event.note:
        entry["note"] = event.note
    return entry


def account_json(engine: Engine) -> Json:
    """Return the account: cash only, no margin, no shorts."""
    account, equity, flags = engine.config.account, engine.equity(), engine.conditions.account
    long_value = equity - engine.book.ledger.cash
    last_at, last_equity = engine.closes[-1] if engine.closes else (0, account.cash)
    money = {
        "accrued_fees": 0,
        "buying_power": engine.buying_power(),
        "cash": engine.book.ledger.cash,
        "equity": equity,
        "initial_margin": long_value,
        "last_equity": last_equity,
        "last_maintenance_margin": 0,
        "long_market_value": long_value,
        "maintenance_margin": long_value,
        "non_marginable_buying_power": engine.buying_power(),
        "portfolio_value": equity,
        "regt_buying_power": engine.buying_power(),
        "short_market_value": 0,
        "sma": 0,
    }
    day = to_datetime(last_at).date() if last_at else engine.config.first_session - timedelta(days=1)
    return {
        "id": account.id,
        "account_number": account.number,
        "status": flags.status,
        "currency": "USD",
        "multiplier": "1",
        "created_at": engine.config.start.isoformat(),
        "balance_asof": day.isoformat(),
        "account_blocked": flags.account_blocked,
        "shorting_enabled": False,
        "trade_suspended_by_user": bool(engine.settings["suspend_trade"]) or flags.trade_suspended_by_user,
        "trading_blocked": flags.trading_blocked,
        "transfers_blocked": flags.transfers_blocked,
    } | {name: plain(money_decimal(value)) for name, value in money.items()}


def position_json(engine: Engine, symbol: str, holding: Holding) -> Json:
    """Return one long position, valued at the last price."""
    price = engine.price(symbol)
    before = engine.tape.previous_close(symbol, engine.now) or price
    value = notional(price, holding.qty)
    gain, today = value - holding.cost, value - notional(before, holding.qty)
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": engine.tape.profiles[symbol].listing,
        "asset_class": "us_equity",
        "asset_marginable": False,
        "qty": plain(qty_decimal(holding.qty)),
        "qty_available": plain(qty_decimal(engine.book.available(symbol))),
        "side": "long",
        "avg_entry_price": plain(round(money_decimal(holding.cost) / qty_decimal(holding.qty), 6)),
        "cost_basis": plain(money_decimal(holding.cost)),
        "market_value": plain(money_decimal(value)),
        "current_price": plain(price_decimal(price)),
        "lastday_price": plain(price_decimal(before)),
        "change_today": _ratio(price - before, before),
        "unrealized_pl": plain(money_decimal(gain)),
        "unrealized_plpc": _ratio(gain, holding.cost),
        "unrealized_intraday_pl": plain(money_decimal(today)),
        "unrealized_intraday_plpc": _ratio(today, value - today),
    }


def _ratio(part: int, whole: int) -> str:
    return plain(round(Decimal(part) / whole, 9)) if whole else "0"


def asset_json(engine: Engine, profile: SymbolProfile) -> Json:
    """Return a listed symbol, as it stands."""
    return {
        "id": asset_id(profile.symbol),
        "class": "us_equity",
        "exchange": profile.listing,
        "symbol": profile.symbol,
        "name": f"{profile.symbol} (rehearsal)",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": profile.fractionable,
        "attributes": [],
    } | engine.conditions.assets.get(profile.symbol, {})


def clock_json(engine: Engine) -> Json:
    """Return virtual time, in exchange time, and whether it trades, as the clock just now says."""
    view, now = engine.conditions.clock, engine.now
    zone, index = ZoneInfo(engine.tape.table.timezone), engine.tape.session_index(now)
    is_open = engine.tape.is_open(now)
    hours = engine.tape.hours(index)
    began = hours is not None and hours[0] * SECOND_US <= now
    following = engine.tape.hours(index + 1) if began else hours
    next_open, next_close = (following or hours or (0, 0))[0], (hours or (0, 0))[1]
    again = engine.tape.altered.closed_until(now) // SECOND_US
    if began and again and again < next_close:
        next_open = again

    def local(at: int) -> str:
        return to_datetime(at).astimezone(zone).isoformat()

    return {
        "timestamp": local(now + view.skew),
        "is_open": is_open if view.is_open is None else view.is_open,
        "next_open": local(next_open * SECOND_US),
        "next_close": local(next_close * SECOND_US),
    }


def calendar_json(session: Session, following: Session, zone: ZoneInfo) -> Json:
    """Return one session, in exchange time; its trades settle on the ``following`` one."""

    def local(instant: datetime) -> str:
        return f"{instant.astimezone(zone):%H:%M}"

    return {
        "date": session.day.isoformat(),
        "open": local(session.open),
        "close": local(session.close),
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": following.day.isoformat(),
    }
