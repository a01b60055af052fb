"""`status` and `positions`: where the desk stands, from the journal alone."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.exits import Exit
from pipeline.cli.options import Account, Home, Json
from pipeline.cli.output import STYLES, console, print_json, shares, table
from pipeline.cli.place import Configured, Place, accounts, configured, find_place, shown_time
from pipeline.cli.standing import Holding, Hours, Numbers, holdings, hours, numbers
from pipeline.cli.status_lines import (
    data_age,
    head_lines,
    health_lines,
    money_lines,
    trouble_lines,
    unattended_line,
)
from pipeline.domain.formatting import NONE, cents, duration, price, signed_money
from pipeline.domain.ladder import size_factor
from pipeline.domain.ledger import Ledger
from pipeline.domain.money import fraction_decimal, money_decimal, price_decimal, qty_decimal
from pipeline.domain.order_life import OrderLife
from pipeline.domain.risk import RiskLimits
from pipeline.domain.stops import unconfirmed
from pipeline.settings.effective import risk_limits, timeframe
from pipeline.wiring.desks import home_lock
from pipeline.wiring.offline import cached_calendar

_REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a status shows, at one instant of the desk's time."""

    place: Place
    configured: Configured
    ledger: Ledger
    now: datetime
    limits: RiskLimits | None
    numbers: Numbers | None
    hours: Hours
    holdings: tuple[Holding, ...]


def look(place: Place) -> View:
    """Return the view of a place. Reads the journal, the configuration and the calendar's cache only."""
    found = configured(place)
    ledger = place.journal.read()
    now = shown_time(place, ledger)
    limits = sessions = None
    if found.settings is not None:
        limits = risk_limits(found.settings)
        sessions = cached_calendar(place.home, found.settings)
    return View(
        place=place,
        configured=found,
        ledger=ledger,
        now=now,
        limits=limits,
        numbers=numbers(ledger),
        hours=hours(place.journal.records(), sessions, now),
        holdings=holdings(ledger, limits),
    )


def status(
    home: Home = None,
    account: Account = None,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again every 2 s until Ctrl-C.")
    ] = False,
    halted_exits: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 4 while trading is halted, for scripts.")
    ] = False,
) -> None:
    """Show state, session, equity against its limits, positions and orders.

    It reads the journal alone: it works with broker, store and Prefect down.
    """
    place = find_place(home, account)
    view = look(place)
    if as_json:
        print_json(as_data(view))
    elif watch:
        _watch(place)
    else:
        _print(view)
    if halted_exits and view.ledger.state.state.latched:
        raise typer.Exit(Exit.HALTED)


def positions(home: Home = None, account: Account = None, as_json: Json = False) -> None:
    """Show what is held: average price, last price, profit, stop, age."""
    view = look(find_place(home, account))
    if as_json:
        print_json([_holding_data(one, view.now) for one in view.holdings])
        return
    out = console()
    if not view.holdings:
        out.print(f"{view.place.badge} · flat: no positions")
        return
    out.print(f"{view.place.badge} · {_valued(view)}")
    out.print(_positions_table(view))
    total = sum(one.unrealized or 0 for one in view.holdings)
    out.print(f"open P&L {signed_money(total)}")


def _valued(view: View) -> str:
    if view.numbers is None:
        return "no prices yet"
    return f"prices {duration((view.now - view.numbers.at).total_seconds())} old"


def _watch(place: Place) -> None:
    out = console()
    with suppress(KeyboardInterrupt):
        while True:
            view = look(place)
            out.clear()
            _print(view)
            out.print(
                f"\nagain every {_REFRESH_SECONDS:.0f} s; Ctrl-C ends this view, not the desk", style="dim"
            )
            time.sleep(_REFRESH_SECONDS)


def _print(view: View) -> None:
    out, ledger, zone = console(), view.ledger, view.configured.zone
    style = STYLES[ledger.state.state]
    head, *more = head_lines(view.place.badge, ledger, view.hours, view.now, zone)
    out.print(Text(head, style=style))
    for line in (*more, *money_lines(view.numbers, view.limits)):
        out.print(line)
    if view.holdings:
        out.print()
        out.print(_positions_table(view))
    out.print()
    age = data_age(view.numbers, view.now, _stale_after(view))
    for line in health_lines(ledger, age, view.now, zone):
        out.print(line)
    if not _is_run(view):
        out.print(Text(unattended_line(view.hours, len(view.holdings)), style="yellow"))
    for line in trouble_lines(ledger, view.now, zone):
        out.print(Text(line, style="yellow"))
    if view.configured.trouble:
        out.print(f"limits are not shown: {view.configured.trouble}")
    others = [name for name in accounts(view.place.home) if name != view.place.account]
    if others:
        out.print(f"also in this folder: {', '.join(others)} (choose with --account)")


