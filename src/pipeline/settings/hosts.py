"""Whom the broker's keys may be shown to: Alpaca's own hosts, and this machine."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import ConfigurationError
from pipeline.settings.connection import broker, host
from pipeline.settings.kinds import LOOPBACK
from pipeline.settings.models.root import Settings

_DOMAIN = ".alpaca.markets"


def foreign_addresses(settings: Settings) -> Iterator[ConfigurationError]:
    """Yield an error for each address that would get Alpaca's keys and is not Alpaca's.

    A variable of the environment is enough to send them elsewhere; the name only has to look like one.
    """
    if broker(settings) != "alpaca":
        return
    source = settings.data.source
    written = {
        "base_url": source.base_url,
        "api_credentials.base_url": source.api_credentials.base_url,
        "trading_url": source.trading_url,
        "stream_url": source.stream_url,
        "data_url": source.data_url,
        "data_stream_url": source.data_stream_url,
    }
    for key, url in written.items():
        if isinstance(url, str) and not _known(host(url)):
            remedy = f"is not an address of Alpaca's ({_DOMAIN[1:]}), and would be sent the account's keys"
            yield ConfigurationError(f"data.source.{key}", url, remedy)


def _known(name: str) -> bool:
    return name.endswith(_DOMAIN) or name in LOOPBACK
