"""`risk`: every limit, what is used of it, and what happens at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from pipeline.cli.options import Account, Home, Json
from pipeline.cli.output import console, print_json, table
from pipeline.cli.place import find_place
from pipeline.cli.standing import Numbers, part
from pipeline.cli.status import View, look
from pipeline.domain.formatting import NONE, money, percent
from pipeline.domain.ladder import size_factor
from pipeline.domain.money import fraction_decimal, money_decimal
from pipeline.domain.risk import Ladder, RiskLimits
from pipeline.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Row:
    """A limit.

    Attributes:
        actual: None where nothing is measured now; unit: "ppm", "count", "seconds" or "money".
        then: what happens at it.
        floor: whether it is a least instead of a most; cap: whether it may be used up, not passed.
    """

    name: str
    actual: int | None
    limit: int
    unit: str
    then: str
    floor: bool = False
    cap: bool = False

    @property
    def reached(self) -> bool:
        """Whether it is crossed now."""
        if self.actual is None:
            return False
        if self.floor:
            return self.actual < self.limit
        return self.actual > self.limit if self.cap else self.actual >= self.limit


def risk(home: Home = None, account: Account = None, as_json: Json = False) -> None:
    """Show every limit in force, what is used of it now, and what happens when it is reached."""
    view = look(find_place(home, account))
    if view.limits is None:
        raise ConfigurationError("config", None, view.configured.trouble, str(view.place.desk_file))
    rows = tuple(rows_of(view, view.limits))
    if as_json:
        print_json([_row_data(row) for row in rows])
        return
    out, state = console(), view.ledger.state.state
    factor = size_factor(state, view.ledger.resumed_sessions, view.limits.ladder)
    out.print(f"{view.place.badge} · {state.name} · entries at {percent(factor, 0)} of their size")
    out.print(table("LIMIT >NOW >AT >USED *THEN", [_cells(row) for row in rows]))


def rows_of(view: View, limits: RiskLimits) -> Iterator[Row]:
    """Yield every limit, losses first."""
    found, ledger = view.numbers, view.ledger
    yield from _losses(found, limits.ladder)
    exposure = None if found is None else found.exposure_ppm
    yield Row("exposure", exposure, limits.max_exposure, "ppm", "larger entries are refused", cap=True)
    leverage = "no order may exceed it"
    yield Row("leverage", exposure, limits.max_leverage, "ppm", leverage, cap=True)
    yield Row(
        "positions", len(ledger.positions), limits.max_positions, "count", "no further symbol", cap=True
    )
    cash = None if found is None else part(found.cash, found.equity)
    yield Row("cash", cash, limits.min_cash, "ppm", "entries leave at least this", floor=True)
    yield Row("position size", _largest(view), limits.position_size, "ppm", "entries are cut to it", cap=True)
    if limits.max_position_money is not None:
        yield Row(
            "position size", None, limits.max_position_money, "money", "entries are cut to it", cap=True
        )
    if limits.stop_loss is not None:
        yield Row("stop loss", _worst_move(view), limits.stop_loss, "ppm", "the position is closed")
    sent = "no further entries today"
    yield Row("orders sent", ledger.sent_today, limits.max_orders_per_session, "count", sent, cap=True)
    yield from _silence(view, limits.ladder)


def _losses(found: Numbers | None, ladder: Ladder) -> Iterator[Row]:
    rungs = (
        ("daily loss", ladder.cautious_daily_loss, "CAUTIOUS: smaller entries"),
        ("daily loss", ladder.reducing_daily_loss, "REDUCING: exits only"),
        ("daily loss", ladder.halted_daily_loss, "HALTED"),
        ("drawdown", ladder.cautious_drawdown, "CAUTIOUS: smaller entries"),
        ("drawdown", ladder.reducing_drawdown, "REDUCING: exits only"),
        ("drawdown", ladder.halted_drawdown, "HALTED"),
        ("drawdown", ladder.liquidating_drawdown, "LIQUIDATING: all is sold"),
        ("monthly loss", ladder.reducing_monthly_loss, "REDUCING: exits only"),
    )
    actual = {} if found is None else _lost(found)
    for name, limit, then in rungs:
        if limit is not None:
            yield Row(name, actual.get(name), limit, "ppm", then)


def _lost(found: Numbers) -> dict[str, int]:
    return {
        "daily loss": max(0, -found.day_ppm),
        "drawdown": found.drawdown_ppm,
        "monthly loss": max(0, -found.month_ppm),
    }


def _largest(view: View) -> int | None:
    if view.numbers is None:
        return None
    values = [abs(one.value) for one in view.holdings if one.value is not None]
    return part(max(values, default=0), view.numbers.equity)


def _worst_move(view: View) -> int | None:
    """Return the largest adverse move of a position from its average price, ppm."""
    moves = [
        part((one.average - one.last) * (1 if one.quantity > 0 else -1), one.average)
        for one in view.holdings
        if one.last is not None
    ]
    return max(0, *moves) if moves else None


def _silence(view: View, ladder: Ladder) -> Iterator[Row]:
    since = view.ledger.silent_since
    silent = 0 if since is None else max(0, int((view.now - since).total_seconds()))
    reducing, halted = ladder.reducing_silence_seconds, ladder.halted_silence_seconds
    yield Row("broker silent", silent, reducing, "seconds", "REDUCING: exits only")
    yield Row("broker silent", silent, halted, "seconds", "HALTED")
    if ladder.halted_connectivity_failures:
        failures = view.ledger.failures
        yield Row("broker failures", failures, ladder.halted_connectivity_failures, "count", "HALTED")


def _cells(row: Row) -> tuple[str | Text, ...]:
    word = _used(row)
    used = Text(word, style="bold red") if row.reached and not row.cap else Text(word)
    now = NONE if row.actual is None else _shown(row.actual, row.unit)
    least = "≥ " if row.floor else ""
    return row.name, now, f"{least}{_shown(row.limit, row.unit)}", used, row.then


def _used(row: Row) -> str:
    if row.actual is None:
        return NONE
    if row.floor:
        return "BELOW" if row.reached else "kept"
    return "REACHED" if row.reached and not row.cap else percent(part(row.actual, row.limit), 0)


def _shown(value: int, unit: str) -> str:
    if unit == "ppm":
        return percent(value)
    if unit == "money":
        return money(value)
    return f"{value:,} s" if unit == "seconds" else f"{value:,}"


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "actual": None if row.actual is None else _number(row.actual, row.unit),
        "limit": _number(row.limit, row.unit),
        "unit": "fraction" if row.unit == "ppm" else row.unit,
        "reached": row.reached,
        "then": row.then,
    }


def _number(value: int, unit: str) -> Any:
    if unit == "ppm":
        return fraction_decimal(value)
    return money_decimal(value) if unit == "money" else value
