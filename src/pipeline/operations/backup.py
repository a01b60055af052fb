"""Backup of the journal: a copy that is verified by reading it, with a checksum and retention."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

from pipeline.domain.journal import to_line
from pipeline.operations.desk import Desk

KEPT = 30
"""Sessions whose backups are kept."""


def backup_journal(desk: Desk, day: date) -> Path:
    """Write every verified record to ``backups/<day>.jsonl`` with its checksum; return the path.

    The copy is made of records that were read and verified, so it cannot hold a torn or altered one.
    """
    folder = desk.home / "backups"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = b"".join(to_line(record) for record in desk.journal.records())
    path = folder / f"{day.isoformat()}.jsonl"
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(content)
    fresh.replace(path)
    digest = hashlib.sha256(content).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n")
    for old in sorted(folder.glob("*.jsonl"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".sha256").unlink(missing_ok=True)
    return path
