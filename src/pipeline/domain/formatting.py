"""How numbers look, everywhere: alerts, reports, terminal. Units in: :mod:`pipeline.domain.rules`.

A loss carries a true minus sign, a share of a limit stands beside the limit, a time says its zone.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from pipeline.domain.money import fraction_decimal, money_decimal, price_decimal, qty_decimal

MINUS = "−"
NONE = "–"
"""Stands where there is no value: never 0 for "unknown"."""

NEW_YORK = "America/New_York"
_SHORT_ZONES = {NEW_YORK: "ET", "US/Eastern": "ET", "UTC": "UTC"}
_CURRENCIES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def money(amount: int, currency: str = "USD") -> str:
    """Return "$10,041.20" or "−$312.40"."""
    value = _rounded(money_decimal(amount), 2)
    return f"{MINUS if value < 0 else ''}{_CURRENCIES.get(currency, currency + ' ')}{abs(value):,.2f}"


def signed_money(amount: int, currency: str = "USD") -> str:
    """Return "+$41.20", "−$312.40", or "$0.00" without a sign."""
    return _plus(money_decimal(amount), 2) + money(amount, currency)


def percent(ppm: int, decimals: int = 2) -> str:
    """Return "4.27 %" or "−3.12 %"."""
    value = _rounded(fraction_decimal(ppm) * 100, decimals)
    return f"{MINUS if value < 0 else ''}{abs(value):.{decimals}f} %"


def signed_percent(ppm: int, decimals: int = 2) -> str:
    """Return "+0.41 %", "−3.12 %", or "0.00 %" without a sign."""
    return _plus(fraction_decimal(ppm) * 100, decimals) + percent(ppm, decimals)


def of_limit(actual: int, limit: int) -> str:
    """Return two fractions in ppm as "−3.12 % of −3.00 %"."""
    return f"{percent(actual)} of {percent(limit)}"


def pnl_of_limit(actual: int, limit: int) -> str:
    """Return "−3.12 % of −3.00 %" for a loss, "+0.41 %, limit −3.00 %" for a profit; fractions in ppm."""
    return of_limit(actual, limit) if actual < 0 else f"{signed_percent(actual)}, limit {percent(limit)}"


def price(units: int) -> str:
    """Return "671.20": two decimals, up to four when the price has them."""
    value = price_decimal(units)
    cents = _rounded(value, 2)
    text = f"{abs(cents):,.2f}" if cents == value else f"{abs(value):,.4f}".rstrip("0")
    return f"{MINUS if value < 0 else ''}{text}"


def cents(units: int) -> str:
    """Return a price with exactly two decimals, for those that we computed: "165.34"."""
    return price(round(units / 100) * 100)


def quantity(units: int) -> str:
    """Return a number of shares without trailing zeros: "3", "1,200", "0.2981", "−5"."""
    value = qty_decimal(units)
    return f"{MINUS if value < 0 else ''}{abs(value):,f}"


def basis_points(ppm: int) -> str:
    """Return "+1.2 bp": one hundredth of a percent, signed."""
    value = _rounded(Decimal(ppm) / 100, 1)
    sign = MINUS if value < 0 else "+" if value > 0 else ""
    return f"{sign}{abs(value):.1f} bp"


def duration(seconds: float) -> str:
    """Return "84 ms", "2.5 s", "4m05s" or "2h04m"."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def time_of_day(at: datetime, zone: str = NEW_YORK) -> str:
    """Return "14:03:00 ET". ``at`` carries a zone."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M:%S} {_SHORT_ZONES.get(zone, local.tzname() or zone)}"


def minute_of_day(at: datetime, zone: str = NEW_YORK) -> str:
    """Return "16:00 ET". ``at`` carries a zone."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M} {_SHORT_ZONES.get(zone, local.tzname() or zone)}"


def long_date(day: date) -> str:
    """Return "Mon 7 Oct 2013", in the same words under every locale."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 trade", "2 trades", "no trades"."""
    many = plural or noun + "s"
    return f"no {many}" if number == 0 else f"{number:,} {noun if number == 1 else many}"


def one_line(text: str) -> str:
    """Return ``text`` without line breaks, control characters or terminal escapes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shortened(text: str, length: int) -> str:
    """Return ``text`` in at most ``length`` characters, with an ellipsis when it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def _plus(value: Decimal, decimals: int) -> str:
    return "+" if _rounded(value, decimals) > 0 else ""
