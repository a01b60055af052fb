"""The kinds of value a key may hold, each with its range and the sentence a wrong value earns.

Fractions are fractions: 0.02 is 2 %. They are whole parts per million, because decisions count in them.
Numbers are typed as numbers; only a value out of an environment variable may arrive as text.
"""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, StringConstraints

from pipeline.domain.market import SYMBOL
from pipeline.settings.values import Expanded, Unset

Item = TypeVar("Item")

_LARGEST = 10**19
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_ZONE_ALIASES = {
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
}


def _percent(value: float) -> str:
    return f"{value * 100:.10g} %"


def scalar_of(text: Expanded) -> int | float | bool | str:
    """Return what a variable's text says where any scalar is allowed: true, false, a number, or text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return _from_environment(text)
    except ValueError:
        return str(text)


def _from_environment(text: str) -> int | float:
    try:
        return int(text) if text.strip("+-").isdecimal() else float(text)
    except ValueError:
        raise ValueError("the environment variable does not hold a number") from None


def _real(value: object) -> float:
    return float(_number(value))


def _number(value: object) -> int | float:
    """Return a finite number. Raises ValueError for booleans, text a person typed, NaN and infinity."""
    if isinstance(value, Expanded):
        value = _from_environment(value)
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            fraction = float(value.strip().removesuffix("%")) / 100
        except ValueError:
            fraction = math.nan
        hint = f"; did you mean {fraction:.10g}?" if math.isfinite(fraction) else ""
        raise ValueError(f"write a fraction, not a percentage{hint}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number, without quotes")  # noqa: TRY004 - pydantic wants ValueError
    if abs(value) > _LARGEST:  # also keeps an endless integer from overflowing a float
        raise ValueError("is out of all proportion")
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _fraction(value: object, low: float, high: float) -> float:
    number = _number(value)
    if number > high and 0 < number / 100 <= high:
        raise ValueError(f"{number:.10g} means {_percent(number)}; did you mean {number / 100:.10g}?")
    if number > high:
        raise ValueError(
            f"{number:.10g} means {_percent(number)}; at most {high:.10g} ({_percent(high)}) is allowed"
        )
    if number < low or (number == low == 0):
        raise ValueError(f"{number:.10g} is too small; write a fraction of at least {low or 1e-6:.10g}")
    return float(number)


def _above_zero(value: object) -> float:
    number = _fraction(value, 0.0, 1.0)
    if number < 1e-6:
        raise ValueError(f"{number:.10g} is less than one part per million; write a fraction such as 0.02")
    return number


def _loss(value: object) -> float:
    number = _above_zero(value)
    if number == 1:
        raise ValueError("1 means 100 %: a loss limit of everything limits nothing")
    return number


def _share_or_none_held(value: object) -> float:
    number = _number(value)
    return 0.0 if number == 0 else _above_zero(number)


def _signed_loss(value: object) -> float:
    number = _number(value)
    if number >= 0:
        raise ValueError(f"is a signed loss: write it below zero, as in -{abs(number) or 0.02:.10g}")
    return -_loss(-number)


def as_whole(value: object) -> int:
    """Return a whole number. Raises ValueError for anything else, 5.0 included."""
    number = _number(value)
    if number != int(number) or isinstance(value, float):
        raise ValueError("must be a whole number")
    return int(number)


def _flag(value: object) -> object:
    if isinstance(value, Expanded) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotes")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _count_of_money(value: object) -> float:
    number = _real(value)
    if not 0 < number <= 1e9:
        raise ValueError("must be an amount above 0 and at most 1,000,000,000")
    return number


def _time_of_day(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        raise ValueError(f'must be text; did you mean "{value // 60:02d}:{value % 60:02d}"?')
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('must be a time of day on the 24-hour clock, as in "16:00"')
    return value


def _date(value: object) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("must be a date, as in 2026-12-31")
    return date.fromisoformat(value)


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a time zone, as in America/New_York")  # noqa: TRY004
    name = _ZONE_ALIASES.get(value, value)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone; write it as in America/New_York") from None
    return name


def _symbol(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('must be text; put it in quotes, as in "TRUE"')  # noqa: TRY004
    if not SYMBOL.fullmatch(value):
        upper = value.strip().upper()
        hint = f"; did you mean {upper}?" if SYMBOL.fullmatch(upper) else ""
        raise ValueError(f"is not a symbol{hint}")
    return str(value)


def _url(value: object, schemes: tuple[str, str]) -> str | Unset:
    if isinstance(value, Unset):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be an address, as in {schemes[0]}://paper-api.alpaca.markets")
    full = value if "://" in value else f"{schemes[0]}://{value}"
    parts = urlsplit(full)
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.query:
        raise ValueError(f"must be an address that begins with {schemes[0]}://, without a user or a query")
    if parts.scheme == schemes[1] and parts.hostname not in LOOPBACK:
        raise ValueError(f"would send credentials unencrypted; use {schemes[0]}:// outside this machine")
    return full.rstrip("/")


def _rest_url(value: object) -> str | Unset:
    return _url(value, ("https", "http"))


def _stream_url(value: object) -> str | Unset:
    return _url(value, ("wss", "ws"))


Flag = Annotated[bool, PlainValidator(_flag)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Share = Annotated[float, PlainValidator(_above_zero)]
"""A fraction in (0, 1]."""
Loss = Annotated[float, PlainValidator(_loss)]
"""A loss or drawdown in (0, 1), written as a positive fraction."""
SignedLoss = Annotated[float, PlainValidator(_signed_loss)]
"""A loss in (-1, 0), as the performance alerts write it."""
ShareOrZero = Annotated[float, PlainValidator(_share_or_none_held)]
"""A fraction in [0, 1]."""
Leverage = Annotated[float, PlainValidator(_real), Field(ge=1, le=4)]
Volatility = Annotated[float, PlainValidator(_real), Field(gt=0, le=3)]
"""Annualised standard deviation: 0.30 is 30 %."""
Score = Annotated[float, PlainValidator(_real), Field(ge=-10, le=10)]
Money = Annotated[float, PlainValidator(_count_of_money)]
"""An amount in the account's currency, above 0."""
Count = Annotated[int, PlainValidator(as_whole), Field(ge=1, le=1_000_000)]
CountOrZero = Annotated[int, PlainValidator(as_whole), Field(ge=0, le=1_000_000)]
Seconds = Annotated[int, PlainValidator(as_whole), Field(ge=1, le=86_400)]
SecondsOrZero = Annotated[int, PlainValidator(as_whole), Field(ge=0, le=3_600)]
Minutes = Annotated[int, PlainValidator(as_whole), Field(ge=0, le=390)]
Days = Annotated[int, PlainValidator(as_whole), Field(ge=1, le=3_650)]
Port = Annotated[int, PlainValidator(as_whole), Field(ge=1, le=65_535)]
TimeOfDay = Annotated[str, PlainValidator(_time_of_day)]
Day = Annotated[date, PlainValidator(_date)]
Zone = Annotated[str, PlainValidator(_zone)]
Symbol = Annotated[str, PlainValidator(_symbol)]
RestUrl = Annotated[str | Unset, PlainValidator(_rest_url), PlainSerializer(str)]
StreamUrl = Annotated[str | Unset, PlainValidator(_stream_url), PlainSerializer(str)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Folder = Annotated[Path, BeforeValidator(lambda value: Path(value) if isinstance(value, str) else value)]
Items = Annotated[tuple[Item, ...], Field(strict=False)]
"""A list: tuples are what a frozen model may hold."""
