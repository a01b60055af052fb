"""A Prefect server for tests, and this process's Prefect pointed at it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.cli.loopback import free_port
from pipeline.cli.servers import Child, healthy, prefect_environment, start_prefect, wait_healthy

PREFECTS_OWN = (
    pytest.mark.filterwarnings("ignore::DeprecationWarning:prefect"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)
"""Prefect leaves its sockets to the garbage collector: that is not what these tests are about."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prefect server."""

    child: Child
    port: int

    def reachable(self) -> bool:
        """Tell whether it answers."""
        return healthy(self.port)

    def kill(self) -> None:
        """End it as a power loss would: it and the workers it started."""
        os.killpg(self.child.process.pid, signal.SIGKILL)
        self.child.process.wait()


@contextmanager
def revived(server: Server, home: Path) -> Iterator[None]:
    """Run a killed server again on its port, so that Prefect's client gets rid of what it wanted to say.

    Without that each event holds up the end of this process for 7 s.
    """
    again = start_prefect(home, server.port)
    try:
        wait_healthy(again, server.port, home)
        yield
    finally:
        again.stop()


@contextmanager
def running_server(home: Path, retries: int | None = None) -> Iterator[Server]:
    """Run a server in ``home`` for the length of the block; Prefect in this process talks to it.

    ``retries``: of each of its requests; by default what the product says.
    """
    from prefect.context import refresh_global_settings_context

    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prefect_environment(home, port).items():
            patch.setenv(name, value)
        if retries is not None:
            patch.setenv("PREFECT_CLIENT_MAX_RETRIES", str(retries))
        # Another test of this process may have imported Prefect already: it reads its settings once.
        refresh_global_settings_context()
        server = Server(start_prefect(home, port), port)
        try:
            wait_healthy(server.child, port, home)
            yield server
        finally:
            server.child.stop()
    refresh_global_settings_context()
