"""Where prices come from and orders go to: ``data:``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.settings.kinds import (
    Count,
    CountOrZero,
    Day,
    Flag,
    Port,
    RestUrl,
    StreamUrl,
    Symbol,
    Text,
    TimeOfDay,
    Zone,
)
from pipeline.settings.models.base import Block
from pipeline.settings.problems import did_you_mean
from pipeline.settings.values import Secret

PROVIDERS = ("alpaca", "interactive_brokers", "binance", "schwab", "td_ameritrade", "rehearsal")
"""Brokers by name. ``td_ameritrade`` was shut in 2024; its accounts are at Schwab, and so is its name."""

CALENDARS = {
    "NYSE": "XNYS",
    "NASDAQ": "XNAS",
    "AMEX": "XASE",
    "LSE": "XLON",
    "24/7": "24/7",
}
"""Names people use, and the calendar each one is."""


def _provider(value: str) -> str:
    if value not in PROVIDERS and not re.fullmatch(r"custom:[a-z][a-z0-9_]*", value):
        hint = did_you_mean(value, PROVIDERS)
        raise ValueError(f"is not a broker: {hint} (a broker of your own is written as custom:name)")
    return value


def _calendar(value: str) -> str:
    if value not in CALENDARS and not re.fullmatch(r"X[A-Z]{3}", value):
        known = ", ".join(CALENDARS)
        raise ValueError(f"is not a trading calendar; write one of {known}, or a market code such as XNYS")
    return value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value} stands twice; remove one")
    return values


class ApiCredentials(Block):
    """``api_credentials``: refer to environment variables; nothing secret belongs into a file."""

    api_key: Secret | None = None
    secret_key: Secret | None = None
    base_url: RestUrl | None = None
    username: Secret | None = None
    password: Secret | None = None


class Connection(Block):
    """``connection``: where Trader Workstation or IB Gateway listens."""

    host: Text = "127.0.0.1"
    port: Port = 7497
    client_id: CountOrZero = 1


class IbSettings(Block):
    """``ib_settings``."""

    enable_outside_rth: Flag = False
    enable_paper_trading: Flag = True
    request_market_data: Flag = True
    place_orders: Flag = True


class AlpacaSettings(Block):
    """``alpaca_settings``.

    Attributes:
        requests_per_minute: what the account may spend, 40 or more; a fifth of it is kept for cancels.
        data_requests_per_minute: the same for market data, without a reserve.
    """

    enable_crypto: Flag = False
    enable_options: Flag = False
    data_feed: Literal["iex", "sip", "delayed_sip"] = "iex"
    requests_per_minute: Annotated[Count, Field(ge=40)] = 200
    data_requests_per_minute: Count = 200


class Source(Block):
    """``data.source``: the broker, which is also where prices come from.

    Attributes:
        environment: "paper" unless a person writes "live" and arms it (``live_arming``).
        base_url: the trading address, as the broker's own documentation calls it; ``trading_url`` is the
            same thing beside the other three addresses an Alpaca client needs.
    """

    type: Literal["live"] = "live"
    provider: Annotated[str, AfterValidator(_provider)] = "alpaca"
    environment: Literal["paper", "live"] = "paper"
    api_credentials: ApiCredentials = ApiCredentials()
    base_url: RestUrl | None = None
    trading_url: RestUrl | None = None
    stream_url: StreamUrl | None = None
    data_url: RestUrl | None = None
    data_stream_url: StreamUrl | None = None
    real_time_data: Flag = True
    market_data_subscription: Literal["basic", "premium"] = "basic"
    connection: Connection = Connection()
    ib_settings: IbSettings = IbSettings()
    alpaca_settings: AlpacaSettings = AlpacaSettings()


class MarketHours(Block):
    """``data.market_hours``: the regular session, on the exchange's clock.

    Fixed times elsewhere are read against these two, and become offsets from the real open and close.

    Attributes:
        closures: days on which the exchange stays closed although the calendar has a session: a day of
            mourning, a storm. Nothing is planned on them.
    """

    start_time: TimeOfDay = "09:30"
    end_time: TimeOfDay = "16:00"
    timezone: Zone = "America/New_York"
    trading_calendar: Annotated[str, AfterValidator(_calendar)] = "NYSE"
    closures: Annotated[tuple[Day, ...], Field(strict=False, max_length=100)] = ()

    @model_validator(mode="after")
    def _open_before_close(self) -> MarketHours:
        if self.start_time >= self.end_time:
            raise ValueError(f"start_time {self.start_time} is not before end_time {self.end_time}")
        return self


class Data(Block):
    """``data``.

    Attributes:
        max_age_bars: bar lengths after which a symbol's data is stale, and the symbol is not entered.
        max_gap_bars: bars that may be missing in a row in what a strategy sees; beyond it, it is not asked.
        frozen_bars: bars in a row with one close, and without a range or with one volume, at which a feed is
            taken to stand still.
    """

    source: Source = Source()
    symbols: Annotated[tuple[Symbol, ...], Field(strict=False, min_length=1, max_length=1_000)]
    timeframe: Literal["1m", "5m", "15m", "1h"] = "1m"
    market_hours: MarketHours = MarketHours()
    max_age_bars: Count | None = None
    max_gap_bars: CountOrZero | None = None
    frozen_bars: Annotated[Count, Field(ge=2)] | None = None

    @field_validator("symbols")
    @classmethod
    def _each_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return _unique(symbols)
