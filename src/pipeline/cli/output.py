"""What goes to the terminal: plain lines, tables with right-aligned numbers, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.domain.formatting import quantity
from pipeline.domain.trading_state import TradingState

PIPE_WIDTH = 160
"""Columns where nobody looks: a pipe must not cut what a script reads."""

STYLES = {
    TradingState.NORMAL: "bold green",
    TradingState.CAUTIOUS: "bold yellow",
    TradingState.REDUCING: "bold yellow",
    TradingState.HALTED: "bold red",
    TradingState.LIQUIDATING: "bold red",
}
"""Colours only repeat what the words beside them say."""


def console() -> Console:
    """Return the terminal, or something wide enough for a pipe."""
    fixed = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if fixed else PIPE_WIDTH, highlight=False, emoji=False, markup=False)


def table(columns: str, rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table without borders.

    Args:
        columns: headings separated by blanks; ``>`` before one aligns its numbers to the right, ``*``
            lets it wrap while every other column keeps its words whole.
        rows: cells, one for each heading.
    """
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in columns.split():
        name = heading.lstrip(">*").replace("_", " ")
        wraps = heading.startswith("*")
        made.add_column(
            name,
            justify="right" if heading.startswith(">") else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def shares(units: int) -> str:
    """Return a quantity for people: four decimals, unless it is less than that; JSON has them all."""
    rounded = round(units, -5)
    return quantity(rounded or units)


def print_json(value: object) -> None:
    """Write a value as JSON; see :func:`plain`."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Return what JSON can hold: decimals as numbers, instants as UTC with a Z, values as objects.

    A decimal of up to 15 digits stays the same number on its way through a double.

    Raises:
        TypeError: nothing that a command prints.
    """
    if isinstance(value, Enum):
        return value.name if isinstance(value, int) else value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Path):
        return str(value)
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")
