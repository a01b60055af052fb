"""Research: the decision code of live trading, run over history. Values in, values out; no clock, no disk."""
