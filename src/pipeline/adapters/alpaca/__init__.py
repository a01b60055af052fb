"""Alpaca: orders, market data and trade updates through alpaca-py.

Importing this package imports neither alpaca-py nor an HTTP library; opening a client does.
"""

from __future__ import annotations

from pipeline.adapters.alpaca.account import AlpacaSettings, check_endpoints, verify_account
from pipeline.adapters.alpaca.broker import AlpacaBroker
from pipeline.adapters.alpaca.market_data import AlpacaMarketData
from pipeline.adapters.alpaca.stream import TradeUpdates

__all__ = [
    "AlpacaBroker",
    "AlpacaMarketData",
    "AlpacaSettings",
    "TradeUpdates",
    "check_endpoints",
    "verify_account",
]
