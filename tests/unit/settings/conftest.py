"""The files every settings test starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.settings.loading import read_settings
from pipeline.settings.models.root import Settings

CONFIG = Path(__file__).parents[3] / "deployments" / "config"
BASE = CONFIG / "live_momentum_strategy.yaml"
REHEARSAL = CONFIG / "rehearsal.yaml"

ARMING = """
live_arming:
  account: "123456789"
  confirm: "I accept real losses"
  valid_until: 2026-12-31
"""

Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads the seed's example with ``text`` merged over it."""

    def read(text: str = "", *overrides: str, environ: Mapping[str, str] | None = None) -> Settings:
        over = tmp_path / "over.yaml"
        over.write_text(text, "utf-8")
        return read_settings([BASE, over], overrides, environ or {})

    return read
