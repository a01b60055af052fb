"""Everything a rehearsal needs around it, started in order and ended in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.cli.servers import HOST, Child, prefect_environment, start_prefect, ui_port, wait_healthy
from pipeline.errors import LockBusy, UsageError
from pipeline.exchange.process import RunningExchange
from pipeline.settings.connection import Mode, mode
from pipeline.wiring.desks import home_lock
from pipeline.wiring.rehearsal import prepare_exchange, start_exchange
from pipeline.wiring.spec import DeskSpec


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs around a session. ``exchange`` is None on a real account."""

    prefect: Child
    port: int
    exchange: RunningExchange | None

    @property
    def ui(self) -> str:
        """Address of Prefect's pages."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def running_stack(
    spec: DeskSpec, first: date | None, wanted_port: int | None, hurried: bool = False
) -> Iterator[Stack]:
    """Run Prefect's server and, in rehearsal, the exchange, for the length of the block.

    ``hurried``: runs follow each other as fast as they can, not as time passes.

    Raises:
        UsageError: another one works in the same home, or a port is in use.
        ConfigurationError, BrokerUnavailable, StoreUnavailable: one of them did not come up.
    """
    home, settings = spec.folder, spec.settings()
    with ExitStack() as stack:
        _alone(stack, home)
        port = ui_port(wanted_port)
        # Before anything imports Prefect: it reads its settings once.
        os.environ.update(prefect_environment(home, port))
        server = start_prefect(home, port, lean=hurried)
        stack.callback(server.stop)
        exchange = None
        if mode(settings) is Mode.REHEARSAL:
            if first is None:
                raise UsageError("a rehearsal needs its first session: give --first YYYY-MM-DD")
            exchange = start_exchange(home, prepare_exchange(home, settings, first))
            stack.callback(exchange.stop)
        wait_healthy(server, port, home)
        yield Stack(server, port, exchange)


def _alone(stack: ExitStack, home: Path) -> None:
    try:
        stack.enter_context(home_lock(home).hold(0.0))
    except LockBusy as error:
        raise UsageError(
            f"{home} is in use by {error.holder}: wait for it, stop it with `marketday down`, "
            "or work in another folder with --home"
        ) from error
