"""Where a run leaves its counts for ``make faults`` to show."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "MARKETDAY_FAULTS_REPORT"
FULL = "MARKETDAY_FAULTS"
FIRST_ONLY = "MARKETDAY_FAULTS_FIRST"
"""Set where that something fails is enough: nobody looks for the shortest way to fail, or for more of it."""


def is_full() -> bool:
    """Tell whether everything is asked for (``make faults``), not a minute's worth."""
    return os.environ.get(FULL) == "full"


def keep(name: str, counts: Mapping[str, Any]) -> None:
    """Write counts down, if anybody asked for them."""
    folder = os.environ.get(FOLDER)
    if folder:
        (Path(folder) / f"{name}.json").write_text(json.dumps(counts, sort_keys=True))
