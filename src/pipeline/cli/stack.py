"""Everything a rehearsal needs around it, started in order and ended in order."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pipeline.cli.access import login_file, write_shell_file
from pipeline.cli.loopback import HOST, held_port
from pipeline.cli.servers import Child, healthy, prefect_environment, start_prefect, wait_healthy
from pipeline.errors import LockBusy, UsageError
from pipeline.exchange.process import RunningExchange, attach
from pipeline.settings.connection import Mode, mode
from pipeline.wiring.brokers import EXCHANGE_HOME
from pipeline.wiring.desks import home_lock
from pipeline.wiring.home import require_home
from pipeline.wiring.redaction import redact
from pipeline.wiring.rehearsal import prepare_exchange, start_exchange
from pipeline.wiring.spec import DeskSpec


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs around a session. ``exchange`` is None on a real account."""

    home: Path
    prefect: Child
    port: int
    exchange: RunningExchange | None
    _swept: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def ui(self) -> str:
        """Address of Prefect's pages."""
        return f"http://{HOST}:{self.port}"

    @property
    def login(self) -> Path:
        """The file with what these pages ask for."""
        return login_file(self.home)

    async def come_up(self) -> int:
        """Return, when Prefect answers, how many runs of dead processes were ended in its books.

        Until then :meth:`reachable` says no, and trading goes on without Prefect.

        Raises:
            StoreUnavailable: it did not come up.
        """
        from pipeline.cli.orphans import sweep_orphans

        await asyncio.to_thread(wait_healthy, self.prefect, self.port, self.home)
        swept = await sweep_orphans()
        self._swept.set()
        return swept

    def reachable(self) -> bool:
        """Tell whether runs can be given to Prefect now."""
        return self._swept.is_set() and healthy(self.port)


@contextmanager
def running_stack(
    spec: DeskSpec,
    first: date | None,
    wanted_port: int | None,
    hurried: bool = False,
    faults: Path | None = None,
) -> Iterator[Stack]:
    """Run Prefect's server and, in rehearsal, the exchange, for the length of the block.

    The server is started, not awaited: see :meth:`Stack.come_up`.

    ``hurried``: runs follow each other as fast as they can, not as time passes. ``faults``: a script that
    a rehearsal's exchange carries out.

    Raises:
        UsageError: the home cannot be one, another one works in it, or a port is in use.
        ConfigurationError, BrokerUnavailable: the exchange did not come up.
    """
    home = spec.folder
    require_home(home)
    with ExitStack() as stack:
        _alone(stack, home)
        port = stack.enter_context(held_port(wanted_port))
        environment = prefect_environment(home, port)
        redact(environment[name] for name in ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_ENCRYPTION_KEY"))
        # Before anything imports Prefect: it reads its settings once.
        os.environ.update(environment)
        server = start_prefect(home, port, lean=hurried)
        stack.callback(server.stop)
        running = Stack(home, server, port, _exchange(stack, spec, first, faults))
        write_shell_file(home, running.ui)
        yield running


def _exchange(
    stack: ExitStack, spec: DeskSpec, first: date | None, faults: Path | None
) -> RunningExchange | None:
    """Return the rehearsal's exchange: the one that still runs in the home, else one that ends with us."""
    home, settings = spec.folder, spec.settings()
    if mode(settings) is not Mode.REHEARSAL:
        return None
    if first is None:
        raise UsageError("a rehearsal needs its first session: give --first YYYY-MM-DD")
    running = attach(home / EXCHANGE_HOME)
    if running is None:
        running = start_exchange(home, prepare_exchange(home, settings, first), faults=faults)
        stack.callback(running.stop)
    return running


def _alone(stack: ExitStack, home: Path) -> None:
    try:
        stack.enter_context(home_lock(home).hold(0.0))
    except LockBusy as error:
        raise UsageError(
            f"{home} is in use by {error.holder}: wait for it, stop it with `marketday down`, "
            "or work in another folder with --home"
        ) from error
