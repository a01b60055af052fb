"""Brokers and market data by the name a configuration gives them. A new broker is a line in BROKERS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.clocks import ExchangeClock, SleepingPacer, SystemClock, VirtualPacer
from pipeline.adapters.socket_guard import refuse_hosts
from pipeline.errors import BrokerUnavailable, ConfigurationError
from pipeline.ports import Broker, Clock, MarketData, OrderUpdates, Pacer
from pipeline.settings.connection import Mode, broker, credentials, endpoints, mode
from pipeline.settings.models.root import Settings

EXCHANGE_HOME = "exchange"
REHEARSAL_KEY = "REHEARSAL"
REHEARSAL_SECRET = "rehearsal"  # noqa: S105 - opens nothing but the local exchange
_REHEARSAL_PAUSE = 0.2
"""Real seconds between two tries with refused credentials, where a virtual minute takes less than that."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A way to one account, its data, its time; ``updates`` hint at changes, where the broker has such."""

    broker: Broker
    data: MarketData
    clock: Clock
    pacer: Pacer
    updates: OrderUpdates | None = None


def connect(settings: Settings, home: Path) -> Connection:
    """Return the connection that the settings name. Opens no socket yet.

    From now on this process reaches no host where real money moves, unless that is what is configured.

    Raises:
        ConfigurationError: a broker nobody has written an adapter for, or credentials missing.
        BrokerUnavailable: the rehearsal exchange of this home is not running.
    """
    name = broker(settings)
    opener = BROKERS.get(name)
    if opener is None:
        known = ", ".join(sorted(BROKERS))
        raise ConfigurationError("data.source.provider", name, f"no adapter is installed; there are: {known}")
    from pipeline.adapters.alpaca.account import LIVE_HOSTS

    current = mode(settings)
    if current is not Mode.LIVE:
        refuse_hosts(LIVE_HOSTS, current.value)
    return opener(settings, home)


def _rehearsal(_settings: Settings, home: Path) -> Connection:
    from pipeline.adapters.alpaca import AlpacaBroker, AlpacaMarketData, AlpacaSettings, TradeUpdates

    place = exchange_place(home)
    account = AlpacaSettings(
        key_id=REHEARSAL_KEY,
        secret_key=REHEARSAL_SECRET,
        trading_url=place["url"],
        stream_url=place["stream_url"],
        data_url=place["url"],
        data_stream_url=place["stream_url"],
        mode="rehearsal",
        refused_pause=_REHEARSAL_PAUSE,
    )
    opened = AlpacaBroker(account)
    clock, pacer = ExchangeClock(place["control_url"]), VirtualPacer(place["control_url"])
    return Connection(opened, AlpacaMarketData(account), clock, pacer, TradeUpdates(account))


def _alpaca(settings: Settings, _home: Path) -> Connection:
    from pipeline.adapters.alpaca import AlpacaBroker, AlpacaMarketData, AlpacaSettings, TradeUpdates

    urls, keys = endpoints(settings), credentials(settings)
    own = settings.data.source.alpaca_settings
    account = AlpacaSettings(
        key_id=keys.api_key.get_secret_value(),
        secret_key=keys.secret_key.get_secret_value(),
        trading_url=urls.trading_url,
        stream_url=urls.stream_url,
        data_url=urls.data_url,
        data_stream_url=urls.data_stream_url,
        feed=own.data_feed,
        mode="live" if mode(settings) is Mode.LIVE else "paper",
        requests_per_minute=own.requests_per_minute,
        data_requests_per_minute=own.data_requests_per_minute,
    )
    clock = SystemClock()
    opened, data = AlpacaBroker(account), AlpacaMarketData(account)
    return Connection(opened, data, clock, SleepingPacer(clock), TradeUpdates(account))


def exchange_place(home: Path) -> dict[str, str]:
    """Return the addresses of the rehearsal exchange that runs in ``home``.

    Raises:
        BrokerUnavailable: none was ever started there.
    """
    path = home / EXCHANGE_HOME / "exchange.json"
    try:
        place = json.loads(path.read_text())
    except FileNotFoundError:
        reason = "it is not running; `marketday demo` or `marketday up` starts it"
        raise BrokerUnavailable("the rehearsal exchange", reason, False) from None
    return {key: str(value) for key, value in place.items()}


BROKERS: dict[str, Callable[[Settings, Path], Connection]] = {"rehearsal": _rehearsal, "alpaca": _alpaca}
