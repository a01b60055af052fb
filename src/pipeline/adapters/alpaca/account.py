"""How Alpaca is reached, and the proof that the account is of the kind that was configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pipeline.adapters.alpaca.budget import MINUTE, Allowance
from pipeline.domain.portfolio import Account
from pipeline.errors import AccountMismatch, ConfigurationError

BROKER = "alpaca"

Mode = Literal["paper", "live", "rehearsal"]

_HOSTS = {"paper-api.alpaca.markets": "paper", "api.alpaca.markets": "live"}
LIVE_HOSTS = frozenset({"api.alpaca.markets", "broker-api.alpaca.markets"})
"""Where real money moves: a process of any other mode is kept from reaching them."""
_DATA_DOMAIN = ".alpaca.markets"
_KEY_PREFIXES = {"PK": "paper", "AK": "live"}
_PAPER_ACCOUNT = "PA"


MIN_RESERVE = 20
"""Requests a minute that only cancels, look-ups and recovery may spend, whatever the budget."""
_ALPACAS_LIMIT = 200
_REHEARSAL_BLOCK = 0.5
"""Seconds for which a rehearsal heeds a "too many" at most."""


@dataclass(frozen=True, slots=True)
class AlpacaSettings:
    """Everything needed to reach one Alpaca account. Neither key is ever shown.

    Attributes:
        trading_url, data_url: REST roots without the version, as in ``https://paper-api.alpaca.markets``.
        stream_url, data_stream_url: websocket addresses, as in ``wss://paper-api.alpaca.markets/stream``.
        feed: ``iex``, ``sip`` or ``delayed_sip``; bars of two feeds are never mixed.
        mode: whose money moves; ``rehearsal`` is a local exchange and allows loopback addresses only.
        connect_timeout, read_timeout: seconds; ``total_deadline``: seconds from request to whole answer.
        requests_per_minute, data_requests_per_minute: budgets of the account and of market data; None for
            Alpaca's 200, and for no limit in a rehearsal, where virtual hours pass in real seconds.
        refused_pause: seconds for which credentials that were refused are not shown again.

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
    requests_per_minute: int | None = None
    data_requests_per_minute: int | None = None
    refused_pause: float = 5.0

    @property
    def trading_allowance(self) -> Allowance:
        """What may be spent on the account: a fifth is kept for cancels, look-ups and recovery."""
        per_minute = self._per_minute(self.requests_per_minute)
        return self._allowance(per_minute, max(MIN_RESERVE, per_minute // 5) if per_minute else 0)

    @property
    def data_allowance(self) -> Allowance:
        """What may be spent on market data."""
        return self._allowance(self._per_minute(self.data_requests_per_minute), 0)

    def _per_minute(self, configured: int | None) -> int:
        if configured is not None:
            return configured
        return 0 if self.mode == "rehearsal" else _ALPACAS_LIMIT

    def _allowance(self, per_minute: int, reserve: int) -> Allowance:
        longest = _REHEARSAL_BLOCK if self.mode == "rehearsal" else MINUTE
        return Allowance(per_minute, reserve, longest_block=longest)

    def __post_init__(self) -> None:
        if not self.key_id or not self.secret_key:
            raise ConfigurationError("api_credentials", None, "set the key id and the secret key")
        for name in ("trading_url", "stream_url", "data_url", "data_stream_url"):
            _check_address(name, getattr(self, name), self.mode)
        if self.requests_per_minute is not None and self.requests_per_minute < 2 * MIN_RESERVE:
            remedy = f"write {2 * MIN_RESERVE} or more: {MIN_RESERVE} a minute are kept for cancels"
            raise ConfigurationError("requests_per_minute", self.requests_per_minute, remedy)


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
    elif name.startswith("data") and not (parts.hostname or "").endswith(_DATA_DOMAIN):
        raise ConfigurationError(name, shown, f"the keys are Alpaca's: write a host of *{_DATA_DOMAIN}")


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
