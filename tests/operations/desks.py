"""A desk on a rehearsal exchange of its own, driven run by run, with a strategy that does as it is told."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml

from pipeline.adapters.calendar import CachedCalendar
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Ledger
from pipeline.domain.market import Bar
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Intent, Order
from pipeline.domain.signals import Signal, Strategy
from pipeline.errors import BrokerUnavailable
from pipeline.exchange.config import load_config
from pipeline.exchange.host import Exchange
from pipeline.exchange.process import RunningExchange
from pipeline.exchange.server import listen, serve
from pipeline.operations.desk import Desk
from pipeline.operations.projecting import wait_projected
from pipeline.settings.models.root import Settings
from pipeline.strategies.registry import STRATEGIES
from pipeline.wiring.brokers import BROKERS, EXCHANGE_HOME, REHEARSAL_KEY, REHEARSAL_SECRET, Connection
from pipeline.wiring.desks import open_desk
from pipeline.wiring.rehearsal import prepare_exchange
from pipeline.wiring.spec import CHECKOUT, DESK_FILE, DeskSpec
from tasks.calling import directly
from tasks.running import Summary

CONFIG = CHECKOUT / "deployments" / "config"
DAY = date(2026, 11, 20)
HALF_DAY = date(2026, 11, 27)
MINUTE = timedelta(minutes=1)
ASK, REQUEST_LOST, ANSWER_LOST = "ask", "request lost", "answer lost"


def at(clock: str, day: date = DAY) -> datetime:
    """Return "14:35" or "14:35:30" UTC of a day."""
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


@dataclass(frozen=True, slots=True)
class Scripted:
    """A strategy that buys and sells at the ticks its script names, as in ``+SPY 14:35, -SPY 14:40``."""

    name: str
    script: frozenset[str]
    length: timedelta = MINUTE
    lookback: int = 1

    def decide(self, bars: Sequence[Bar]) -> Signal:
        """Return what the script says to the tick at the end of the last bar."""
        last = bars[-1]
        tick = f"{last.symbol} {last.start + self.length:%H:%M}"
        direction = (f"+{tick}" in self.script) - (f"-{tick}" in self.script)
        return Signal(last.symbol, self.name, direction, 1_000, last.close)


def _scripted(name: str, params: Mapping[str, object]) -> Strategy:
    words = str(params.get("script", "")).split(",")
    length = timedelta(minutes=int(str(params.get("minutes", 1))))
    lookback = int(str(params.get("lookback", 1)))
    return Scripted(name, frozenset(word.strip() for word in words), length, lookback)


class Killed(BaseException):
    """The process ends here, as by kill -9: nobody catches it, nobody cleans up."""


class FaultyBroker:
    """The real broker behind a line that can be cut. ``fault`` is asked before and after each submission."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self.fault: Callable[[str], None] = lambda _moment: None
        self.silent = False
        self.silent_for: set[str] = set()

    def cancel(self, order_id: str) -> None:
        """Ask to cancel, unless the line is cut, for everything or for this order."""
        if self.silent or order_id in self.silent_for:
            raise BrokerUnavailable("rehearsal exchange", "the line is cut")
        self._broker.cancel(order_id)

    def submit(self, intent: Intent) -> Order:
        """Send the order, unless the fault says otherwise before or after."""
        self.fault("before")
        order: Order = self._broker.submit(intent)
        self.fault("after")
        return order

    def __getattr__(self, name: str) -> Any:
        if self.silent and name.startswith(("fetch_", "cancel")):
            raise BrokerUnavailable("rehearsal exchange", "the line is cut")
        return getattr(self._broker, name)


