"""Marketday: operates trading strategies through the market day. Works without Prefect."""
