"""``marketday up`` and ``down``: the session process, then Prefect beside it, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console

from pipeline.cli.asking import confirm
from pipeline.cli.demo import CONFIG, FIRST_DAY, log_to_file
from pipeline.cli.place import find_place, who
from pipeline.cli.stack import Stack, running_stack
from pipeline.cli.watchdog import start_watchdog
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.formatting import count, minute_of_day
from pipeline.errors import MarketdayError, UsageError
from pipeline.operations.alerting import raise_alert
from pipeline.operations.desk import Desk
from pipeline.operations.versions import accept
from pipeline.settings.models.root import Settings
from pipeline.wiring.desks import home_lock, journal_path, open_desk
from pipeline.wiring.notifiers import open_deliverer
from pipeline.wiring.spec import CHECKOUT, DeskSpec

log = logging.getLogger(__name__)

HOME = CHECKOUT / "data" / "desk"
DEFAULT_FILES = (CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml")
_STOP_SECONDS = 40.0
_AGAIN_SECONDS = 15.0
"""How long to wait before a session that could not be planned is planned again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` was asked for.

    Attributes:
        files: configuration, merged left to right; none means the rehearsal's.
        speed: in rehearsal, virtual seconds per real second.
        first: in rehearsal, the first session; by default where the home's exchange stopped.
        port: of Prefect's pages; None means the usual one, or any that is free.
        accept: the code and configuration of today may trade a session that others began.
    """

    files: tuple[Path, ...]
    home: Path
    speed: float
    first: date | None
    port: int | None
    accept: bool = False


def run_up(wanted: Wanted, console: Console) -> None:
    """Run a desk until Ctrl-C.

    Raises:
        MarketdayError: it cannot be run; the sentence names the remedy.
    """
    if not 1 <= wanted.speed <= 120:
        raise UsageError(f"--speed {wanted.speed:g}: give 1 to 120 virtual seconds per second")
    files = wanted.files or DEFAULT_FILES
    spec = DeskSpec(tuple(str(path.absolute()) for path in files), (), str(wanted.home))
    settings = spec.settings()
    wanted.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = spec.save()
    log_to_file(wanted.home)
    with running_stack(spec, wanted.first or FIRST_DAY, wanted.port) as stack, ExitStack() as more:
        from prefect.exceptions import TerminationSignal

        desk = open_desk(config)
        shown = f"{desk.badge} · {count(len(desk.symbols), 'symbol')} at {desk.broker.name}"
        console.print(shown, style="bold", highlight=False)
        if wanted.accept:
            _accept(desk)
        # `marketday down` asked; in the middle of a flow run Prefect says so with a signal of its own.
        with suppress(asyncio.CancelledError, TerminationSignal):
            asyncio.run(_Session(config, stack, wanted.speed, console, more).run(settings))


def _accept(desk: Desk) -> None:
    """Let this code and configuration trade the session that others began; with real money, if typed."""
    if journal_path(desk.home, desk.account).exists():
        confirm(find_place(desk.home, desk.account), "accept")
        accept(desk, "marketday up --accept-changes", who(), desk.clock.now())


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


@dataclass(frozen=True, slots=True)
class _Session:
    """A desk that trades, and what comes up beside it. ``more`` ends what is started on the way."""

    config: Path
    stack: Stack
    speed: float
    console: Console
    more: ExitStack

    async def run(self, settings: Settings) -> None:
        from pipeline.cli.session import Driver

        desk, exchange = open_desk(self.config), self.stack.exchange
        current = asyncio.current_task()
        if current is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
        deliverer = open_deliverer(desk, settings, sys.stdout)
        deliverer.start()
        # Degraded from the first: that Prefect is still coming up is nobody's alarm.
        driver = Driver(
            self.config,
            self.stack.reachable,
            self._told,
            None if exchange is None else self.speed,
            in_time=0,
        )
        if exchange is not None:
            exchange.control().run(self.speed)
        beside = [asyncio.create_task(self._come_up(desk)), asyncio.create_task(self._be_watched(desk))]
        try:
            while True:
                day = _next_day(self.config)
                await driver.run_session(day)
                if desk.journal.read().session != day:  # it could not even be planned
                    await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            for task in beside:
                task.cancel()
            deliverer.flush(5.0)
            deliverer.stop()

    async def _come_up(self, desk: Desk) -> None:
        """Bring up Prefect beside the session, which trades without it until then, or for good."""
        from pipeline.cli.deploying import deploy, start_worker

        try:
            swept = await self.stack.come_up()
            if swept:
                self.console.print(f"{count(swept, 'run')} of ended processes marked as crashed.")
            await asyncio.to_thread(deploy, self.stack.home, self.config, self.stack.port, desk.virtual)
        except (MarketdayError, httpx.HTTPError, OSError) as error:
            log.error("Prefect did not come up", exc_info=error)
            text = f"{error}. Trading goes on without it, under the same claims."
            now = desk.clock.now()
            raise_alert(desk.journal, alert("orchestration_degraded", "Prefect", text, now, desk.badge))
            return
        # Here, in the main thread: it ends with the thread that starts it.
        worker = start_worker(self.stack.home)
        self.more.callback(worker.stop)  # before the server: the other way round it waits for minutes
        _tell_how(self.console, self.stack)

    async def _be_watched(self, desk: Desk) -> None:
        """Start the watchdog when there is a journal to watch; it outlives us unless we end in order."""
        while not journal_path(desk.home, desk.account).exists():
            await asyncio.sleep(1.0)
        watchdog = start_watchdog(desk.home)
        self.more.callback(watchdog.wait)
        self.more.callback(watchdog.terminate)

    def _told(self, procedure: str, instant: datetime, outcome: dict[str, int | str]) -> None:
        at = minute_of_day(instant, open_desk(self.config).sessions.timezone)
        said = outcome.get("failed") or outcome.get("verdict") or outcome.get("skipped")
        if said or procedure not in ("intraday-tick", "risk-monitor"):
            self.console.print(f"{at}  {procedure}{f': {said}' if said else ''}", highlight=False)


def _tell_how(console: Console, stack: Stack) -> None:
    shown = stack.login
    login = shown.relative_to(CHECKOUT) if shown.is_relative_to(CHECKOUT) else shown
    for line in (
        f"Prefect UI  {stack.ui}  asks for a password: the line in {login}",
        "Look        marketday status · positions · orders · trades · pnl",
        "Stop        marketday halt --reason '…' · Ctrl-C ends the processes, not the state",
        'Run         eval "$(.venv/bin/marketday env)"; '
        ".venv/bin/prefect deployment run 'intraday-tick/desk'",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _next_day(config: Path) -> date:
    """Return the session to run: the one under way, else the next."""
    desk = open_desk(config)
    now = desk.clock.now()
    session = desk.sessions.at_or_after(now.astimezone(desk.zone).date())
    last = max(procedure.at(session) for procedure in desk.plan.procedures)
    return session.day if now <= last else desk.sessions.at_or_after(session.day + timedelta(days=1)).day
