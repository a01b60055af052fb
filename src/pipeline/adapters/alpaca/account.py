"""How Alpaca is reached, and the proof that the account is of the kind that was configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pipeline.domain.portfolio import Account
from pipeline.errors import AccountMismatch, ConfigurationError

BROKER = "alpaca"

Mode = Literal["paper", "live", "rehearsal"]

_HOSTS = {"paper-api.alpaca.markets": "paper", "api.alpaca.markets": "live"}
_KEY_PREFIXES = {"PK": "paper", "AK": "live"}
_PAPER_ACCOUNT = "PA"


@dataclass(frozen=True, slots=True)
class AlpacaSettings:
    """Everything needed to reach one Alpaca account. Neither key is ever shown.

    Attributes:
        trading_url, data_url: REST roots without the version, as in ``https://paper-api.alpaca.markets``.
        stream_url, data_stream_url: websocket addresses, as in ``wss://paper-api.alpaca.markets/stream``.
        feed: ``iex``, ``sip`` or ``delayed_sip``; bars of two feeds are never mixed.
        mode: whose money moves; ``rehearsal`` is a local exchange and allows loopback addresses only.
        connect_timeout, read_timeout: seconds; ``total_deadline``: seconds from request to whole answer.

    Raises:
        ConfigurationError: an address that would send credentials in clear, or to somewhere unintended.
    """

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    trading_url: str
    stream_url: str
    data_url: str
    data_stream_url: str
    feed: str = "iex"
    mode: Mode = "paper"
    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    total_deadline: float = 15.0

    def __post_init__(self) -> None:
        if not self.key_id or not self.secret_key:
            raise ConfigurationError("api_credentials", None, "set the key id and the secret key")
        for name in ("trading_url", "stream_url", "data_url", "data_stream_url"):
            _check_address(name, getattr(self, name), self.mode)


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(name: str, url: str, mode: Mode) -> None:
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.username or parts.password:
        raise ConfigurationError(name, shown, "write the address without user name and password")
    if mode == "rehearsal":
        if not is_loopback(url):
            raise ConfigurationError(name, shown, "the rehearsal exchange is on this machine: use 127.0.0.1")
    elif parts.scheme not in ("https", "wss"):
        raise ConfigurationError(name, shown, "credentials travel over https and wss only")


def check_endpoints(settings: AlpacaSettings) -> None:
    """Do nothing when addresses and key agree with the configured mode.

    Called before the first request, so that a paper configuration never speaks to a live host.

    Raises:
        AccountMismatch: they do not.
    """
    for url in (settings.trading_url, settings.stream_url):
        host = urlsplit(url).hostname or ""
        found = "rehearsal" if is_loopback(url) else _HOSTS.get(host, "an unknown host")
        if found != settings.mode:
            raise AccountMismatch(settings.mode, found, f"host {host}")
    kind = _KEY_PREFIXES.get(settings.key_id[:2], settings.mode)
    if settings.mode != "rehearsal" and kind != settings.mode:
        raise AccountMismatch(settings.mode, kind, f"the key begins with {settings.key_id[:2]}")


def account_mode(number: str) -> str:
    """Return "paper" or "live" by the account number that the broker answered (paper ones begin with PA)."""
    return "paper" if number.startswith(_PAPER_ACCOUNT) else "live"


def verify_account(settings: AlpacaSettings, account: Account) -> None:
    """Do nothing when addresses, key and the account the broker showed are all of the configured mode.

    A rehearsal account is a paper account at a loopback address.

    Raises:
        AccountMismatch: one of the three says otherwise; it names the evidence.
    """
    check_endpoints(settings)
    expected = "live" if settings.mode == "live" else "paper"
    if account.mode != expected:
        raise AccountMismatch(settings.mode, account.mode, f"account number {account.number[:2]}…")
