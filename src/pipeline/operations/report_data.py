"""A session report from the store: the same rows always give the same report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pipeline.domain.formatting import money, percent, price, quantity
from pipeline.domain.money import PPM, to_money, to_price, to_qty
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.pnl import Explained, Explanation
from pipeline.domain.reports import (
    Choice,
    EquityPoint,
    Funnel,
    Holding,
    Profit,
    Refusal,
    Scope,
    SessionReport,
    Trade,
)
from pipeline.domain.risk import RiskLimits
from pipeline.domain.rules.limits import stop_price
from pipeline.domain.session import Session
from pipeline.operations import report_queries as ask
from pipeline.operations.report_health import (
    load_data_quality,
    load_health,
    load_locks,
    load_reconciliation,
    load_states,
)
from pipeline.operations.report_incidents import load_incidents
from pipeline.operations.report_risk import load_risk
from pipeline.ports import Store

Row = Mapping[str, Any]


def load_report(
    store: Store, scope: Scope, limits: RiskLimits, as_of: datetime, tomorrow: Session | None = None
) -> SessionReport:
    """Return the report of ``scope.session`` as it stands at ``as_of``.

    Args:
        limits: those in force, for the bars beside which the session is judged.
        as_of: runs planned later than this are not missing yet, UTC.
        tomorrow: the next session of the calendar.

    Raises:
        StoreUnavailable: the store is held by another process.
    """
    day = scope.session.day
    trades = _load_trades(store, day)
    profit = _load_profit(store, day, trades)
    rows = store.query(ask.CHOICES, (day,))
    return SessionReport(
        scope=scope,
        as_of=as_of,
        state=str(_one(store, ask.STATE_AT_END, as_of)["state"] or "NORMAL"),
        go=_one(store, ask.GO, day)["go"],
        strategies=tuple(sorted({str(row["strategy"]) for row in rows if row["strategy"]})),
        profit=profit,
        curve=_load_curve(store, day),
        holdings=_load_holdings(store, day, profit, limits),
        trades=trades,
        choices=tuple(_choice(row) for row in rows),
        refusals=tuple(_refusal(row) for row in store.query(ask.REFUSALS, (day,))),
        funnel=_funnel(_one(store, ask.FUNNEL, day), rows),
        risk=load_risk(store, day, profit, limits),
        reconciliation=load_reconciliation(store, day),
        data=load_data_quality(store, scope, as_of),
        health=load_health(store, day, as_of),
        states=load_states(store, day),
        incidents=load_incidents(store, day, scope.zone),
        locks=load_locks(store, as_of),
        tomorrow=tomorrow,
        explained=_load_explained(store, day),
    )


def _load_explained(store: Store, day: date) -> Explanation | None:
    rows = store.query(ask.EXPLAINED, (day,))
    if not rows:
        return None
    row: Row = rows[0]
    sources = {field.name: to_money(row[field.name]) for field in fields(Explained)}
    amounts = {name: to_money(row[name]) for name in ("equity", "change", "deposits", "residual")}
    return Explanation(explained=Explained(**sources), **amounts)


def _one(store: Store, sql: str, parameter: object) -> Row:
    return store.query(sql, (parameter,))[0]


def _maybe(convert: Callable[[Any], int], value: Any) -> int | None:
    return None if value is None else convert(value)


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _load_profit(store: Store, day: date, trades: tuple[Trade, ...]) -> Profit | None:
    rows = store.query(ask.PROFIT, (day,))
    if not rows:
        return None
    row: Row = rows[0]
    return Profit(
        start_equity=to_money(row["start_equity"]),
        close_equity=to_money(row["close_equity"]),
        deposits=to_money(row["deposits"]),
        pnl=to_money(row["pnl"]),
        pnl_ppm=int(row["pnl_ppm"] or 0),
        low_equity=to_money(row["low_equity"]),
        high_equity=to_money(row["high_equity"]),
        drawdown_ppm=int(row["max_drawdown_ppm"] or 0),
        realized=to_money(row["realized"]),
        fees=to_money(row["fees"]),
        turnover=to_money(row["turnover"]),
        slippage=sum(trade.slippage or 0 for trade in trades),
    )


def _load_curve(store: Store, day: date) -> tuple[EquityPoint, ...]:
    return tuple(
        EquityPoint(_utc(row["occurred_at"]), to_money(row["equity"]), int(row["drawdown_ppm"] or 0))
        for row in map(_row, store.query(ask.CURVE, (day,)))
    )


def _row(row: Mapping[str, object]) -> Row:
    return row


def _load_holdings(store: Store, day: date, profit: Profit | None, limits: RiskLimits) -> tuple[Holding, ...]:
    equity = profit.close_equity if profit is not None else 0
    return tuple(_holding(row, equity, limits) for row in store.query(ask.HOLDINGS, (day,)))


def _holding(row: Row, equity: int, limits: RiskLimits) -> Holding:
    held, cost, value = to_qty(row["quantity"]), to_money(row["cost"]), _maybe(to_money, row["value"])
    average = to_price(abs(Decimal(row["cost"]) / Decimal(row["quantity"])))
    return Holding(
        symbol=row["symbol"],
        quantity=held,
        average_price=average,
        price=_maybe(to_price, row["price"]),
        value=value,
        unrealized=None if value is None else value - cost,
        share_ppm=None if value is None or equity <= 0 else abs(value) * PPM // equity,
        stop=None if limits.stop_loss is None else stop_price(average, held > 0, limits.stop_loss),
    )


def _load_trades(store: Store, day: date) -> tuple[Trade, ...]:
    return tuple(_trade(row) for row in store.query(ask.TRADES, (day,)))


def _trade(row: Row) -> Trade:
    return Trade(
        at=_utc(row["first_at"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        purpose=None if row["purpose"] is None else Purpose(row["purpose"]),
        quantity=to_qty(row["quantity"]),
        asked=_maybe(to_qty, row["asked"]),
        arrival=_maybe(to_price, row["arrival"]),
        average=to_price(row["average"]),
        slippage=_maybe(to_money, row["slippage"]),
        slippage_ppm=_maybe(int, row["slippage_ppm"]),
        realized=to_money(row["realized"]),
        fills=int(row["fills"]),
    )


def _choice(row: Row) -> Choice:
    # The store's note is the last thing said of the order: at first that is the reason itself.
    note = "" if row["note"] == row["reason"] else row["note"]
    return Choice(
        at=_utc(row["decided_at"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        purpose=Purpose(row["purpose"]),
        quantity=to_qty(row["quantity"]),
        reason=row["reason"],
        state=row["state"],
        note=note,
        cut=row["cut"],
    )


def _refusal(row: Row) -> Refusal:
    return Refusal(
        symbol=row["symbol"],
        side=Side(row["side"]),
        limit=row["limit_name"],
        times=int(row["times"]),
        first_at=_utc(row["first_at"]),
        last_at=_utc(row["last_at"]),
        allowed=_in_words(row["allowed"], row["unit"]),
        actual=_in_words(row["actual"], row["unit"]),
    )


_WORDS: Mapping[str, Callable[[Decimal], str]] = {
    "money": lambda value: money(to_money(value)),
    "price": lambda value: price(to_price(value)),
    "quantity": lambda value: quantity(to_qty(value)),
    "ppm": lambda value: percent(int(value)),
    "seconds": lambda value: f"{int(value):,} s",
}


def _in_words(value: Decimal | None, unit: str | None) -> str:
    """Return a limit's number in its unit; "" where the refusal names none."""
    if value is None or unit is None:
        return ""
    words = _WORDS.get(unit)
    return f"{int(value):,}" if words is None else words(value)


def _funnel(counts: Row, choices: tuple[Mapping[str, object], ...]) -> Funnel:
    rows: list[Row] = list(choices)
    return Funnel(
        ticks=int(counts["ticks"]),
        signals=int(counts["signals"]),
        wanted=int(counts["wanted"]),
        refused=int(counts["refused"]),
        intents=len(rows),
        sent=sum(row["sends"] > 0 for row in rows),
        filled=sum(row["booked"] > 0 for row in rows),
        rejected=sum(row["state"] == "rejected" for row in rows),
    )
