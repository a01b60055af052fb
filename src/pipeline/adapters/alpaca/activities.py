"""Account activities in our words: executions, money, corporate actions. Rules: :mod:`.parsing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from pipeline.adapters.alpaca.parsing import (
    Unreadable,
    first_told,
    number_of,
    parse_instant,
    record_of,
    side_of,
    text_of,
)
from pipeline.domain.corporate import CorporateAction, CorporateKind
from pipeline.domain.money import to_money, to_price, to_qty
from pipeline.domain.orders import Fill
from pipeline.domain.portfolio import CashActivity

_CORPORATE: Mapping[str, CorporateKind] = {
    "SPLIT": CorporateKind.SPLIT,
    "NC": CorporateKind.SYMBOL_CHANGE,
    "SPIN": CorporateKind.SPIN_OFF,
    # Shares come or go without a trade: a person has to say what they are worth.
    "MA": CorporateKind.OTHER,
    "REORG": CorporateKind.OTHER,
    "VOF": CorporateKind.OTHER,
    "JNLS": CorporateKind.OTHER,
    "ACATS": CorporateKind.OTHER,
    "FOPT": CorporateKind.OTHER,
    "OPCA": CorporateKind.OTHER,
}
_SHARES_BY_SUBTYPE = {"SDIV": CorporateKind.OTHER, "USPLIT": CorporateKind.OTHER}
"""A dividend paid in shares, and a unit that falls apart into two symbols."""
_DAY_LENGTH = len("2026-11-20")
_UNDONE = "canceled"


def parse_fill(body: object) -> Fill:
    """Return an execution from a FILL activity; Alpaca does not tell our id. Raises Unreadable."""
    raw = record_of(body)
    return Fill(
        id=text_of(raw, "id"),
        order_id=text_of(raw, "order_id"),
        intent_id=str(raw.get("client_order_id") or ""),
        symbol=text_of(raw, "symbol"),
        side=side_of(raw),
        quantity=to_qty(number_of(raw, "qty")),
        price=to_price(number_of(raw, "price")),
        at=parse_instant(raw.get("transaction_time")),
    )


def parse_cash_activity(body: object) -> CashActivity | None:
    """Return a movement of money, or None when none moved (a split, a cancelled entry). Raises Unreadable."""
    raw = record_of(body)
    if raw.get("net_amount") in (None, "") or raw.get("status") == _UNDONE:
        return None
    amount = to_money(number_of(raw, "net_amount"))
    if amount == 0:
        return None
    return CashActivity(
        id=text_of(raw, "id"),
        kind=text_of(raw, "activity_type"),
        amount=amount,
        # ``date`` is a day, the only time that older entries carry.
        at=_instant(raw, "created_at", "date"),
        description=_description(raw),
    )


def is_corporate(row: object) -> bool:
    """Tell whether an activity is one of shares without a trade. One that cannot be read is none."""
    return isinstance(row, Mapping) and _kind_of(row) is not None and row.get("status") != _UNDONE


def parse_corporate_action(body: object) -> CorporateAction:
    """Return a corporate action. Raises Unreadable.

    The ratio is ``new_rate`` to ``old_rate``; or ``new_qty`` to ``old_qty``, see :func:`joined`. It is 0 to 0
    when neither is told.
    """
    raw = record_of(body)
    kind = _kind_of(raw)
    if kind is None:
        raise Unreadable(f"activity_type is {raw.get('activity_type')!r}")
    told = raw.get("details") if isinstance(raw.get("details"), Mapping) else raw
    ratio = _ratio(record_of(told), "new_rate", "old_rate") or _ratio(record_of(told), "new_qty", "old_qty")
    return CorporateAction(
        id=text_of(raw, "id"),
        kind=kind,
        symbol=text_of(raw, first_told(raw, "symbol", "old_symbol", "source_symbol")),
        numerator=ratio.numerator if ratio else 0,
        denominator=ratio.denominator if ratio else 0,
        # Prices are in new shares from the ex-date on, whenever the broker got round to booking it.
        at=_instant(raw, "ex_date", "created_at", "date"),
        description=_description(raw),
    )


def joined(rows: Iterable[object]) -> list[object]:
    """Return corporate rows with the two halves of one split made one.

    Alpaca books a split as old shares out and new shares in, both under one ``group_id``: their quantities
    are its ratio. Rows that tell the rates, or have no partner, stay as they are.
    """
    kept: list[object] = []
    halves: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        key = _group(row)
        if key is None or not isinstance(row, Mapping):
            kept.append(row)
        elif (other := halves.pop(key, None)) is None:
            halves[key] = row
        else:
            kept.append(_one(other, row))
    return kept + list(halves.values())


def _group(row: object) -> tuple[str, str] | None:
    if not isinstance(row, Mapping) or _kind_of(row) is not CorporateKind.SPLIT or row.get("new_rate"):
        return None
    return (str(row["group_id"]), str(row.get("date"))) if row.get("group_id") else None


def _one(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    gone, come = sorted((first, second), key=lambda row: not str(row.get("qty")).startswith("-"))
    return {**gone, "old_qty": str(gone.get("qty")).lstrip("-"), "new_qty": str(come.get("qty"))}


def _kind_of(raw: Mapping[str, Any]) -> CorporateKind | None:
    by_subtype = _SHARES_BY_SUBTYPE.get(str(raw.get("activity_sub_type") or ""))
    return by_subtype or _CORPORATE.get(str(raw.get("activity_type") or ""))


def announced_ratio(body: object, symbol: str, day: date) -> tuple[int, int]:
    """Return the ratio of a symbol's split nearest to ``day`` in a list of announcements, 0 to 0 if none.

    Raises Unreadable.
    """
    groups = record_of(record_of(body).get("corporate_actions"))
    rows = [
        row
        for name in ("forward_splits", "reverse_splits")
        for row in groups.get(name) or ()
        if isinstance(row, Mapping) and row.get("symbol") == symbol
    ]
    # One that is announced for next week must not be taken for the one that was booked today.
    nearest = min(
        rows, key=lambda row: abs(_instant(row, "ex_date", "process_date").date() - day), default={}
    )
    ratio = _ratio(nearest, "new_rate", "old_rate")
    return (ratio.numerator, ratio.denominator) if ratio else (0, 0)


def _ratio(raw: Mapping[str, Any], new: str, old: str) -> Fraction | None:
    if raw.get(new) in (None, "") or raw.get(old) in (None, ""):
        return None
    try:
        ratio = Fraction(str(number_of(raw, new))) / Fraction(str(number_of(raw, old)))
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 else None


def _instant(raw: Mapping[str, Any], *names: str) -> datetime:
    told = text_of(raw, first_told(raw, *names))
    return parse_instant(f"{told}T00:00:00Z" if len(told) == _DAY_LENGTH else told)


def _description(raw: Mapping[str, Any]) -> str:
    names = ("symbol", "old_symbol", "new_symbol", "description")
    return " ".join(str(raw[name]) for name in names if raw.get(name))
