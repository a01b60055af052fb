"""Locks between processes that end with their holder: ``flock`` on a file of their own."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LockBusy

_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 0.02
_PID_WIDTH = 20


class FileLock:
    """A lock named by a file. The file holds its holder's pid, for people; it is never removed.

    ``flock`` belongs to the open file, so it survives unrelated opens and closes of any other
    file in this process (POSIX locks do not, FAULTS K12) and ends with the process, kill -9 included.

    Whoever waits stands in a door (a second file) that everybody passes to get the lock: so a
    busy holder cannot come back before it. Without one, a halt waited half a second behind a
    single process that appended in a loop, with luck (measured); with it, for one append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._door = path.with_name(f"{path.name}.door")

    @contextmanager
    def hold(self, wait_seconds: float) -> Iterator[None]:
        """Hold the lock for the length of the block.

        Raises:
            LockBusy: another holder did not let go within ``wait_seconds``.
        """
        descriptor = self._taken(time.monotonic() + wait_seconds)
        try:
            # Overwritten in place, never emptied first: on a full disk a new block could not be had,
            # and the kill switch takes this lock, too.
            os.pwrite(descriptor, f"{os.getpid()}\n".rjust(_PID_WIDTH).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _taken(self, deadline: float) -> int:
        """Return the locked file: the one that has the name now, should somebody have removed another."""
        while True:
            descriptor = self._opened(self.path)
            try:
                self._take_turn(descriptor, deadline)
                if self.path.exists() and os.path.samestat(os.fstat(descriptor), self.path.stat()):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _take_turn(self, descriptor: int, deadline: float) -> None:
        door = self._opened(self._door)
        try:
            self._acquire(door, deadline)
            self._acquire(descriptor, deadline)
        finally:
            os.close(door)

    def _acquire(self, descriptor: int, deadline: float) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockBusy(str(self.path), self.holder()) from None
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.2)
            else:
                return

    def _opened(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def held(self) -> bool:
        """Tell whether anybody holds it now, without taking it: its file keeps the holder's pid."""
        if not self.path.exists():
            return False
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def holder(self) -> str:
        """Return "process N" of the last holder, for messages."""
        text = self.path.read_text().strip() if self.path.exists() else ""
        return f"process {text}" if text else "another process"
