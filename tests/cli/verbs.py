"""Verbs that go wrong, for the tests of how the command speaks of it."""

from __future__ import annotations


def interrupted() -> None:
    """Be stopped with Ctrl-C."""
    raise KeyboardInterrupt


def unforeseen() -> None:
    """Meet a bug."""
    raise RuntimeError("nobody thought of this")


def on_a_read_only_disk() -> None:
    """Meet a disk that cannot be written."""
    raise OSError(30, "Read-only file system", "/mnt/desk/x")
