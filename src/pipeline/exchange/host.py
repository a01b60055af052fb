"""The exchange as one object: commands are stored, carried out and told to listeners, one at a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.exchange import changes
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.commands import CommandLog
from pipeline.exchange.config import ExchangeConfig
from pipeline.exchange.engine import Engine
from pipeline.exchange.fault_book import FaultBook, Standing
from pipeline.exchange.fault_rules import FaultRule, parse_rule
from pipeline.exchange.orders import Event, Order, Refused, to_datetime, to_instant
from pipeline.exchange.scripts import Schedule
from pipeline.exchange.synthetic import SyntheticMarket
from pipeline.exchange.tape import Market, Tape

PACE_SECONDS = 0.2
"""How often a running virtual clock moves, in real seconds."""


def open_market(config: ExchangeConfig) -> Market:
    """Return the market the configuration names. Raises ConfigurationError (recorded file)."""
    if config.market.kind == "recorded":
        from pipeline.exchange.recorded import RecordedMarket  # duckdb doubles the start-up time

        return RecordedMarket(config.market, config.table.timezone)
    return SyntheticMarket(config)


class Exchange:
    """One rehearsal exchange with its storage.

    Not thread-safe on purpose: one event loop owns it, so that commands have one order.

    Attributes:
        listeners: hear every event.
        watchers: hear that virtual time went from an instant to another, while faults concern streams.
        faults: the faults in force.
    """

    def __init__(self, config: ExchangeConfig, home: Path) -> None:
        """Build the state that the commands stored in ``home`` lead to."""
        self.engine = Engine(config, Tape(open_market(config), config.table))
        self.listeners: list[Callable[[Event], None]] = []
        self.watchers: list[Callable[[int, int], None]] = []
        self.faults = FaultBook()
        self._script = ""
        self._log = CommandLog(home / "commands.jsonl", config.digest)
        for command in self._log.replay:
            with suppress(Refused):
                self._apply(command)
        self._log.replay.clear()
        self._told = len(self.engine.book.events)
        self._pace: asyncio.Task[None] | None = None

    def submit(self, body: dict[str, Any]) -> Order:
        """Carry out a submission. Raises Refused."""
        return self._order({"do": "submit", "body": body})

    def replace(self, order_id: str, body: dict[str, Any]) -> Order:
        """Carry out a replacement. Raises Refused."""
        return self._order({"do": "replace", "id": order_id, "body": body})

    def cancel(self, order_id: str) -> Order:
        """Carry out a cancellation. Raises Refused."""
        return self._order({"do": "cancel", "id": order_id})

    def configure(self, body: dict[str, Any]) -> None:
        """Change the account's settings."""
        self._execute({"do": "configure", "body": body})

    def change(self, body: dict[str, Any], at: int = 0) -> dict[str, Any]:
        """Change what is true, now or at an instant ahead, and return what came of it.

        Raises:
            ConfigurationError, Refused: it cannot be read, or not be done; names the remedy.
        """
        changes.read_change(body)
        if at <= self.engine.now:
            return dict(self._execute({"do": "change", "body": body}))
        self.engine.check_time(at)
        self._execute({"do": "plan", "body": body, "at": at})
        return {"at": to_datetime(at).isoformat(), "applied": False}

    def add_fault(self, rule: FaultRule) -> FaultRule:
        """Put a fault in force and return it with its id. Raises ConfigurationError: its id is taken."""
        named = self.faults.name(rule)
        self._execute({"do": "fault", "rule": named.to_json()})
        return named

    def remove_fault(self, fault_id: str) -> None:
        """Take one fault, or all of them for an empty id, out of force. Raises Refused (404)."""
        self._execute({"do": "unfault", "id": fault_id})

    def install(self, schedule: Schedule) -> None:
        """Carry out a script from now on; once, however often this is started with it.

        Raises:
            ConfigurationError: the rehearsal has another script already.
        """
        faults = [rule.to_json() for rule in schedule.faults]
        planned = [{"at": to_instant(p.at), "body": dict(p.body)} for p in schedule.changes]
        document = json.dumps([faults, planned], sort_keys=True)
        digest = hashlib.sha256(document.encode()).hexdigest()
        if self._script == digest:
            return
        if self._script:
            remedy = "is not the script this rehearsal began with: use that one, or another folder"
            raise ConfigurationError("faults", digest[:12], remedy)
        self._execute({"do": "script", "digest": digest, "faults": faults, "changes": planned})

    def remember(self, standing: Standing | None) -> FaultRule | None:
        """Store that a fault struck, so that a restart does not begin to count anew; return its rule."""
        if standing is None:
            return None
        counted = {"id": standing.rule.id, "seen": standing.seen, "hits": standing.hits}
        self._log.append({"do": "struck", **counted})
        return standing.rule

    def advance(self, to: int) -> None:
        """Move virtual time to ``to``, microseconds. Raises Refused."""
        if to != self.engine.now:
            self._execute({"do": "advance", "to": to})

    def run(self, speed: float) -> None:
        """Let virtual time flow at ``speed`` times real time, from now, until :meth:`pause`."""
        self.pause()
        self._pace = asyncio.get_running_loop().create_task(self._flow(speed))

    def pause(self) -> None:
        """Stop virtual time."""
        if self._pace is not None:
            self._pace.cancel()
            self._pace = None

    @property
    def running(self) -> bool:
        """Whether virtual time flows by itself."""
        return self._pace is not None and not self._pace.done()

    def close(self) -> None:
        """Stop time and close the storage."""
        self.pause()
        self._log.close()

    async def _flow(self, speed: float) -> None:
        seen = time.monotonic()
        owed = 0.0
        while True:
            await asyncio.sleep(PACE_SECONDS)
            passed = time.monotonic()
            owed += (passed - seen) * speed * SECOND_US
            seen = passed
            try:
                self.advance(self.engine.now + int(owed))
            except Refused:  # the session table ends: time stops there
                return
            owed -= int(owed)

    def _order(self, command: dict[str, Any]) -> Order:
        order = self._execute(command)
        if not isinstance(order, Order):
            raise TypeError(f"{command['do']} returns an order")
        return order

    def _execute(self, command: dict[str, Any]) -> Any:
        self._log.append(command)
        before = self.engine.now
        try:
            return self._apply(command)
        finally:
            if self.watchers and (self.faults.has_streams() or command["do"] == "unfault"):
                for watch in list(self.watchers):
                    watch(before, self.engine.now)
            self._tell()

    def _apply(self, command: dict[str, Any]) -> Any:
        match command["do"]:
            case "submit":
                return self.engine.submit(command["body"])
            case "replace":
                return self.engine.replace(command["id"], command["body"])
            case "cancel":
                return self.engine.cancel(command["id"])
            case "advance":
                changes.advance(self.engine, command["to"])
            case "configure":
                self.engine.configure(command["body"])
            case "change":
                return changes.carry_out(self.engine, command["body"])
            case "plan":
                self.engine.plan(command["at"], command["body"])
            case _:
                self._apply_fault(command)
        return None

    def _apply_fault(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "fault":
                self.faults.add(parse_rule(command["rule"]), self.engine.now)
            case "unfault":
                self.faults.remove(command["id"])
            case "script":
                self._script = command["digest"]
                for rule in command["faults"]:
                    self.faults.add(parse_rule(rule), self.engine.now)
                for planned in command["changes"]:
                    self.engine.plan(planned["at"], planned["body"])
            case "struck":
                self.faults.restore(command["id"], command["seen"], command["hits"])

    def _tell(self) -> None:
        events = self.engine.book.events
        for event in events[self._told :]:
            for listener in self.listeners:
                listener(event)
        self._told = len(events)
