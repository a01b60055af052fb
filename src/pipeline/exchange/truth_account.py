"""Changes of how the broker behaves: flags of the account, of assets, and what the clock says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.domain.money import to_money
from pipeline.exchange.bars import SECOND_US
from pipeline.exchange.conditions import AccountFlags, ClockView
from pipeline.exchange.engine import Engine
from pipeline.exchange.fields import Fields, flag, fraction, one_of, positive, text
from pipeline.exchange.truth_money import Act, Outcome

_FLAGS = (
    "account_blocked",
    "trading_blocked",
    "transfers_blocked",
    "trade_suspended_by_user",
    "closing_only",
)
_STATUSES = (
    "ACTIVE",
    "ONBOARDING",
    "SUBMITTED",
    "SUBMISSION_FAILED",
    "ACCOUNT_UPDATED",
    "APPROVAL_PENDING",
    "REJECTED",
)
"""Account statuses of Alpaca's documentation."""

_SKEW = 10.0**7


def _account(fields: Fields) -> Act:
    changed: dict[str, Any] = {name: fields.maybe(name, flag) for name in _FLAGS}
    changed["status"] = fields.maybe("status", one_of(*_STATUSES))
    power = fields.maybe("buying_power", _power)
    reset = fields.take("reset", flag, False)
    changed = {name: value for name, value in changed.items() if value is not None}

    def act(engine: Engine) -> Outcome:
        before = AccountFlags() if reset else engine.conditions.account
        cap = before.buying_power_cap if power is None else power if power >= 0 else None
        engine.conditions.account = replace(before, **changed, buying_power_cap=cap)
        return {}

    return act


def _power(value: Any) -> int:
    """Return a cap, below zero for none."""
    return -1 if value == "" else positive(to_money, 0)(value)


def _asset(fields: Fields) -> Act:
    symbol = fields.take("symbol", text)
    changed: dict[str, Any] = {n: fields.maybe(n, flag) for n in ("tradable", "fractionable", "shortable")}
    changed["status"] = fields.maybe("status", one_of("active", "inactive"))
    reset = fields.take("reset", flag, False)
    changed = {name: value for name, value in changed.items() if value is not None}

    def act(engine: Engine) -> Outcome:
        engine.profile(symbol)
        assets = engine.conditions.assets
        assets[symbol] = ({} if reset else assets.get(symbol, {})) | changed
        return {}

    return act


def _clock(fields: Fields) -> Act:
    skew = fields.take("skew_seconds", fraction(-_SKEW, _SKEW), 0.0)
    view = ClockView(round(skew * SECOND_US), fields.maybe("is_open", flag))

    def act(engine: Engine) -> Outcome:
        engine.conditions.clock = view
        return {}

    return act


READERS: dict[str, Callable[[Fields], Act]] = {"account": _account, "asset": _asset, "clock": _clock}
