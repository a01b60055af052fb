"""docs/strategies.md: its parameters exist, its example works, its output is what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.strategies.parameters import Kind
from pipeline.strategies.registry import STRATEGIES, build_strategy
from tests.cli.homes import marketday
from tests.unit.strategies.offering import Shelf

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "strategies.md").read_text("utf-8")
EXAMPLE = PAGE.split("```python\n")[1].split("```")[0]
OUTPUTS = [
    block for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "CHECK" in block
]


def lasting(text: str) -> list[str]:
    """Return the lines that no machine changes: all but rules and times."""
    return [" ".join(line.split()) for line in text.splitlines() if "─" not in line and "µs" not in line]


def test_every_strategy_and_parameter_is_on_the_page() -> None:
    words = set(re.findall(r"`(\w+)[`:]", PAGE))
    named = {name for kind in STRATEGIES.values() if isinstance(kind, Kind) for name in kind.examples}

    assert named | set(STRATEGIES) <= words


@pytest.mark.parametrize(("name", "at"), [("momentum", 0), ("breakout", 1)])
def test_the_output_on_the_page_is_what_the_command_prints(shelf: Shelf, name: str, at: int) -> None:
    shelf.put("acme_breakout", {"breakout": "BREAKOUT"}, EXAMPLE)

    result = marketday("strategy", "check", name, columns=160)

    assert result.exit_code == 0
    assert lasting(result.stdout) == lasting(OUTPUTS[at])


def test_the_mistake_on_the_page_is_found_as_it_says(shelf: Shelf) -> None:
    wrong = EXAMPLE.replace("self.channel + 1", "self.channel").replace("bars[-self.lookback :]", "bars")
    shelf.put("acme_breakout", {"breakout": "BREAKOUT"}, wrong)

    result = marketday("strategy", "check", "breakout", columns=160)

    assert result.exit_code == 1
    assert lasting(result.stdout)[2:] == lasting(OUTPUTS[2])


def test_the_example_decides_as_it_says(shelf: Shelf) -> None:
    shelf.put("acme_breakout", {"breakout": "BREAKOUT"}, EXAMPLE)

    assert build_strategy("breakout", "mine", {"channel": 20}).lookback == 21
