"""Start a rehearsal exchange for a test, and configurations to start it with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.exchange.process import RunningExchange, start

KEY, SECRET = "REHEARSAL", "rehearsal"

SESSIONS = [
    *(
        [f"2026-11-{day:02d}", f"2026-11-{day:02d}T14:30:00Z", f"2026-11-{day:02d}T21:00:00Z", False]
        for day in (9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25)
    ),
    ["2026-11-27", "2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z", True],
    ["2026-11-30", "2026-11-30T14:30:00Z", "2026-11-30T21:00:00Z", False],
    ["2026-12-01", "2026-12-01T14:30:00Z", "2026-12-01T21:00:00Z", False],
]
"""XNYS around Thanksgiving 2026: the 26th is a holiday, the 27th a half day."""

RECORDED_SESSIONS = [
    [f"2013-10-{day:02d}", f"2013-10-{day:02d}T13:30:00Z", f"2013-10-{day:02d}T20:00:00Z", False]
    for day in (4, 7, 8, 9, 10, 11)
]
"""The sessions of the recorded minute bars."""

SYMBOLS = {
    "SPY": {"price": "671.20", "annual_volatility": 0.16, "daily_volume": 60_000_000},
    "QQQ": {"price": "601.50", "annual_volatility": 0.21, "daily_volume": 40_000_000, "listing": "NASDAQ"},
    "THIN": {"price": "20.00", "daily_volume": 39_000, "fractionable": False},
}


def a_config(**changes: Any) -> dict[str, Any]:
    """Return a configuration of a synthetic market with a thin symbol; ``changes`` replace keys."""
    return {
        "seed": 7,
        "market": {"kind": "synthetic", "symbols": SYMBOLS},
        "session_table": "sessions.json",
        "first_session": "2026-11-20",
        "cash": "50000",
    } | changes


def write_config(
    folder: Path, config: Mapping[str, Any] | None = None, sessions: list[list[Any]] | None = None
) -> Path:
    """Write the configuration and its session table into ``folder``; return the configuration's path."""
    rows = sessions or SESSIONS
    table = {
        "exchange": "XNYS",
        "timezone": "America/New_York",
        "first": rows[0][0],
        "last": rows[-1][0],
        "sessions": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sessions.json").write_text(json.dumps(table), "utf-8")
    path = folder / "exchange-config.json"
    path.write_text(json.dumps(config or a_config()), "utf-8")
    return path


@contextmanager
def running_exchange(
    folder: Path, config: Mapping[str, Any] | None = None, sessions: list[list[Any]] | None = None
) -> Iterator[RunningExchange]:
    """Run an exchange process with its storage in ``folder / "exchange"``; end it with the block.

    Credentials are :data:`KEY` and :data:`SECRET` unless the configuration says otherwise.
    The virtual clock starts at 08:00 exchange time of the first session and stands still.
    """
    exchange = start(folder / "exchange", write_config(folder, config, sessions))
    try:
        yield exchange
    finally:
        exchange.stop()
