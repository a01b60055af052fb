"""Ports of this machine, taken by one desk at a time.

Between the moment a port is found free and the moment a server listens there pass seconds, in which
a second desk would find the same port. Each desk therefore holds a lock on its port's number.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.errors import LockBusy, UsageError
from pipeline.wiring.locks import port_lock

HOST = "127.0.0.1"
UI_PORT = 4200
_TRIES = 20


def free_port(wanted: int = 0) -> int:
    """Return ``wanted`` when it is free, any free port when it is 0.

    Raises:
        UsageError: the wanted port is in use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise _in_use(wanted) from error
        return int(probe.getsockname()[1])


@contextmanager
def held_port(wanted: int | None) -> Iterator[int]:
    """Hold the port asked for, else Prefect's usual one when it is free, else any, for the block.

    Raises:
        UsageError: the port asked for is in use, or another desk is about to use it.
    """
    with ExitStack() as stack:
        yield _take(stack, wanted) if wanted else _any(stack, [UI_PORT] if wanted is None else [])


def _any(stack: ExitStack, first: list[int]) -> int:
    for number in (*first, *[0] * _TRIES):
        try:
            return _take(stack, number)
        except UsageError:
            continue
    raise UsageError(f"no free port was found in {_TRIES} tries: name one with --port")


def _take(stack: ExitStack, wanted: int) -> int:
    port = free_port(wanted)
    try:
        stack.enter_context(port_lock(port).hold(0.0))
    except LockBusy as error:
        raise _in_use(port) from error
    return free_port(port)  # whoever held the lock a moment ago may listen by now


def _in_use(port: int) -> UsageError:
    remedy = "choose another with --port, or leave it out to take any free one"
    return UsageError(f"port {port} is in use: {remedy}")