def _is_run(view: View) -> bool:
    """Tell whether a session process works in the desk's folder now."""
    return home_lock(view.place.home).held()


def _stale_after(view: View) -> timedelta | None:
    """Return the age at which data is stale while the exchange is open; None while it is closed."""
    if view.limits is None or view.configured.settings is None or not view.hours.is_open:
        return None
    bars = view.limits.max_data_age_bars + 1  # a snapshot is taken once a bar
    return timeframe(view.configured.settings).length * bars


def _positions_table(view: View) -> Any:
    rows = [
        (
            one.symbol,
            one.side,
            shares(one.quantity),
            cents(one.average),
            NONE if one.last is None else price(one.last),
            NONE if one.unrealized is None else signed_money(one.unrealized),
            NONE if one.stop is None else cents(one.stop),
            duration(max(0.0, (view.now - one.opened_at).total_seconds())),
        )
        for one in view.holdings
    ]
    return table("SYMBOL SIDE >QTY >AVG >LAST >P&L >STOP >AGE", rows)


def as_data(view: View) -> dict[str, Any]:
    """Return the status for machines: money in account currency, fractions as fractions, times UTC."""
    ledger, place = view.ledger, view.place
    state = ledger.state
    return {
        "badge": place.badge,
        "mode": place.mode,
        "account": place.account,
        "home": place.home,
        "at": view.now,
        "state": {
            "name": state.state.name,
            "reason": state.reason,
            "by": state.by,
            "since": state.at,
            "cancels_unconfirmed": len(unconfirmed(ledger.open_lives, state)),
        },
        "entries": {"go": ledger.go, "enabled": ledger.entries_enabled, "size": _size(view)},
        "session": view.hours,
        "account_numbers": None if view.numbers is None else _numbers_data(view.numbers),
        "limits": None if view.limits is None else _limits_data(view.limits),
        "positions": [_holding_data(one, view.now) for one in view.holdings],
        "orders": [order_data(life) for life in ledger.open_lives],
        "locks": ledger.locks,
        "broker": {"silent_since": ledger.silent_since, "failures": ledger.failures},
        "reconciled": {"at": ledger.reconciled_at, "clean": ledger.clean},
        "last_tick": ledger.last_tick,
        "alerts_waiting": len(ledger.outbox),
        "session_process": _is_run(view),
    }


def _size(view: View) -> Any:
    if view.limits is None:
        return None
    factor = size_factor(view.ledger.state.state, view.ledger.resumed_sessions, view.limits.ladder)
    return fraction_decimal(factor)


def _numbers_data(found: Numbers) -> dict[str, Any]:
    return {
        "at": found.at,
        "equity": money_decimal(found.equity),
        "cash": money_decimal(found.cash),
        "day_pnl": money_decimal(found.day),
        "day_pnl_fraction": fraction_decimal(found.day_ppm),
        "month_pnl_fraction": fraction_decimal(found.month_ppm),
        "drawdown_fraction": fraction_decimal(found.drawdown_ppm),
        "exposure": money_decimal(found.exposure),
        "exposure_fraction": fraction_decimal(found.exposure_ppm),
    }


def _limits_data(limits: RiskLimits) -> dict[str, Any]:
    ladder = limits.ladder
    shown = {
        "daily_loss": ladder.reducing_daily_loss,
        "drawdown": ladder.halted_drawdown,
        "monthly_loss": ladder.reducing_monthly_loss,
        "exposure": limits.max_exposure,
    }
    return {name: None if limit is None else fraction_decimal(limit) for name, limit in shown.items()}


def _holding_data(one: Holding, now: datetime) -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "side": one.side.lower(),
        "quantity": qty_decimal(one.quantity),
        "average_price": price_decimal(one.average),
        "last_price": None if one.last is None else price_decimal(one.last),
        "value": None if one.value is None else money_decimal(one.value),
        "unrealized": None if one.unrealized is None else money_decimal(one.unrealized),
        "stop": None if one.stop is None else price_decimal(one.stop),
        "opened_at": one.opened_at,
        "age_seconds": max(0, int((now - one.opened_at).total_seconds())),
    }


def order_data(life: OrderLife) -> dict[str, Any]:
    """Return an intent and what is known of its order, for machines."""
    intent = life.intent
    return {
        "id": intent.id,
        "order_id": life.order_id or None,
        "symbol": intent.symbol,
        "side": intent.side,
        "purpose": intent.purpose,
        "strategy": intent.strategy,
        "quantity": qty_decimal(intent.quantity),
        "filled": qty_decimal(life.filled),
        "state": life.state,
        "decided_at": intent.decided_at,
        "decision_price": price_decimal(intent.decision_price),
        "release_at": intent.release_at,
        "sent_at": life.sent_at,
        "cancel_requested": life.cancel_requested,
        "reason": intent.reason,
        "note": life.note,
    }
