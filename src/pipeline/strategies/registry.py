"""Strategies by the name a configuration gives them. Ours are lines here; users' are entry points."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.money import PPM, fraction_decimal
from pipeline.domain.signals import Strategy
from pipeline.errors import ConfigurationError
from pipeline.strategies.crossover import Crossover
from pipeline.strategies.parameters import (
    Bars,
    Kind,
    Number,
    Off,
    Parameter,
    Parameters,
    Values,
    did_you_mean,
    refused,
)
from pipeline.strategies.plugins import find_plugin, plugins
from pipeline.strategies.reversion import MeanReversion

Builder = Callable[[str, Parameters], Strategy]
"""Takes the configured name and the parameters as written."""


def find_builder(kind: str) -> Builder:
    """Return what builds strategies of ``kind``: one of ours, or else a plug-in.

    Raises:
        ConfigurationError: nobody offers it, two plug-ins do, or the plug-in cannot be loaded.
    """
    if kind in STRATEGIES:
        return STRATEGIES[kind]
    plugin = find_plugin(kind)
    if plugin is None:
        known = [*STRATEGIES, *(found.name for found in plugins())]
        raise ConfigurationError("strategies.type", kind, did_you_mean(kind, known))
    return plugin.load()


def build_strategy(kind: str, name: str, params: Parameters) -> Strategy:
    """Return the strategy ``kind`` under the name ``name``.

    Raises:
        ConfigurationError: unknown kind, unknown or missing parameter, a value out of range, or a plug-in
            that is broken.
    """
    builder = find_builder(kind)
    try:
        return builder(name, params)
    except ValueError as error:
        raise ConfigurationError(f"strategies.{name}.params", dict(params), str(error)) from error


def _momentum(name: str, values: Values) -> Strategy:
    _ordered(name, values, "fast_period", "slow_period")
    return Crossover(name, values["fast_period"], values["slow_period"], values["signal_threshold"])


def _moving_average(name: str, values: Values) -> Strategy:
    _ordered(name, values, "short_window", "long_window")
    return Crossover(name, values["short_window"], values["long_window"])


def _mean_reversion(name: str, values: Values) -> Strategy:
    window, entry, leave = values["window"], values["entry_z"], values["exit_z"]
    if leave >= entry:
        raise refused(name, "exit_z", _plain(leave), f"must be below entry_z, which is {_plain(entry)}")
    if entry * entry > (window - 1) * PPM * PPM:
        enough = -(-entry * entry // (PPM * PPM)) + 1
        remedy = f"no close is ever that far from the mean of {window}; lower it, or give window: {enough}"
        raise refused(name, "entry_z", _plain(entry), remedy)
    return MeanReversion(name, window, entry, leave)


def _ordered(name: str, values: Values, short: str, long: str) -> None:
    if values[short] >= values[long]:
        raise refused(name, short, values[short], f"must be shorter than {long}, which is {values[long]}")


def _plain(ppm: int) -> float:
    return float(fraction_decimal(ppm))


_NO_MODEL = "no trained model is installed; set use_ml: false"

STRATEGIES: dict[str, Builder] = {
    "mean_reversion": Kind(
        "Buys a close far below its mean, sells when it is back.",
        (
            Parameter("window", "closes that make the mean", Bars(3), 20),
            Parameter("entry_z", "deviations below it that buy", Number("number", 0, 100), 2.0, 2.0),
            Parameter("exit_z", "deviations below it that sell", Number("number", 0, 100), 0.0, 0.0),
        ),
        _mean_reversion,
    ),
    "momentum": Kind(
        "Buys when a fast average rises above a slow one by a threshold.",
        (
            Parameter("fast_period", "closes in the fast average", Bars(), 12),
            Parameter("slow_period", "closes in the slow average", Bars(), 28),
            Parameter("signal_threshold", "distance that counts", Number("fraction"), 0.025, 0),
        ),
        _momentum,
    ),
    "moving_average": Kind(
        "Buys when a short average rises above a long one.",
        (
            Parameter("short_window", "closes in the short average", Bars(), 10),
            Parameter("long_window", "closes in the long average", Bars(), 30),
            Parameter("use_ml", "confirm by a trained model", Off(_NO_MODEL), False, False),
        ),
        _moving_average,
    ),
}
