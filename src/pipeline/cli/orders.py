"""`orders` and `trades`: what is under way and what was executed, from the journal alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from pipeline.cli.blotter import Execution, executions, total_realized
from pipeline.cli.options import Account, Home, Json
from pipeline.cli.output import console, print_json, shares, table
from pipeline.cli.place import configured, find_place, shown_time
from pipeline.cli.standing import held_for_review
from pipeline.cli.status import order_data
from pipeline.cli.status_lines import day_and_time
from pipeline.domain.formatting import (
    NONE,
    basis_points,
    cents,
    count,
    duration,
    one_line,
    signed_money,
    time_of_day,
)
from pipeline.domain.money import fraction_decimal, money_decimal, price_decimal, qty_decimal
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState


def orders(
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
    every: Annotated[bool, typer.Option("--all", help="Those that ended as well.")] = False,
    number: Annotated[int, typer.Option("-n", min=1, help="At most this many, the newest.")] = 50,
) -> None:
    """Show orders under way: held for review, sent, in doubt, partly filled."""
    place = find_place(home, account)
    ledger = place.journal.read()
    lives = (tuple(ledger.lives.values()) if every else ledger.open_lives)[-number:]
    if as_json:
        print_json([order_data(life) for life in lives])
        return
    out, now, zone = console(), shown_time(place, ledger), configured(place).zone
    if not lives:
        ended = len(ledger.lives)
        more = f"; {count(ended, 'order')} ended: marketday orders --all" if ended else ""
        out.print(f"{place.badge} · no orders under way{more}")
        return
    out.print(f"{place.badge} · {count(len(lives), 'order')}, oldest first")
    rows = [(*_order_cells(life, zone), _order_note(life, now, zone)) for life in lives]
    out.print(table("DECIDED SYMBOL SIDE PURPOSE >QTY >FILLED STATE *NOTE", rows))
    for life in held_for_review(ledger):
        out.print(f"marketday veto {life.intent.id} --reason '…'")


def _order_cells(life: OrderLife, zone: str) -> tuple[str, ...]:
    intent = life.intent
    return (
        time_of_day(intent.decided_at, zone).split()[0],
        intent.symbol,
        intent.side.upper(),
        intent.purpose.value,
        shares(intent.quantity),
        shares(life.filled) if life.filled else NONE,
        life.state.upper(),
    )


def _order_note(life: OrderLife, now: datetime, zone: str) -> str:
    intent = life.intent
    if life.state is IntentState.HELD and intent.release_at is not None:
        left = duration(max(0.0, (intent.release_at - now).total_seconds()))
        return f"goes out {time_of_day(intent.release_at, zone)} ({left})"
    if life.cancel_requested and not life.state.terminal:
        return "cancel asked for, not confirmed"
    if life.state.terminal and life.state is not IntentState.FILLED:
        return one_line(life.note)
    return "" if life.state.terminal else one_line(intent.reason)


def trades(
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
    number: Annotated[int, typer.Option("-n", min=1, help="At most this many, the newest.")] = 30,
) -> None:
    """Show executions by order, with slippage against the arrival price and profit taken before fees."""
    place = find_place(home, account)
    ledger = place.journal.read()
    found = executions(place.journal.records(), ledger)
    shown = found[-number:]
    if as_json:
        print_json([_trade_data(one) for one in shown])
        return
    out, zone = console(), configured(place).zone
    if not shown:
        out.print(f"{place.badge} · nothing was executed yet")
        return
    left_out = len(found) - len(shown)
    older = f"; {left_out:,} older: -n {len(found)}" if left_out else ""
    out.print(f"{place.badge} · {count(len(shown), 'order')} executed, oldest first{older}")
    out.print(
        table("TIME SYMBOL SIDE PURPOSE >QTY >PRICE >SLIP >P&L", [_trade_cells(one, zone) for one in shown])
    )
    slipped = sum(one.slippage or 0 for one in shown)
    profit = signed_money(total_realized(shown))
    out.print(f"taken {profit} before fees · slippage {signed_money(slipped)} (inside it; minus is a cost)")


def _trade_cells(one: Execution, zone: str) -> tuple[str, ...]:
    return (
        day_and_time(one.at, zone).split(" ", 1)[1].rsplit(" ", 1)[0],
        one.symbol,
        one.side.upper(),
        one.purpose or "not ours",
        shares(one.quantity),
        cents(one.average),
        NONE if one.slippage_ppm is None else basis_points(one.slippage_ppm),
        signed_money(one.realized) if one.realized or one.purpose != "entry" else NONE,
    )


def _trade_data(one: Execution) -> dict[str, Any]:
    return {
        "at": one.at,
        "symbol": one.symbol,
        "side": one.side,
        "purpose": one.purpose or None,
        "quantity": qty_decimal(one.quantity),
        "price": price_decimal(one.average),
        "arrival_price": None if one.arrival is None else price_decimal(one.arrival),
        "slippage": None if one.slippage is None else money_decimal(one.slippage),
        "slippage_fraction": None if one.slippage_ppm is None else fraction_decimal(one.slippage_ppm),
        "realized": money_decimal(one.realized),
        "fills": one.fills,
        "intent_id": one.intent_id or None,
    }
