"""What a configuration must not say at once. These are errors; what is merely unwise is in ``lint``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from pipeline.errors import ConfigurationError
from pipeline.settings.caps import beyond_caps
from pipeline.settings.connection import LIVE_HOST, PAPER_HOST, Mode, host, mode, trading_urls
from pipeline.settings.hosts import foreign_addresses
from pipeline.settings.models.root import Settings
from pipeline.settings.values import Unset
from pipeline.strategies.registry import build_strategy

_IB_LIVE_PORTS = (7496, 4001)
_IB_PAPER_PORTS = (7497, 4002)


def contradictions(settings: Settings) -> list[ConfigurationError]:
    """Return what cannot be meant, each naming its key and remedy. Paper or live is never guessed."""
    found = [error for check in (*_CHECKS, foreign_addresses) for error in check(settings)]
    try:
        current = mode(settings)
    except ConfigurationError as error:
        return [*found, error]
    return [*found, *_addresses(settings, current), *_alpaca_key(settings, current), *_ib(settings, current)]


def _strategy_names(settings: Settings) -> Iterator[ConfigurationError]:
    names = Counter(strategy.name for strategy in settings.strategies)
    for name, count in names.items():
        if count > 1:
            remedy = "two strategies have this name, which names their orders; rename one"
            yield ConfigurationError("strategies", name, remedy)


def _unknown_strategies(settings: Settings) -> Iterator[ConfigurationError]:
    for index, found in enumerate(settings.strategies):
        try:
            build_strategy(found.type, found.name, found.params)
        except ConfigurationError as error:
            # The registry names a strategy by its name, a file by its position.
            key = error.key.replace(f"strategies.{found.name}.", "").replace("strategies.", "")
            yield ConfigurationError(f"strategies[{index}].{key}", error.value, error.remedy)


def _allocations(settings: Settings) -> Iterator[ConfigurationError]:
    total = sum(Decimal(repr(strategy.allocation)) for strategy in settings.strategies)
    if total > 1:
        yield ConfigurationError(
            "strategies", str(total), "the allocations add up to more than 1.0; lower one"
        )


def _addresses(settings: Settings, current: Mode) -> Iterator[ConfigurationError]:
    if current is Mode.REHEARSAL:
        return  # its exchange is on this machine; addresses of a broker are not asked
    written = {key: url for key, url in trading_urls(settings.data.source).items() if isinstance(url, str)}
    for key, url in written.items():
        remedy = _wrong_host(host(url), current)
        if remedy:
            yield ConfigurationError(f"data.source.{key}", url, remedy)
    if len(set(written.values())) > 1:
        keys = " and ".join(written)
        yield ConfigurationError(
            f"data.source.{next(iter(written))}", None, f"{keys} differ; keep one of them"
        )


def _wrong_host(name: str, current: Mode) -> str:
    if current is Mode.PAPER and name == LIVE_HOST:
        return f"is Alpaca's address for real money, but environment is paper; write https://{PAPER_HOST}"
    if current is Mode.LIVE and name == PAPER_HOST:
        return f"is Alpaca's paper address, but environment is live; write https://{LIVE_HOST}"
    return ""


def _alpaca_key(settings: Settings, current: Mode) -> Iterator[ConfigurationError]:
    source = settings.data.source
    secret = source.api_credentials.api_key
    if source.provider != "alpaca" or secret is None or isinstance(secret.unset, Unset):
        return
    kind = {"PK": Mode.PAPER, "AK": Mode.LIVE}.get(secret.get_secret_value()[:2], current)
    if kind is not current:
        remedy = f"is the key of a {kind} account, but environment is {current}; use that account's key"
        yield ConfigurationError("data.source.api_credentials.api_key", None, remedy)


def _ib(settings: Settings, current: Mode) -> Iterator[ConfigurationError]:
    source = settings.data.source
    if source.provider != "interactive_brokers":
        return
    if source.ib_settings.enable_paper_trading is (current is Mode.LIVE):
        yield ConfigurationError(
            "data.source.ib_settings.enable_paper_trading",
            source.ib_settings.enable_paper_trading,
            f"contradicts environment: {current}; change one of the two",
        )
    wrong = _IB_PAPER_PORTS if current is Mode.LIVE else _IB_LIVE_PORTS
    if source.connection.port in wrong:
        right = _IB_LIVE_PORTS if current is Mode.LIVE else _IB_PAPER_PORTS
        remedy = f"is not a port of a {current} account; use {right[0]} (TWS) or {right[1]} (Gateway)"
        yield ConfigurationError("data.source.connection.port", source.connection.port, remedy)


_CHECKS: tuple[Callable[[Settings], Iterator[ConfigurationError]], ...] = (
    _strategy_names,
    _unknown_strategies,
    _allocations,
    beyond_caps,
)
