from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.strategies.crossover import Crossover
from pipeline.strategies.registry import build_strategy

MOMENTUM = {"fast_period": 10, "slow_period": 30, "signal_threshold": 0.025}
AVERAGES = {"short_window": 5, "long_window": 20, "use_ml": False}


def test_the_seed_strategies_are_built() -> None:
    assert build_strategy("momentum", "live", MOMENTUM) == Crossover("live", 10, 30, 25_000)
    assert build_strategy("moving_average", "ma", AVERAGES) == Crossover("ma", 5, 20)


@pytest.mark.parametrize(
    ("kind", "params", "key", "value", "remedy"),
    [
        ("momentun", MOMENTUM, "strategies.type", "momentun", "did you mean 'momentum'?"),
        ("xyz", MOMENTUM, "strategies.type", "xyz", "known: momentum, moving_average"),
        ("momentum", MOMENTUM | {"fast_perod": 3}, "fast_perod", 3, "did you mean 'fast_period'?"),
        ("momentum", {"fast_period": 3}, "slow_period", None, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": "10"}, "fast_period", "10", "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": True}, "fast_period", True, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": 2.0}, "fast_period", 2.0, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": 0}, "fast_period", 0, "whole number of bars"),
        ("momentum", MOMENTUM | {"slow_period": 10_001}, "slow_period", 10_001, "1 to 10000"),
        ("momentum", MOMENTUM | {"signal_threshold": 1}, "signal_threshold", 1, "fraction"),
        ("momentum", MOMENTUM | {"signal_threshold": -0.01}, "signal_threshold", -0.01, "fraction"),
        ("momentum", MOMENTUM | {"signal_threshold": "2%"}, "signal_threshold", "2%", "fraction"),
        ("moving_average", AVERAGES | {"use_ml": True}, "use_ml", True, "set use_ml: false"),
        (
            "moving_average",
            AVERAGES | {"short_window": 20},
            "params",
            None,
            "must be shorter than the slow 20",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_the_remedy(
    kind: str, params: dict[str, object], key: str, value: object, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_strategy(kind, "live", params)

    assert caught.value.key.endswith(key)
    assert caught.value.value == (params if key == "params" else value)
    assert remedy in caught.value.remedy


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fraction"):
        build_strategy("momentum", "live", MOMENTUM | {"signal_threshold": float("nan")})
