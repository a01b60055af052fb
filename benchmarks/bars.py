"""Made-up bars, by the number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline.domain.market import Bar

FIRST = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bars_at(start: datetime, symbols: Sequence[str]) -> list[Bar]:
    """Return one bar a symbol."""
    seconds = int(start.timestamp())
    found = []
    for number, symbol in enumerate(symbols):
        price = 1_000_000 + (seconds // 60 * 7 + number * 131) % 50_000
        found.append(Bar(symbol, start, price, price + 300, price - 200, price + 100, 1_000 + number))
    return found


def names(count: int) -> list[str]:
    """Return symbols: AAA, AAB, …"""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[n // 676] + letters[n // 26 % 26] + letters[n % 26] for n in range(count)]
