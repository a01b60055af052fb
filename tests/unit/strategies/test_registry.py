from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.strategies.crossover import Crossover
from pipeline.strategies.parameters import Bars, Number
from pipeline.strategies.registry import build_strategy
from pipeline.strategies.reversion import MeanReversion

MOMENTUM: dict[str, object] = {"fast_period": 10, "slow_period": 30, "signal_threshold": 0.025}
AVERAGES: dict[str, object] = {"short_window": 5, "long_window": 20, "use_ml": False}
REVERSION: dict[str, object] = {"window": 20, "entry_z": 2.0, "exit_z": 0.5}


def test_the_strategies_are_built_from_what_is_written() -> None:
    assert build_strategy("momentum", "live", MOMENTUM) == Crossover("live", 10, 30, 25_000)
    assert build_strategy("moving_average", "ma", AVERAGES) == Crossover("ma", 5, 20)
    assert build_strategy("mean_reversion", "mr", REVERSION) == MeanReversion("mr", 20, 2_000_000, 500_000)


def test_what_is_left_out_has_its_default() -> None:
    assert build_strategy("momentum", "m", {"fast_period": 2, "slow_period": 3}) == Crossover("m", 2, 3, 0)
    assert build_strategy("mean_reversion", "m", {"window": 9}) == MeanReversion("m", 9, 2_000_000, 0)


@pytest.mark.parametrize(
    ("kind", "params", "key", "value", "remedy"),
    [
        ("momentun", MOMENTUM, "strategies.type", "momentun", "did you mean 'momentum'?"),
        ("xyz", MOMENTUM, "strategies.type", "xyz", "known: mean_reversion, momentum, moving_average"),
        ("momentum", MOMENTUM | {"fast_perod": 3}, "fast_perod", 3, "did you mean 'fast_period'?"),
        ("momentum", {"fast_period": 3}, "slow_period", None, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": "10"}, "fast_period", "10", "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": True}, "fast_period", True, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": 2.0}, "fast_period", 2.0, "whole number of bars"),
        ("momentum", MOMENTUM | {"fast_period": 0}, "fast_period", 0, "whole number of bars"),
        ("momentum", MOMENTUM | {"slow_period": 10_001}, "slow_period", 10_001, "1 to 10000"),
        (
            "momentum",
            MOMENTUM | {"fast_period": 30},
            "fast_period",
            30,
            "shorter than slow_period, which is 30",
        ),
        ("momentum", MOMENTUM | {"signal_threshold": 1}, "signal_threshold", 1, "fraction"),
        ("momentum", MOMENTUM | {"signal_threshold": -0.01}, "signal_threshold", -0.01, "fraction"),
        ("momentum", MOMENTUM | {"signal_threshold": "2%"}, "signal_threshold", "2%", "fraction"),
        ("momentum", MOMENTUM | {"signal_threshold": 1e-7}, "signal_threshold", 1e-7, "at most six decimals"),
        ("moving_average", AVERAGES | {"use_ml": True}, "use_ml", True, "set use_ml: false"),
        ("moving_average", AVERAGES | {"use_ml": 0}, "use_ml", 0, "true or false"),
        ("moving_average", AVERAGES | {"short_window": 20}, "short_window", 20, "long_window, which is 20"),
        ("mean_reversion", REVERSION | {"window": 2}, "window", 2, "3 to 10000"),
        ("mean_reversion", REVERSION | {"exit_z": 2.0}, "exit_z", 2.0, "below entry_z, which is 2.0"),
        ("mean_reversion", REVERSION | {"entry_z": 4.5}, "entry_z", 4.5, "or give window: 22"),
        ("mean_reversion", REVERSION | {"window": 4}, "entry_z", 2.0, "or give window: 5"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_the_remedy(
    kind: str, params: dict[str, object], key: str, value: object, remedy: str
) -> None:
    """Of 4.5 deviations: 4.5² = 20.25, and n closes reach √(n − 1), so that 22 are needed."""
    with pytest.raises(ConfigurationError) as caught:
        build_strategy(kind, "live", params)

    assert caught.value.key.endswith(key)
    assert caught.value.value == value
    assert remedy in caught.value.remedy


def test_the_window_that_a_remedy_names_is_enough() -> None:
    build_strategy("mean_reversion", "m", {"window": 22, "entry_z": 4.5})
    build_strategy("mean_reversion", "m", {"window": 5, "entry_z": 2.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ConfigurationError, match="fraction"):
        build_strategy("momentum", "live", MOMENTUM | {"signal_threshold": value})


@given(value=st.one_of(st.floats(), st.integers(-3, 3), st.booleans(), st.text(max_size=3), st.none()))
def test_a_number_that_is_accepted_is_exact(value: object) -> None:
    try:
        ppm = Number("fraction").read(value)
    except ValueError:
        return

    assert isinstance(value, int | float)
    assert Fraction(ppm, 1_000_000) == Fraction(Decimal(repr(value)))
    assert 0 <= ppm < 1_000_000


@given(value=st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=3), st.none()))
def test_bars_are_accepted_as_they_are_or_not_at_all(value: object) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000:
        assert Bars().read(value) == value
    else:
        with pytest.raises(ValueError, match="1 to 10000"):
            Bars().read(value)


def test_the_live_path_imports_nothing_heavy_with_the_strategies() -> None:
    """Installed packages are looked through only for a name that is not ours."""
    program = (
        "import sys; from pipeline.strategies.registry import build_strategy;"
        "build_strategy('mean_reversion', 'm', {'window': 20});"
        "print([n for n in ('numpy', 'pandas', 'numba', 'importlib.metadata') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
