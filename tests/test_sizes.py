"""Files stay small enough to be read at 15:52 with a position on."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(("folder", "limit"), [("flows", 80), ("tasks", 120), ("src", 400)])
def test_no_file_is_longer_than_its_folder_allows(folder: str, limit: int) -> None:
    """Flows only order, tasks only call; functions are held by ruff (30 statements, 5 parameters)."""
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}

    too_long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > limit}

    assert lengths
    assert too_long == {}, f"longer than {limit} lines: split by meaning"
