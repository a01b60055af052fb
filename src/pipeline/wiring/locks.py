"""Locks that belong to the machine, not to a home."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir

from pipeline.adapters.file_lock import FileLock


def port_lock(port: int) -> FileLock:
    """Return the lock of whoever listens, or is about to listen, on a port of this machine."""
    folder = Path(gettempdir()) / f"marketday-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    return FileLock(folder / f"{port}.lock")
