"""Whether a folder can be a desk's home: one real, private, local, writable place.

The journal's promises rest on it. A lock on a network file system may be no lock; through a link two
desks can meet in one journal; what others may write they may forge.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UsageError

_MOUNTS = Path("/proc/self/mounts")
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre"})
_REMOTE_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs")
_PARTS = ("", "journal", "locks", "backups")


def check_home(home: Path, mounts: Path = _MOUNTS) -> tuple[str, ...]:
    """Return what is wrong with a folder as a home, a sentence with its remedy each; none is fine.

    A folder that does not exist yet is judged by the one it will be made in. ``mounts``: the kernel's
    table of file systems.
    """
    return tuple(_troubles(home, mounts))


def require_home(home: Path) -> None:
    """Raise UsageError when a folder cannot be a home."""
    wrong = check_home(home)
    if wrong:
        raise UsageError(" ".join(wrong))


def _troubles(home: Path, mounts: Path) -> Iterator[str]:
    kind = _file_system(home, mounts)
    if kind in _REMOTE or kind in _REMOTE_FUSE:
        yield f"{home} is on a network file system ({kind}), where locks do not hold: choose a local folder."
    for path in _found(home):
        if path.is_symlink():
            yield f"{path} is a link: two desks could meet in one place. Put the real {_word(path)} there."
            continue
        found = path.stat()
        if found.st_uid != os.geteuid() and os.geteuid() != 0:
            yield f"{path} belongs to another user: correct its owner, or choose another folder with --home."
        elif found.st_mode & stat.S_IWOTH:
            yield f"{path} can be written by anybody: `chmod o-w {path}`."
        elif not _writable(path):
            yield f"{path} cannot be written: correct its permissions, or choose another folder with --home."


def _found(home: Path) -> Iterator[Path]:
    for part in _PARTS:
        path = home / part if part else home
        if path.is_symlink() or path.exists():
            yield path
    yield from sorted((home / "journal").glob("*"))
    yield from (path for path in sorted(home.glob("marketday.duckdb*")) if not path.is_dir())


def _word(path: Path) -> str:
    return "folder" if path.is_dir() else "file"


def _writable(path: Path) -> bool:
    """Tell whether it can be written; of a folder, by writing: a read-only disk admits its owner by mode."""
    if not path.is_dir():
        return os.access(path, os.W_OK)
    probe = path / f".probe-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _file_system(home: Path, mounts: Path) -> str:
    """Return the kind of file system that holds, or will hold, the folder; "" when nobody says."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    real, best, kind = home.resolve(), -1, ""
    for line in lines:
        _, point, found, *_ = line.split()
        place = Path(point.replace("\\040", " "))
        if real.is_relative_to(place) and len(place.parts) > best:
            best, kind = len(place.parts), found
    return kind
