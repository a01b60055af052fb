"""A store on disk, behind its lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.file_lock import FileLock


@pytest.fixture
def store(tmp_path: Path) -> DuckStore:
    """An empty store."""
    return DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"), wait_seconds=5)
