"""The exchange as one object: commands are stored, carried out and told to listeners, one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.exchange.commands import CommandLog
from pipeline.exchange.config import ExchangeConfig
from pipeline.exchange.engine import Engine
from pipeline.exchange.orders import Event, Order, Refused
from pipeline.exchange.synthetic import SyntheticMarket
from pipeline.exchange.tape import SECOND_US, Market, Tape

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
    """

    def __init__(self, config: ExchangeConfig, home: Path) -> None:
        """Build the state that the commands stored in ``home`` lead to."""
        self.engine = Engine(config, Tape(open_market(config), config.table))
        self.listeners: list[Callable[[Event], None]] = []
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
        if order is None:
            raise AssertionError(f"{command['do']} returns an order")
        return order

    def _execute(self, command: dict[str, Any]) -> Order | None:
        self._log.append(command)
        try:
            return self._apply(command)
        finally:
            self._tell()

    def _apply(self, command: dict[str, Any]) -> Order | None:
        match command["do"]:
            case "submit":
                return self.engine.submit(command["body"])
            case "replace":
                return self.engine.replace(command["id"], command["body"])
            case "cancel":
                return self.engine.cancel(command["id"])
            case "advance":
                self.engine.advance(command["to"])
            case "configure":
                self.engine.configure(command["body"])
        return None

    def _tell(self) -> None:
        events = self.engine.book.events
        for event in events[self._told :]:
            for listener in self.listeners:
                listener(event)
        self._told = len(events)
