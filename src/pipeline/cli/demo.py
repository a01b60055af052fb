"""``marketday demo``: a whole session on the rehearsal exchange, from nothing to a report."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import signal
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from rich.console import Console

from pipeline.cli.operator import Operator, Told
from pipeline.cli.progress import SessionProgress
from pipeline.cli.stack import Stack, running_stack
from pipeline.cli.summary import print_findings, print_summary
from pipeline.domain.formatting import count
from pipeline.errors import UsageError
from pipeline.exchange.scripts import load_script
from pipeline.operations.desk import Desk
from pipeline.settings.models.root import Settings
from pipeline.wiring.desks import open_calendar, open_desk
from pipeline.wiring.notifiers import open_deliverer
from pipeline.wiring.rehearsal import recorded_days
from pipeline.wiring.spec import CHECKOUT, DeskSpec

FIRST_DAY = date(2026, 11, 20)
HOME = CHECKOUT / "data" / "demo"
CONFIG = CHECKOUT / "deployments" / "config"
SCRIPTS = CHECKOUT / "deployments" / "faults"
_PLAN = "demo.json"


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What a demo was asked for: the same again continues it."""

    days: int
    seed: int | None
    data: str | None
    timeframe: str
    first: str
    faults: str | None = None

    def overrides(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Return the configuration overrides that carry it out."""
        chosen = [f"data.timeframe={self.timeframe}"]
        if self.seed is not None:
            chosen.append(f"rehearsal.seed={self.seed}")
        if self.data is not None:
            chosen += ["rehearsal.market=file", f"rehearsal.file={self.data}", "rehearsal.symbols={}"]
            chosen.append(f"data.symbols=[{', '.join(symbols)}]")
        return tuple(chosen)


def run_demo(plan: DemoPlan, home: Path, port: int | None, keep: bool, console: Console) -> None:
    """Run, or continue, the sessions of ``plan`` in ``home``, and print what a trader wants to know.

    Raises:
        MarketdayError: it cannot be run; the sentence names the remedy.
        KeyboardInterrupt: asked to stop; the same command continues where it stopped.
    """
    spec = _spec(plan, home)
    days = _days(plan, spec)
    _make_room(plan, home, console)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / _PLAN).write_text(json.dumps(asdict(plan)))
    config = spec.save()
    log_to_file(home)
    shown = f"SIM · rehearsal of {count(len(days), 'session')} from {days[0]} in {_short(home)}"
    console.print(shown, style="bold", highlight=False)
    script = Path(plan.faults) if plan.faults else None
    with running_stack(spec, days[0], port, hurried=True, faults=script) as stack:
        from prefect.exceptions import TerminationSignal

        desk = open_desk(config)
        print_findings(console, desk, spec.settings())
        try:
            asyncio.run(_sessions(_Rehearsed(config, days, script), stack, console, spec.settings()))
        except (asyncio.CancelledError, TerminationSignal):
            raise KeyboardInterrupt from None  # asked by SIGTERM instead of Ctrl-C
        (home / _PLAN).write_text(json.dumps(asdict(plan) | {"complete": True}))
        print_summary(console, desk, days, stack)
        if keep:
            console.print(f"Prefect's pages stay open at {stack.ui} until Ctrl-C.")
            console.print(f"They ask for a password: the line in {_short(stack.login)}.")
            signal.pause()


def demo_plan(plan: DemoPlan) -> DemoPlan:
    """Return a checked plan: its dates and files as they are meant.

    Raises:
        UsageError: a number of days, timeframe, date or file that cannot be used.
        ConfigurationError: a fault script that cannot be read; names the line.
    """
    if not 1 <= plan.days <= 60:
        raise UsageError(f"--days {plan.days}: give 1 to 60 sessions")
    if plan.timeframe not in ("1m", "5m"):
        raise UsageError(f"--timeframe {plan.timeframe}: give 1m or 5m")
    data = Path(plan.data).absolute() if plan.data else None
    if data is not None and not data.is_file():
        raise UsageError(f"--data {data}: there is no such file; give a .csv or .parquet of one-minute bars")
    chosen = plan.first or (FIRST_DAY.isoformat() if data is None else "")
    try:
        chosen = date.fromisoformat(chosen).isoformat() if chosen else ""
    except ValueError as error:
        raise UsageError(f"--first {plan.first}: give a date as in 2026-11-20") from error
    script = str(_script(plan.faults)) if plan.faults else None
    return replace(plan, data=str(data) if data else None, first=chosen, faults=script)


def _script(named: str) -> Path:
    """Return the fault script that is meant: a file, or the name of one of ours, as in ``bad-day``."""
    ours = {path.stem: path for path in sorted(SCRIPTS.glob("*.yaml"))}
    path = ours.get(named, Path(named)).absolute()
    if not path.is_file():
        raise UsageError(f"--faults {named}: there is no such file; give one, or {' or '.join(ours)}")
    load_script(path)
    return path


def _spec(plan: DemoPlan, home: Path) -> DeskSpec:
    symbols = recorded_days(Path(plan.data))[0] if plan.data else ()
    files = (CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml")
    return DeskSpec(tuple(map(str, files)), plan.overrides(symbols), str(home))


def _days(plan: DemoPlan, spec: DeskSpec) -> tuple[date, ...]:
    settings = spec.settings()
    first = date.fromisoformat(plan.first) if plan.first else recorded_days(Path(str(plan.data)))[1][0]
    following = open_calendar(spec.folder, settings).following(first, plan.days)
    if plan.data:
        recorded = set(recorded_days(Path(plan.data))[1])
        missing = [session.day for session in following if session.day not in recorded]
        if missing:
            raise UsageError(f"--data has no bars of {missing[0]}: give fewer --days or another --first")
    return tuple(session.day for session in following)


def _make_room(plan: DemoPlan, home: Path, console: Console) -> None:
    """Continue what was begun with the same plan; move anything else aside, never away."""
    marker = home / _PLAN
    if not marker.exists():
        return
    found = json.loads(marker.read_text())
    complete = found.pop("complete", False)
    if found == asdict(plan) and not complete:
        console.print("Continuing the rehearsal that was interrupted.")
        return
    previous = home.with_name(f"{home.name}.previous")
    if previous.exists():
        shutil.rmtree(previous)
    home.rename(previous)
    console.print(f"The rehearsal before this one is kept in {_short(previous)}.")


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """A desk file, the sessions to trade, and the script of what goes wrong in them."""

    config: Path
    days: tuple[date, ...]
    faults: Path | None

    def operator(self, desk: Desk, told: Told) -> Operator | None:
        """Return who does what the script has a person do."""
        if self.faults is None:
            return None
        sessions = [desk.sessions.at_or_after(day) for day in self.days]
        acts = load_script(self.faults).schedule(sessions, desk.sessions.timezone).operator
        return Operator(acts, desk.home, told)


async def _sessions(rehearsed: _Rehearsed, stack: Stack, console: Console, settings: Settings) -> None:
    from pipeline.cli.session import Driver

    desk, days = open_desk(rehearsed.config), rehearsed.days
    current = asyncio.current_task()
    if current is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    await stack.come_up()  # a rehearsal in a hurry would be over before Prefect is there
    with (desk.home / "alerts.log").open("a", encoding="utf-8") as alerts:
        deliverer = open_deliverer(desk, settings, alerts)
        deliverer.start()
        try:
            with SessionProgress(console, desk, days) as progress:
                operator = rehearsed.operator(desk, progress.told)
                driver = Driver(rehearsed.config, stack.reachable, progress.told, operator=operator)
                for day in days:
                    if not _reported(desk, day):
                        await driver.run_session(day)
                await driver.finish()
        finally:
            deliverer.flush(5.0)
            deliverer.stop()


def _reported(desk: Desk, day: date) -> bool:
    """Tell whether a session is over and reported."""
    session = desk.sessions.at_or_after(day)
    report = next((found for found in desk.plan.procedures if found.name == "daily-report"), None)
    return (
        report is not None and desk.journal.read().runs.get((report.name, report.at(session))) == "completed"
    )


def log_to_file(home: Path) -> None:
    """Send the log to a file: the terminal is for the progress bar."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "session.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("pipeline").addHandler(handler)
    logging.getLogger("pipeline").propagate = False


def _short(path: Path) -> str:
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
