"""Who may talk to a home's Prefect server: a password, an allow-list of pages, a key for its secrets.

Without these any page that the operator opens, and any user of the machine, can start a flow run
(FAULTS K14). The password lies in one file that only its owner can read: it stands in no argument,
no log and no database. See ADR 17.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from pipeline.errors import UsageError

_USER = "marketday"
_PRIVATE = 0o600


def login_file(home: Path) -> Path:
    """Return the file that holds ``user:password`` of the home's Prefect server."""
    return home / "prefect" / "login"


def access_environment(home: Path, url: str) -> dict[str, str]:
    """Return the settings that close the server at ``url`` to everybody without the home's password.

    Server and clients read the same ones: both are ours.

    Raises:
        UsageError: the password's file cannot be made, or somebody else's lies in its place.
    """
    login = _kept(login_file(home), lambda: f"{_USER}:{secrets.token_urlsafe(24)}")
    key = _kept(home / "prefect" / "block.key", lambda: base64.urlsafe_b64encode(os.urandom(32)).decode())
    pages = f"{url},{url.replace('127.0.0.1', 'localhost')}"
    return {
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_API_AUTH_STRING": login,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": pages,
        # Else Prefect keeps the key of secret blocks in the database that holds the blocks.
        "PREFECT_SERVER_ENCRYPTION_KEY": key,
    }


def write_shell_file(home: Path, url: str) -> Path:
    """Write what a shell needs to use the `prefect` command with the running server; return its path.

    It names the password's file, not the password.
    """
    path = shell_file(home)
    lines = (
        f"export PREFECT_HOME={quote(str(home / 'prefect'))}",
        f"export PREFECT_API_URL={quote(f'{url}/api')}",
        f'export PREFECT_API_AUTH_STRING="$(cat {quote(str(login_file(home)))})"',
        "export DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false",
    )
    fresh = path.with_suffix(".tmp")
    fresh.write_text("\n".join(lines) + "\n")
    fresh.replace(path)
    return path


def shell_file(home: Path) -> Path:
    """Return the file that :func:`write_shell_file` writes."""
    return home / "prefect" / "shell.sh"


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in ``path``; make it when it is missing, and anew when others could read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if path.is_symlink():
            raise UsageError(f"{path} is a link, not the file that holds our password: remove it")
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077 == 0:
                return path.read_text().strip()
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{make()}\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be used ({error.strerror}): look at its folder's owner") from error
    return path.read_text().strip()
