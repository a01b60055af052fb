from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.strategies.crossover import Crossover
from pipeline.strategies.plugins import plugins
from pipeline.strategies.registry import build_strategy
from tests.unit.strategies.offering import Shelf
from tests.unit.strategies.test_crossover import bars_of


def refusal(kind: str, params: dict[str, object]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        build_strategy(kind, "mine", params)
    return caught.value


@pytest.mark.parametrize("attribute", ["KIND", "plain"])
def test_an_installed_strategy_is_built_by_its_name(shelf: Shelf, attribute: str) -> None:
    """A declared kind, or any function: 13 is above the highs of the three bars before it."""
    shelf.put("acme", {"breakout": attribute})

    made = build_strategy("breakout", "mine", {"channel": 3})

    assert (made.name, made.lookback) == ("mine", 4)
    assert made.decide(bars_of([10, 12, 11, 13])).direction == 1
    assert [str(one) for one in plugins()] == [f"the plug-in acme:{attribute} of acme 1.2"]


def test_a_declared_parameter_is_refused_as_ours_are(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "KIND"})

    error = refusal("breakout", {"chanel": 3})

    assert (error.key, error.value) == ("strategies.mine.params.chanel", 3)
    assert error.remedy == "did you mean 'channel'?"


def test_a_plug_in_that_refuses_its_parameters_is_quoted(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "refusing"})

    error = refusal("breakout", {"channel": 4})

    assert (error.key, error.remedy) == ("strategies.mine.params", "channel must be odd")


@pytest.mark.parametrize(
    ("attribute", "source", "problem"),
    [
        ("KIND", "import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("KIND", "KIND = ", "SyntaxError"),
        ("KIND", "1 / 0", "ZeroDivisionError"),
        ("KIND", "", "AttributeError"),
        ("NOTHING", None, "is a int, not a Kind or a function"),
        ("plain", None, "failed on {}: KeyError: 'channel'"),
        ("nothing", None, "made a NoneType without decide(bars)"),
        ("renamed", None, "made a strategy called 'other' instead of 'mine'"),
        ("everlasting", None, "lookback is 0"),
    ],
)
def test_a_broken_plug_in_names_itself_what_is_wrong_and_the_remedy(
    shelf: Shelf, attribute: str, source: str | None, problem: str
) -> None:
    if source is None:
        shelf.put("acme", {"breakout": attribute})
    else:
        shelf.put("acme", {"breakout": attribute}, source)

    error = refusal("breakout", {})

    assert (error.key, error.value) == ("strategies.type", "breakout")
    assert f"the plug-in acme:{attribute} of acme 1.2" in error.remedy
    assert problem in error.remedy
    assert "`pip uninstall acme`" in error.remedy


def test_a_broken_plug_in_hurts_nobody_else(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "KIND"}, "import no_such_library")
    shelf.put("zeta", {"channel": "KIND"})

    assert build_strategy("moving_average", "m", {"short_window": 2, "long_window": 3}) == Crossover(
        "m", 2, 3
    )
    assert build_strategy("channel", "mine", {"channel": 2}).lookback == 3


def test_no_plug_in_takes_the_place_of_one_of_ours(shelf: Shelf) -> None:
    shelf.put("acme", {"momentum": "KIND"})

    assert build_strategy("momentum", "m", {"fast_period": 2, "slow_period": 3}) == Crossover("m", 2, 3)


def test_two_packages_with_one_name_are_both_named(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "KIND"})
    shelf.put("zeta", {"breakout": "KIND"})

    error = refusal("breakout", {"channel": 3})

    assert "acme:KIND of acme 1.2 and the plug-in zeta:KIND of zeta 1.2 have this name" in error.remedy


def test_a_misspelt_plug_in_is_recognised(shelf: Shelf) -> None:
    shelf.put("acme", {"breakout": "KIND"})

    assert refusal("braekout", {}).remedy == "did you mean 'breakout'?"
