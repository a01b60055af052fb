"""Strategies: bars and parameters in, signals out. :mod:`pipeline.strategies.registry` names them."""
