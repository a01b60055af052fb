"""The document the rehearsal exchange is started with (read strictly by ``pipeline.exchange.config``)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pipeline.domain.money import money_decimal, to_ppm
from pipeline.settings.effective import initial_cash
from pipeline.settings.models.rehearsal import RehearsalSymbol
from pipeline.settings.models.root import Settings


def exchange_document(settings: Settings, session_table_path: Path, first_session: date) -> dict[str, Any]:
    """Return the exchange's configuration as data for JSON.

    Args:
        session_table_path: where the cached session table lies.
        first_session: the first day the exchange trades; it must be a session.
    """
    rehearsal = settings.rehearsal
    costs = rehearsal.costs
    return {
        "seed": rehearsal.seed,
        "session_table": str(session_table_path.absolute()),
        "first_session": first_session.isoformat(),
        "market": _market(settings),
        "account_number": rehearsal.account_number,
        "cash": str(money_decimal(initial_cash(settings))),
        "fees": {"per_share": str(costs.fee_per_share), "sell_ppm": to_ppm(costs.sell_fee_pct)},
        "half_spread_ppm": to_ppm(costs.half_spread_pct),
        "slippage_ppm": to_ppm(costs.slippage_pct),
        "participation_ppm": to_ppm(costs.participation_pct),
    }


def _market(settings: Settings) -> dict[str, Any]:
    rehearsal = settings.rehearsal
    profiles = {symbol: RehearsalSymbol() for symbol in settings.data.symbols} | dict(rehearsal.symbols)
    if rehearsal.file is None:
        return {"kind": "synthetic", "symbols": {name: _profile(found) for name, found in profiles.items()}}
    listed = {
        name: {key: value for key, value in _profile(found).items() if key in ("fractionable", "listing")}
        for name, found in rehearsal.symbols.items()
    }
    return {
        "kind": "recorded",
        "file": str(Path(rehearsal.file).absolute()),
        "timezone": rehearsal.file_timezone,
        "symbols": listed,
    }


def _profile(found: RehearsalSymbol) -> dict[str, Any]:
    return found.model_dump(mode="json") | {"price": str(found.price)}
