"""Where the real market data for tests lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTE_BARS = "market/us_equity_minute_bars_2013-10.parquet"


def minute_bars() -> Path:
    """Return the file of recorded minute bars, or skip the test that asks."""
    folder = Path(os.environ.get("MARKETDAY_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / MINUTE_BARS
    if not path.is_file():
        pytest.skip(f"no real market data: {path} is missing; name its folder in MARKETDAY_TEST_DATA")
    return path
