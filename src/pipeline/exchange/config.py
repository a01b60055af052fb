"""What an exchange is started with, read strictly from JSON::

    {"seed": 7,
     "market": {"kind": "synthetic", "symbols": {"SPY": {"price": "671.20", "annual_volatility": 0.16,
                "correlation": 0.6, "daily_volume": 60000000, "fractionable": true, "listing": "ARCA"}}},
     "session_table": "sessions.json", "first_session": "2026-11-20", "cash": "50000"}

Optional: ``start`` (08:00 exchange time of the first session), ``account_id``,
``account_number``, ``key_id``, ``secret_key``, ``fees`` (``per_share`` in account currency,
``sell_ppm``), ``half_spread_ppm``, ``slippage_ppm``, ``participation_ppm``. A recorded market is
``{"kind": "recorded", "file": "bars.parquet", "timezone": "UTC", "symbols": {…}}``, its symbols
optional and without prices.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.domain.market import SYMBOL
from pipeline.domain.money import PPM, to_money, to_price
from pipeline.domain.session import OutsideCalendar, Session, SessionTable
from pipeline.errors import ConfigurationError
from pipeline.exchange.fields import (
    Fields,
    flag,
    fraction,
    instant,
    one_of,
    positive,
    read_json,
    text,
    whole,
)

PREOPEN = time(8, 0)
"""Exchange time of the first session at which the virtual clock starts by default."""

LISTINGS = ("AMEX", "ARCA", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "OTC")
"""Exchanges an asset may be listed on (Alpaca's enumeration)."""


@dataclass(frozen=True, slots=True)
class SymbolProfile:
    """One listed symbol.

    Attributes:
        price: price units near which the first session opens (synthetic only; 0 when recorded).
        annual_volatility: standard deviation of yearly log returns, a fraction.
        correlation: with the market's common factor, in [0, 1].
        daily_volume: shares traded on an ordinary day.
        fractionable: whether orders may be in fractions of a share.
        listing: one of :data:`LISTINGS`.
    """

    symbol: str
    price: int = 0
    annual_volatility: float = 0.20
    correlation: float = 0.6
    daily_volume: int = 5_000_000
    fractionable: bool = True
    listing: str = "ARCA"


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """Where prices come from: ``synthetic``, or ``recorded`` one-minute bars in ``file``."""

    kind: str
    symbols: Mapping[str, SymbolProfile]
    file: Path | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs. ``per_share`` in micro units of money, the rest parts per million."""

    per_share: int = 0
    sell_ppm: int = 0
    half_spread_ppm: int = 20
    slippage_ppm: int = 30
    participation_ppm: int = 100_000


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """The one account. ``cash`` in micro units of money."""

    id: str
    number: str
    key_id: str
    secret_key: str
    cash: int


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Everything that determines an exchange: same configuration and commands, same bytes.

    Attributes:
        start: where the virtual clock starts, UTC.
        digest: fingerprint of the document without the place of the session table, so that
            a refreshed table does not orphan a running rehearsal.
    """

    seed: int
    market: MarketConfig
    table: SessionTable
    first_session: date
    start: datetime
    account: AccountConfig
    costs: Costs
    digest: str


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(text(value)).key
    except ZoneInfoNotFoundError as error:
        raise ValueError("is not an IANA time zone, as in 'America/New_York'") from error


def _uuid(value: Any) -> str:
    return str(uuid.UUID(text(value)))


def _paper_number(value: Any) -> str:
    if not text(value).startswith("PA"):
        raise ValueError("must start with 'PA': a rehearsal account has to look like a paper account")
    return str(value)


def read_session_table(path: Path) -> SessionTable:
    """Return the sessions stored as JSON at ``path``.

    Raises:
        ConfigurationError: unreadable, or not ``{"exchange", "timezone", "first", "last", "sessions":
            [["2026-11-20", open, close, early_close], …]}`` with instants in UTC.
    """
    fields = Fields("session_table", read_json(path, "session_table"))

    def sessions(rows: Any) -> tuple[Session, ...]:
        found = tuple(Session(date.fromisoformat(d), instant(o), instant(c), bool(e)) for d, o, c, e in rows)
        if any(a.day >= b.day for a, b in pairwise(found)):
            raise ValueError("sessions must be in order of date, each once")
        return found

    table = SessionTable(
        exchange=fields.take("exchange", text),
        timezone=fields.take("timezone", _zone),
        first=fields.take("first", date.fromisoformat),
        last=fields.take("last", date.fromisoformat),
        sessions=fields.take("sessions", sessions),
    )
    fields.finish()
    return table


def _profile(symbol: str, values: object, synthetic: bool) -> SymbolProfile:
    if not SYMBOL.match(symbol):
        raise ConfigurationError("market.symbols", symbol, "is not a symbol, as in 'SPY'")
    fields = Fields(f"market.symbols.{symbol}", values)
    profile = SymbolProfile(
        symbol=symbol,
        price=fields.take("price", positive(to_price, 1), None if synthetic else 0),
        annual_volatility=fields.take("annual_volatility", fraction(0.0, 5.0), 0.20),
        correlation=fields.take("correlation", fraction(0.0, 1.0), 0.6),
        daily_volume=fields.take("daily_volume", whole(0, 10**11), 5_000_000),
        fractionable=fields.take("fractionable", flag, True),
        listing=fields.take("listing", one_of(*LISTINGS), "ARCA"),
    )
    fields.finish()
    return profile


def _market(values: object, base: Path) -> MarketConfig:
    fields = Fields("market", values)
    kind = fields.take("kind", one_of("synthetic", "recorded"))
    symbols: dict[str, object] = fields.take("symbols", dict, None if kind == "synthetic" else {})
    profiles = {name: _profile(name, row, kind == "synthetic") for name, row in symbols.items()}
    if kind == "synthetic" and not profiles:
        raise ConfigurationError("market.symbols", symbols, "is empty; name at least one symbol")
    file, timezone = None, "UTC"
    if kind == "recorded":
        file = base / fields.take("file", text)
        timezone = fields.take("timezone", _zone, "UTC")
    fields.finish()
    return MarketConfig(kind, profiles, file, timezone)


def _costs(fields: Fields) -> Costs:
    plain = Costs()
    fees = Fields("fees", fields.take("fees", dict, {}))
    costs = Costs(
        per_share=fees.take("per_share", positive(to_money, 0), plain.per_share),
        sell_ppm=fees.take("sell_ppm", whole(0, PPM), plain.sell_ppm),
        half_spread_ppm=fields.take("half_spread_ppm", whole(0, PPM // 10), plain.half_spread_ppm),
        slippage_ppm=fields.take("slippage_ppm", whole(0, PPM // 10), plain.slippage_ppm),
        participation_ppm=fields.take("participation_ppm", whole(1, PPM), plain.participation_ppm),
    )
    fees.finish()
    return costs


def _account(fields: Fields) -> AccountConfig:
    number = fields.take("account_number", _paper_number, "PA0REHEARSAL")
    return AccountConfig(
        id=fields.take("account_id", _uuid, str(uuid.uuid5(uuid.NAMESPACE_OID, number))),
        number=number,
        key_id=fields.take("key_id", text, "REHEARSAL"),
        secret_key=fields.take("secret_key", text, "rehearsal"),
        cash=fields.take("cash", positive(to_money, 0)),
    )


def _first_session(table: SessionTable, day: date) -> Session:
    try:
        session = table.on(day)
    except OutsideCalendar as error:
        raise ConfigurationError("first_session", str(day), str(error)) from error
    if session is None:
        following = table.at_or_after(day).day
        raise ConfigurationError("first_session", str(day), f"is no session; the next one is {following}")
    return session


def load_config(path: Path) -> ExchangeConfig:
    """Return the configuration at ``path``; relative paths in it start at its folder.

    Raises:
        ConfigurationError: names the key, its value and the remedy.
    """
    document = read_json(path, "config")
    fields = Fields("exchange", document)
    table = read_session_table(path.parent / fields.take("session_table", text))
    first = _first_session(table, fields.take("first_session", date.fromisoformat))
    preopen = datetime.combine(first.day, PREOPEN, ZoneInfo(table.timezone))
    config = ExchangeConfig(
        seed=fields.take("seed", whole(0, 2**63 - 1)),
        market=_market(fields.take("market", dict), path.parent),
        table=table,
        first_session=first.day,
        start=fields.take("start", instant, preopen),
        account=_account(fields),
        costs=_costs(fields),
        digest=_digest(document),
    )
    fields.finish()
    return config


def _digest(document: object) -> str:
    kept = {k: v for k, v in document.items() if k != "session_table"} if isinstance(document, dict) else {}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
