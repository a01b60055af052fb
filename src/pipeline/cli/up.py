"""``marketday up`` and ``down``: Prefect, worker, deployments and session process, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from pipeline.cli.demo import CONFIG, FIRST_DAY, log_to_file
from pipeline.cli.servers import healthy, prefect_environment, spawn
from pipeline.cli.stack import Stack, running_stack
from pipeline.domain.formatting import count, minute_of_day
from pipeline.errors import StoreUnavailable, UsageError
from pipeline.settings.models.root import Settings
from pipeline.wiring.desks import home_lock, open_desk
from pipeline.wiring.notifiers import open_deliverer
from pipeline.wiring.spec import CHECKOUT, DeskSpec

HOME = CHECKOUT / "data" / "desk"
POOL = "marketday"
DEFAULT_FILES = (CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml")
_STOP_SECONDS = 40.0


def run_up(
    files: tuple[Path, ...], speed: float, port: int | None, first: date | None, console: Console
) -> None:
    """Run a desk until Ctrl-C.

    Args:
        files: configuration, merged left to right.
        speed: in rehearsal, virtual seconds per real second.
        first: in rehearsal, the first session; by default where the home's exchange stopped.

    Raises:
        MarketdayError: it cannot be run; the sentence names the remedy.
    """
    if not 1 <= speed <= 120:
        raise UsageError(f"--speed {speed:g}: give 1 to 120 virtual seconds per second")
    spec = DeskSpec(tuple(str(path.absolute()) for path in files or DEFAULT_FILES), (), str(HOME))
    settings = spec.settings()
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = spec.save()
    log_to_file(HOME)
    with running_stack(spec, first or FIRST_DAY, port) as stack, ExitStack() as more:
        desk = open_desk(config)
        shown = f"{desk.badge} · {count(len(desk.symbols), 'symbol')} at {desk.broker.name}"
        console.print(shown, style="bold", highlight=False)
        _deploy(stack, desk.virtual)
        worker = spawn("worker", _prefect("worker", "start", "--pool", POOL), HOME, {})
        more.callback(worker.stop)  # before the server: the other way round it waits for minutes
        _tell_how(console, stack)
        with suppress(asyncio.CancelledError):  # `marketday down` asked
            asyncio.run(_drive(config, stack, settings, speed, console))


def run_down(home: Path) -> None:
    """Ask whoever runs in ``home`` to stop, and wait until it has.

    Raises:
        UsageError: nobody runs there, or it does not stop.
    """
    lock = home_lock(home)
    try:
        pid = int(lock.path.read_text())
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError) as error:
        raise UsageError(f"nothing runs in {home}") from error
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise UsageError(f"process {pid} has not stopped after {_STOP_SECONDS:.0f} s: see {home / 'logs'}")


def _prefect(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *words]


def _deploy(stack: Stack, rehearsal: bool) -> None:
    """Deploy everything in ``prefect.yaml``; in rehearsal without schedules, which mean real time."""
    environment = {**os.environ, **prefect_environment(HOME, stack.port)}
    environment["PREFECT_CLIENT_MAX_RETRIES"] = (
        "5"  # nothing trades yet: a server that is busy may take its time
    )
    commands = [
        _prefect("--no-prompt", "work-pool", "create", POOL, "--type", "process", "--overwrite"),
        _prefect("--no-prompt", "deploy", "--all"),
    ]
    if rehearsal:
        commands.append(_prefect("--no-prompt", "deployment", "schedule", "pause", "--all"))
    for command in commands:
        done = subprocess.run(  # noqa: S603 - our own interpreter with fixed words
            command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StoreUnavailable("Prefect", f"{' '.join(command[2:])}: {' '.join(reason)}")


def _tell_how(console: Console, stack: Stack) -> None:
    for line in (
        f"Prefect UI  {stack.ui}",
        "Look        marketday status · positions · orders · trades · pnl",
        "Stop        marketday halt --reason '…' · Ctrl-C ends the processes, not the state",
        f"Run         PREFECT_API_URL={stack.ui}/api .venv/bin/prefect deployment run 'intraday-tick/desk'",
    ):
        console.print(line, highlight=False, soft_wrap=True)


async def _drive(config: Path, stack: Stack, settings: Settings, speed: float, console: Console) -> None:
    from pipeline.cli.session import Driver

    desk = open_desk(config)
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)

    def told(procedure: str, instant: datetime, outcome: dict[str, int | str]) -> None:
        at = minute_of_day(instant, desk.sessions.timezone)
        said = outcome.get("failed") or outcome.get("verdict") or outcome.get("skipped")
        if said or procedure not in ("intraday-tick", "risk-monitor"):
            console.print(f"{at}  {procedure}{f': {said}' if said else ''}", highlight=False)

    deliverer = open_deliverer(desk, settings, sys.stdout)
    deliverer.start()
    driver = Driver(config, partial(healthy, stack.port), told, None if stack.exchange is None else speed)
    if stack.exchange is not None:
        stack.exchange.control().run(speed)
    try:
        while True:
            await driver.run_session(_next_day(config))
    finally:
        deliverer.flush(5.0)
        deliverer.stop()


def _next_day(config: Path) -> date:
    """Return the session to run: the one under way, else the next."""
    desk = open_desk(config)
    now = desk.clock.now()
    session = desk.sessions.at_or_after(now.astimezone(desk.zone).date())
    last = max(procedure.at(session) for procedure in desk.plan.procedures)
    return session.day if now <= last else desk.sessions.at_or_after(session.day + timedelta(days=1)).day
