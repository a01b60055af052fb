"""The exchange's storage: every command it accepted to carry out, in order, in one file.

State is never written: it is what the commands lead to. A command is on disk before it has an
effect, and has its effect before it is answered; so a killed exchange, started again, knows
everything it has answered.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigurationError, JournalCorrupt

FORMAT = 1


class CommandLog:
    """An append-only JSONL file. The first line says which configuration it belongs to."""

    def __init__(self, path: Path, digest: str) -> None:
        """Open or create the log; a line without an end was never answered and is dropped.

        Raises:
            ConfigurationError: it belongs to another configuration.
            JournalCorrupt: a line before the last is not what was written.
        """
        self._path = path
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self.replay = self._load(whole, digest) if whole else []
        self._file = path.open("ab", buffering=0)
        self._file.truncate(len(whole))
        if not whole:
            self.append({"format": FORMAT, "digest": digest})

    def _load(self, content: bytes, digest: str) -> list[dict[str, Any]]:
        lines = [self._parse(line, i + 1) for i, line in enumerate(content.splitlines())]
        if lines[0].get("format") != FORMAT or lines[0].get("digest") != digest:
            remedy = "holds a rehearsal with another configuration: choose another folder or remove it"
            raise ConfigurationError("home", str(self._path.parent), remedy)
        return lines[1:]

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except ValueError as error:
            raise JournalCorrupt(str(self._path), number, str(error)) from error

    def append(self, command: Mapping[str, Any]) -> None:
        """Write one command durably, or nothing of it. Raises OSError (a full disk)."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            line = json.dumps(command, separators=(",", ":")).encode() + b"\n"
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, "no space left", str(self._path))
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self._path, end)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()
