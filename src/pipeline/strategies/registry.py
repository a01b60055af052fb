"""Strategies by the name a configuration gives them. A new one is a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from pipeline.domain.money import to_ppm
from pipeline.domain.signals import Strategy
from pipeline.errors import ConfigurationError
from pipeline.strategies.crossover import Crossover

Parameters = Mapping[str, object]
Builder = Callable[[str, Parameters], Strategy]


def build_strategy(kind: str, name: str, params: Parameters) -> Strategy:
    """Return the strategy ``kind`` under the name ``name``.

    Raises:
        ConfigurationError: unknown kind, unknown or missing parameter, or a value out of range.
    """
    builder = STRATEGIES.get(kind)
    if builder is None:
        near = get_close_matches(kind, STRATEGIES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(STRATEGIES))}"
        raise ConfigurationError("strategies.type", kind, hint)
    try:
        return builder(name, params)
    except ValueError as error:
        raise ConfigurationError(f"strategies.{name}.params", dict(params), str(error)) from error


def _momentum(name: str, params: Parameters) -> Strategy:
    _refuse_unknown(name, params, {"fast_period", "slow_period", "signal_threshold"})
    return Crossover(
        name,
        _bars(name, params, "fast_period"),
        _bars(name, params, "slow_period"),
        to_ppm(_number(name, params, "signal_threshold", 0)),
    )


def _moving_average(name: str, params: Parameters) -> Strategy:
    _refuse_unknown(name, params, {"short_window", "long_window", "use_ml"})
    if params.get("use_ml", False):
        raise ConfigurationError(
            f"strategies.{name}.params.use_ml", True, "no trained model is installed; set use_ml: false"
        )
    return Crossover(name, _bars(name, params, "short_window"), _bars(name, params, "long_window"))


def _refuse_unknown(name: str, params: Parameters, known: set[str]) -> None:
    for key in params:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise ConfigurationError(f"strategies.{name}.params.{key}", params[key], hint)


def _bars(name: str, params: Parameters, key: str) -> int:
    value = params.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10_000:
        raise ConfigurationError(
            f"strategies.{name}.params.{key}", value, "give a whole number of bars, 1 to 10000"
        )
    return value


def _number(name: str, params: Parameters, key: str, default: float) -> int | float:
    value = params.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ConfigurationError(f"strategies.{name}.params.{key}", value, "give a fraction, 0 to below 1")
    return value


STRATEGIES: dict[str, Builder] = {"momentum": _momentum, "moving_average": _moving_average}