@dataclass(frozen=True)
class Rehearsal:
    """One desk, its exchange, and time that moves when a run needs it to.

    Attributes:
        config: path of the desk file.
    """

    home: Path
    config: Path
    settings: Settings
    exchange: RunningExchange

    @property
    def desk(self) -> Desk:
        """The desk, opened once until :meth:`restart`."""
        return open_desk(self.config)

    @property
    def ledger(self) -> Ledger:
        """What the journal adds up to."""
        return self.desk.journal.read()

    @property
    def broker(self) -> FaultyBroker:
        """The broker that the desk speaks to."""
        broker: Any = self.desk.broker
        assert isinstance(broker, FaultyBroker)
        return broker

    def restart(self) -> None:
        """Forget everything that is not on disk, as a new process would."""
        self.close()
        stamp = self.config.stat().st_mtime_ns + 1
        os.utime(self.config, ns=(stamp, stamp))

    def close(self) -> None:
        """Let go of the desk's connections."""
        self.desk.broker.close()
        data: Any = self.desk.data
        data.close()

    def to(self, instant: datetime) -> None:
        """Let virtual time pass."""
        if instant > self.now():
            self.exchange.control().advance(instant)

    def now(self) -> datetime:
        """Return virtual time."""
        return self.exchange.control().now()

    def run(self, procedure: str, instant: datetime, driver: str = "test") -> Summary:
        """Let time pass to the instant and run the procedure's body for it, without Prefect."""
        self.to(instant)
        return asyncio.run(body_of(procedure)(directly, str(self.config), instant, driver))

    def tick(self, clock: str, day: date = DAY) -> Summary:
        """Run the tick of an instant."""
        return self.run("intraday-tick", at(clock, day))

    def monitor(self, clock: str, day: date = DAY) -> Summary:
        """Run the risk monitor of an instant."""
        return self.run("risk-monitor", at(clock, day))

    def morning(self, day: date = DAY) -> None:
        """Plan the session, check, and open."""
        session = self.desk.sessions.at_or_after(day)
        self.run("plan-session", session.open - timedelta(minutes=150))
        for name in ("pre-market", "market-open"):
            self.run(name, next(when for planned, when in self.ledger.planned if planned == name))

    def resume(self, reason: str = "looked at it") -> Summary:
        """Run the resume-trading flow's body."""
        return asyncio.run(body_of("resume-trading")(directly, str(self.config), reason))

    def records(self, *kinds: Kind) -> list[Record]:
        """Return the journal's records of these kinds, all without one."""
        return [record for record in self.desk.journal.records() if not kinds or record.kind in kinds]

    def life(self, symbol: str = "SPY") -> OrderLife:
        """Return the newest intent of a symbol."""
        return [life for life in self.ledger.lives.values() if life.intent.symbol == symbol][-1]

    def received(self) -> Counter[str]:
        """Return how often the exchange took in each client order id: its own log, not ours."""
        return received(self.exchange)

    def by_hand(self, **ticket: str) -> dict[str, Any]:
        """Trade past the desk, as a person in the broker's own app would."""
        with self._client() as client:
            answer = client.post("/v2/orders", json={"type": "market", "time_in_force": "day"} | ticket)
            answer.raise_for_status()
            order: dict[str, Any] = answer.json()
        return order

    def cancel_by_hand(self, order_id: str) -> None:
        """Cancel an order past the desk."""
        with self._client() as client:
            client.delete(f"/v2/orders/{order_id}").raise_for_status()

    def account_settings(self, **changes: Any) -> None:
        """Change the account's settings at the broker."""
        with self._client() as client:
            client.patch("/v2/account/configurations", json=changes).raise_for_status()

    def _client(self) -> httpx.Client:
        headers = {"APCA-API-KEY-ID": REHEARSAL_KEY, "APCA-API-SECRET-KEY": REHEARSAL_SECRET}
        return httpx.Client(base_url=self.exchange.url, headers=headers, trust_env=False)


def received(exchange: RunningExchange) -> Counter[str]:
    """Return how often an exchange took in each client order id."""
    log = exchange.control().log()
    return Counter(entry["client_order_id"] for entry in log if entry["kind"] == "received")


def body_of(procedure: str) -> Callable[..., Any]:
    """Return the body of a flow."""
    body: Callable[..., Any] = importlib.import_module(f"flows.{procedure.replace('-', '_')}").body
    return body


def overlay(script: str = "", **sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return configuration over the seed's strategy file: scripted, unheld, and ``sections``."""
    scripted = {"type": "scripted", "name": "Scripted", "params": {"script": script}, "allocation": 1.0}
    return {"strategies": [scripted], "execution": {"execution_delay_seconds": 0}} | sections


@contextmanager
def rehearsal(
    folder: Path,
    configured: Mapping[str, Any] | None = None,
    day: date = DAY,
    overrides: tuple[str, ...] = (),
) -> Iterator[Rehearsal]:
    """Run a desk and its exchange, which stands at 07:00 New York time of ``day``."""
    home = folder / "desk"
    home.mkdir(parents=True)
    shutil.copytree(_calendar(), home / "calendar")
    extra = folder / "test.yaml"
    extra.write_text(yaml.safe_dump(dict(configured or overlay())))
    files = (CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml", extra)
    spec = DeskSpec(tuple(map(str, files)), overrides, str(home))
    config = home / DESK_FILE
    config.write_text(json.dumps(asdict(spec)))  # not spec.save(): the checkout's current desk is not ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STRATEGIES, "scripted", _scripted)
        patch.setitem(BROKERS, "rehearsal", _faulty(BROKERS["rehearsal"]))
        settings = spec.settings()
        with exchange_thread(home / EXCHANGE_HOME, prepare_exchange(home, settings, day)) as exchange:
            running = Rehearsal(home, config, settings, exchange)
            try:
                yield running
            finally:
                wait_projected(running.desk)
                running.close()


@contextmanager
def exchange_thread(home: Path, config: Path) -> Iterator[RunningExchange]:
    """Run the exchange in a thread: the same code on the same ports, without a process to start."""
    ports = listen(0), listen(0)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    serving = serve(Exchange(load_config(config), home), home, ports, stop)
    thread = Thread(target=loop.run_until_complete, args=(serving,), daemon=True)
    thread.start()
    while not (home / "exchange.json").exists():
        time.sleep(0.002)
    place = json.loads((home / "exchange.json").read_text())
    try:
        yield RunningExchange(place["pid"], place["url"], place["stream_url"], place["control_url"])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _faulty(opener: Callable[[Settings, Path], Connection]) -> Callable[[Settings, Path], Connection]:
    def opened(settings: Settings, home: Path) -> Connection:
        connection = opener(settings, home)
        return replace(connection, broker=FaultyBroker(connection.broker))

    return opened


@cache
def _calendar() -> Path:
    """Compute the session table once: it takes 0.7 s."""
    folder = Path(mkdtemp(prefix="marketday-calendar-"))
    CachedCalendar(folder).load("XNYS")
    return folder
