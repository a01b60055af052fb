"""The last line against real money: a process that rehearses or trades on paper cannot reach a live host.

Configuration is checked before (hosts, keys, account number). This holds even if a check, a library or
an environment is wrong: below every HTTP library, name look-ups and connections are refused.
"""

from __future__ import annotations

import sys
from typing import Any

from pipeline.errors import AccountMismatch

_refused: dict[str, str] = {}
"""Host → the mode of the desk that must not reach it. Only ever grows: a process never becomes a live one."""
_watched = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.connect"})


def refuse_hosts(hosts: frozenset[str], mode: str) -> None:
    """Have every name look-up of and connection to ``hosts`` raise AccountMismatch, from now on.

    It cannot be undone within the process: an audit hook stays for good, and is meant to.
    """
    if not _refused:
        sys.addaudithook(_watch)
    _refused.update(dict.fromkeys(hosts, mode))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _watched:
        return
    host = _host(event, arguments)
    if host in _refused:
        raise AccountMismatch(_refused[host], "live", f"this process tried to reach {host}")


def _host(event: str, arguments: tuple[Any, ...]) -> str:
    found: Any = arguments[0]
    if event == "socket.connect":
        address = arguments[1]
        found = address[0] if isinstance(address, tuple) and address else ""
    if isinstance(found, bytes | bytearray):
        found = found.decode("ascii", errors="replace")
    return found.lower().rstrip(".") if isinstance(found, str) else ""
