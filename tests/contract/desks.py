"""The brokers that the contract suite runs against: an account, and time that can pass.

A new broker is one line in :data:`DESKS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.adapters.alpaca import AlpacaBroker, AlpacaMarketData, AlpacaSettings, TradeUpdates
from pipeline.adapters.clocks import ExchangeClock, VirtualPacer
from pipeline.domain.orders import Decision, Intent, Purpose, Side, intent_id
from pipeline.errors import BrokerUnavailable
from pipeline.ports import Broker, Clock, MarketData, Pacer
from tests.exchange.running import KEY, SECRET, a_config, running_exchange


@dataclass(frozen=True, slots=True)
class Desk:
    """A funded, flat account during a session, and what a suite needs around it.

    Attributes:
        clock, pacer: the broker's time.
        stranger: a client with wrong credentials; unreachable: one that finds nobody.
        liquid, fractional symbol; thin: one of which at most a few dozen shares trade a minute.
    """

    broker: Broker
    data: MarketData
    updates: TradeUpdates
    clock: Clock
    pacer: Pacer
    stranger: Broker
    unreachable: Broker
    liquid: str = "SPY"
    thin: str = "THIN"

    def pass_minutes(self, minutes: int) -> datetime:
        """Let time pass to a full minute and return it."""
        to = self.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)
        asyncio.run(self.pacer.wait_until(to))
        return to

    def an_intent(self, side: Side, symbol: str, quantity: int, leg: int = 0) -> Intent:
        """Return an intent decided now."""
        now, purpose = self.clock.now(), Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
        name = intent_id(Decision("contract", "rehearsal", "contract", symbol, side, purpose, now, leg))
        return Intent(name, "contract", "contract", symbol, side, purpose, quantity, now, 0)


@contextmanager
def alpaca_on_the_rehearsal_exchange(folder: Path) -> Iterator[Desk]:
    """Run an exchange, and an Alpaca desk on it, an hour into the session of 2026-11-20."""
    with running_exchange(folder, a_config(fees={"per_share": "0.005", "sell_ppm": 23})) as exchange:
        settings = AlpacaSettings(
            key_id=KEY,
            secret_key=SECRET,
            trading_url=exchange.url,
            stream_url=exchange.stream_url,
            data_url=exchange.url,
            data_stream_url=exchange.stream_url,
            mode="rehearsal",
        )
        broker, updates = AlpacaBroker(settings), TradeUpdates(settings)
        pacer = VirtualPacer(exchange.control_url)
        asyncio.run(pacer.wait_until(datetime.fromisoformat("2026-11-20T15:30:00Z")))
        updates.start()
        yield Desk(
            broker=broker,
            data=AlpacaMarketData(settings),
            updates=updates,
            clock=ExchangeClock(exchange.control_url),
            pacer=pacer,
            stranger=AlpacaBroker(replace(settings, secret_key="somebody-else")),
            unreachable=AlpacaBroker(replace(settings, trading_url="http://127.0.0.1:1")),
        )
        updates.stop()
        with suppress(BrokerUnavailable):
            broker.close()


DESKS: Mapping[str, Callable[[Path], AbstractContextManager[Desk]]] = {
    "alpaca": alpaca_on_the_rehearsal_exchange,
}
