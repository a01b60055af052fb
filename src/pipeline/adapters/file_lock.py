"""Locks between processes that end with their holder: ``flock`` on a file of their own."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LockBusy

_POLL_SECONDS = 0.005
_PID_WIDTH = 20


class FileLock:
    """A lock named by a file. The file holds its holder's pid, for people; it is never removed.

    ``flock`` belongs to the open file, so it survives unrelated opens and closes of any other
    file in this process (POSIX locks do not, FAULTS K12) and ends with the process, kill -9 included.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def hold(self, wait_seconds: float) -> Iterator[None]:
        """Hold the lock for the length of the block.

        Raises:
            LockBusy: another holder did not let go within ``wait_seconds``.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(descriptor, wait_seconds)
            # Overwritten in place, never emptied first: on a full disk a new block could not be had,
            # and the kill switch takes this lock, too.
            os.pwrite(descriptor, f"{os.getpid()}\n".rjust(_PID_WIDTH).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockBusy(str(self.path), self.holder()) from None
                time.sleep(_POLL_SECONDS)
            else:
                return

    def holder(self) -> str:
        """Return "process N" of the last holder, for messages."""
        text = self.path.read_text().strip() if self.path.exists() else ""
        return f"process {text}" if text else "another process"
