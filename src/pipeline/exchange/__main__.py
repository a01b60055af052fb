"""``python -m pipeline.exchange --home DIR --config FILE``: run a rehearsal exchange.

Exit codes: 0 ended as asked; 2 the configuration cannot be used; 3 a port or the home is in
use, or the home cannot be written.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path
from typing import IO

from pipeline.errors import MarketdayError
from pipeline.exchange.config import load_config
from pipeline.exchange.host import Exchange
from pipeline.exchange.process import CANNOT_USE, IN_USE
from pipeline.exchange.scripts import load_script
from pipeline.exchange.server import listen, serve

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run until a SIGTERM or SIGINT and return the exit code."""
    arguments = _parse()
    if arguments.die_with_parent:
        _die_with_parent()
    try:
        arguments.home.mkdir(parents=True, exist_ok=True)
        lock = _lock(arguments.home)
        ports = listen(arguments.port), listen(arguments.control_port)
        exchange = _open(arguments)
    except OSError as error:
        return _give_up(_explain(error, arguments), IN_USE)
    except MarketdayError as error:
        return _give_up(str(error), CANNOT_USE)
    with lock:
        asyncio.run(_run(exchange, arguments.home, ports))
    return 0


def _open(arguments: argparse.Namespace) -> Exchange:
    """Return the exchange, with its fault script. Raises MarketdayError: either cannot be used."""
    config = load_config(arguments.config)
    exchange = Exchange(config, arguments.home)
    if arguments.faults is not None:
        sessions = [s for s in config.table.sessions if s.day >= config.first_session]
        exchange.install(load_script(arguments.faults).schedule(sessions, config.table.timezone))
    return exchange


def _give_up(reason: str, code: int) -> int:
    print(f"the exchange cannot start: {reason}", file=sys.stderr)  # noqa: T201
    return code


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.exchange", description="Run a rehearsal exchange."
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of its storage")
    parser.add_argument("--config", type=Path, required=True, help="configuration, JSON")
    parser.add_argument("--port", type=int, default=0, help="port of Alpaca's API, 0 for any")
    parser.add_argument("--control-port", type=int, default=0, help="control port, 0 for any")
    parser.add_argument("--faults", type=Path, help="fault script, YAML, carried out in virtual time")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent process ends")
    return parser.parse_args()


def _explain(error: OSError, arguments: argparse.Namespace) -> str:
    if isinstance(error, BlockingIOError):
        return f"another exchange runs in {arguments.home}; stop it or choose another --home"
    if error.filename is not None:
        return f"{error.strerror}: {error.filename}; choose a --home that can be written"
    ports = f"{arguments.port}, {arguments.control_port}"
    return f"{error.strerror} (ports {ports}): choose others, or 0 for any free ones"


def _lock(home: Path) -> IO[bytes]:
    """Return a file whose lock ends with this process. Raises BlockingIOError when another holds it."""
    held = (home / "exchange.lock").open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise
    return held


def _die_with_parent() -> None:
    """Ask Linux for a SIGTERM when the parent dies; elsewhere there is no such thing."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(0)


async def _run(exchange: Exchange, home: Path, ports: tuple[socket.socket, socket.socket]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await serve(exchange, home, ports, stop)


if __name__ == "__main__":
    sys.exit(main())
