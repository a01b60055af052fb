"""Which account is traded, and how it is reached: mode, addresses, credentials."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError
from pipeline.settings.models.data import Source
from pipeline.settings.models.root import Settings
from pipeline.settings.values import Secret, Unset

LIVE_HOST = "api.alpaca.markets"
PAPER_HOST = "paper-api.alpaca.markets"

_TRADING_KEYS = ("trading_url", "base_url", "api_credentials.base_url")


class Mode(StrEnum):
    """Whose money is moved. ``label`` stands first in everything people read."""

    REHEARSAL = "rehearsal"
    PAPER = "paper"
    LIVE = "live"

    @property
    def label(self) -> str:
        """Return SIM, PAPER or LIVE."""
        return "SIM" if self is Mode.REHEARSAL else self.name


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The four addresses of an Alpaca client, without a trailing slash."""

    trading_url: str
    stream_url: str
    data_url: str
    data_stream_url: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """Key and secret of an Alpaca client; shown as dots."""

    api_key: Secret
    secret_key: Secret


def mode(settings: Settings) -> Mode:
    """Return whose money this configuration moves. Paper unless live is written and armed.

    Raises:
        ConfigurationError: live without ``live_arming``.
    """
    source = settings.data.source
    if source.provider == "rehearsal":
        return Mode.REHEARSAL
    if source.environment == "paper":
        return Mode.PAPER
    if settings.live_arming is None:
        raise ConfigurationError(
            "data.source.environment",
            "live",
            'real money needs a block `live_arming: {account: "…", confirm: "I accept real losses", '
            "valid_until: YYYY-MM-DD}`; without it, write `environment: paper`",
        )
    return Mode.LIVE


def broker(settings: Settings) -> str:
    """Return the broker's name; ``td_ameritrade`` is ``schwab`` since 2024-05-10."""
    provider = settings.data.source.provider
    return "schwab" if provider == "td_ameritrade" else provider


def trading_urls(source: Source) -> dict[str, str | Unset]:
    """Return the trading addresses that are written, by key below ``data.source``."""
    values = (source.trading_url, source.base_url, source.api_credentials.base_url)
    return {key: value for key, value in zip(_TRADING_KEYS, values, strict=True) if value is not None}


def host(url: str) -> str:
    """Return the host of an address, in lower case."""
    return (urlsplit(url).hostname or "").lower()


def endpoints(settings: Settings) -> Endpoints:
    """Return the addresses of an Alpaca client: those that are written, Alpaca's own for the mode otherwise.

    A trading address implies its stream's: the same host, ``wss``, ``/stream``.

    Raises:
        ConfigurationError: an address refers to a variable that is not set; or rehearsal, whose
            addresses are known when its exchange has started.
    """
    source, feed = settings.data.source, settings.data.source.alpaca_settings.data_feed
    current = mode(settings)
    default = LIVE_HOST if current is Mode.LIVE else PAPER_HOST
    if current is Mode.REHEARSAL:
        # Never a broker's address, whatever the file says: a rehearsal reaches its own exchange only.
        remedy = "a rehearsal's addresses are known once its exchange has started; use those"
        raise ConfigurationError("data.source.provider", "rehearsal", remedy)
    trading = _known(next(iter(trading_urls(source).values()), f"https://{default}"))
    stream = source.stream_url or f"{trading.replace('http', 'ws', 1)}/stream"
    return Endpoints(
        trading_url=trading,
        stream_url=_known(stream),
        data_url=_known(source.data_url or "https://data.alpaca.markets"),
        data_stream_url=_known(source.data_stream_url or f"wss://stream.data.alpaca.markets/v2/{feed}"),
    )


def _known(url: str | Unset) -> str:
    if isinstance(url, Unset):
        raise url.error()
    return url


def credentials(settings: Settings) -> Credentials:
    """Return the key and secret of the Alpaca account.

    Raises:
        ConfigurationError: one of them is missing.
    """
    found = settings.data.source.api_credentials
    return Credentials(_given("api_key", found.api_key), _given("secret_key", found.secret_key))


def _given(name: str, secret: Secret | None) -> Secret:
    if secret is None:
        remedy = f"is missing; write ${{ALPACA_{name.upper()}}} and set that variable"
        raise ConfigurationError(f"data.source.api_credentials.{name}", None, remedy)
    secret.get_secret_value()
    return secret


def missing_variables(settings: Settings) -> tuple[Unset, ...]:
    """Return the variables that the configured broker needs and that are not set."""
    source = settings.data.source
    if source.provider == "rehearsal":
        return ()
    needed: list[Unset | None] = [
        value for value in trading_urls(source).values() if isinstance(value, Unset)
    ]
    needed += [
        url for url in (source.stream_url, source.data_url, source.data_stream_url) if isinstance(url, Unset)
    ]
    if broker(settings) != "interactive_brokers":
        found = source.api_credentials
        needed += [secret.unset for secret in (found.api_key, found.secret_key) if secret is not None]
    return tuple(unset for unset in needed if unset is not None)


def missing_channels(settings: Settings) -> tuple[Unset, ...]:
    """Return the variables of alert channels that are not set: those channels stay silent."""
    channels = settings.monitoring.alert_channels
    secrets = [channels.webhook, channels.sms, channels.slack.bot_token if channels.slack else None]
    return tuple(secret.unset for secret in secrets if secret is not None and secret.unset is not None)
