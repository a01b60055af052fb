"""A rehearsal to measure on: an exchange with any number of symbols, a desk, and Prefect's server."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.bars import names
from pipeline.cli.loopback import free_port
from pipeline.cli.servers import Child, prefect_environment, start_prefect, wait_healthy
from pipeline.operations.desk import Desk
from pipeline.ports import Pacer
from pipeline.wiring.desks import open_desk, open_pacer
from pipeline.wiring.rehearsal import prepare_exchange, start_exchange
from pipeline.wiring.spec import CHECKOUT, DeskSpec

DAY = date(2026, 11, 20)
_CONFIG = CHECKOUT / "deployments" / "config"
_BEFORE_TRADING = ("pre-market", "market-open")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A running rehearsal."""

    config: Path
    desk: Desk
    pacer: Pacer

    async def begin(self) -> list[datetime]:
        """Carry out the session up to its first tick, without Prefect; return its ticks' instants."""
        from tasks.calling import directly

        session = self.desk.sessions.at_or_after(DAY)
        plan = next(found for found in self.desk.plan.procedures if found.name == "plan-session")
        await self._run(directly, plan.name, plan.at(session))
        planned = self.desk.journal.read().planned
        for name, instant in planned:
            if name in _BEFORE_TRADING:
                await self._run(directly, name, instant)
        return [instant for name, instant in planned if name == "intraday-tick"]

    async def _run(self, call: Callable[..., Awaitable[Any]], name: str, instant: datetime) -> None:
        await self.pacer.wait_until(instant)
        await import_module(f"flows.{name.replace('-', '_')}").body(
            call, str(self.config), instant, "benchmark"
        )


@dataclass(frozen=True, slots=True)
class Server:
    """Prefect's server."""

    child: Child
    port: int


@contextmanager
def prefect_server() -> Iterator[Server]:
    """Run Prefect's server as ``marketday demo`` does. Call before anything imports Prefect."""
    with tempfile.TemporaryDirectory(prefix="marketday-bench-") as folder:
        port = free_port()
        home = Path(folder)
        os.environ.update(prefect_environment(home, port))
        server = start_prefect(home, port, lean=True)
        try:
            wait_healthy(server, port, home)
            yield Server(server, port)
        finally:
            server.stop()


@contextmanager
def rehearsal(symbols: int) -> Iterator[Rehearsal]:
    """Run an exchange and open a desk on it: the live strategy of the examples on ``symbols`` symbols."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marketday-bench-")))
        files = [_CONFIG / "live_momentum_strategy.yaml", _CONFIG / "rehearsal.yaml"]
        if symbols != 2:
            files.append(_many(home, symbols))
        spec = DeskSpec(tuple(map(str, files)), (), str(home))
        config = home / "desk.json"
        # Not ``spec.save()``: that would make this the desk that other commands find.
        config.write_text(json.dumps({"files": spec.files, "overrides": [], "home": spec.home}))
        exchange = start_exchange(home, prepare_exchange(home, spec.settings(), DAY))
        stack.callback(exchange.stop)
        yield Rehearsal(config, open_desk(config), open_pacer(config))


def _many(home: Path, count: int) -> Path:
    """Write an overlay with ``count`` symbols, AAA and on."""
    symbols = names(count)
    profile = {"price": 100, "annual_volatility": 0.25, "correlation": 0.6, "daily_volume": 5_000_000}
    overlay = {
        "data": {"symbols": symbols},
        "rehearsal": {"symbols": dict.fromkeys(symbols, profile)},
    }
    path = home / "many.yaml"
    path.write_text(json.dumps(overlay))  # JSON is YAML
    return path
