"""Every YAML block of the specification loads unchanged, and nothing in it is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.settings.documents import read_text, shown
from pipeline.settings.loading import read_settings
from pipeline.settings.values import Secret, Unset
from tests.unit.settings.conftest import ARMING, BASE, CONFIG

SEEDS = Path(os.environ.get("MARKETDAY_TEST_SEEDS", Path(__file__).parents[4] / "shared" / "seeds"))
DOCUMENT = SEEDS / "000_ee88504211fa0b31.txt"
VARIABLES = {
    "ALPACA_API_KEY": "a key",
    "ALPACA_SECRET_KEY": "a secret",
    "ALPACA_BASE_URL": "https://paper-api.alpaca.markets",
    "IB_USERNAME": "a name",
    "IB_PASSWORD": "a password",
}
SPELT = {"US/Eastern": "America/New_York"}
"""Values that are read as another word for the same thing."""

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason=f"{DOCUMENT} is not there; set MARKETDAY_TEST_SEEDS to the seeds' folder"
)


def blocks() -> list[str]:
    text = DOCUMENT.read_text("utf-8") if DOCUMENT.is_file() else ""
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def found_at(model: object, path: tuple[str | int, ...]) -> object:
    here: Any = model
    for part in path:
        here = getattr(here, str(part)) if isinstance(here, BaseModel) else here[part]
    return here.get_secret_value() if isinstance(here, Secret) else here


@pytest.mark.parametrize("block", blocks(), ids=lambda block: re.findall(r"^(\w+):", block, re.MULTILINE)[-1])
def test_a_block_of_the_specification_loads_unchanged_and_every_value_arrives(
    block: str, tmp_path: Path
) -> None:
    """Whole configurations load alone, parts over the document's own example; live ones are armed."""
    path = tmp_path / "block.yaml"
    path.write_text(block, "utf-8")
    arming = tmp_path / "arming.yaml"
    arming.write_text(ARMING, "utf-8")
    is_whole = "\nstrategies:" in block

    settings = read_settings([path] if is_whole else [BASE, arming, path], environ=VARIABLES)

    for at, written in leaves(read_text(block, "block").values):
        expected = written
        if isinstance(written, str):
            variable = re.fullmatch(r"\$\{(\w+)\}", written)
            expected = VARIABLES[variable[1]] if variable else SPELT.get(written, written)
        assert found_at(settings, at) == expected, shown(at)


def test_the_document_has_all_sixteen_blocks() -> None:
    assert len(blocks()) == 16


def test_the_shipped_files_are_the_documents_own() -> None:
    """They are cut from the specification character by character."""
    shipped = ("live_momentum_strategy", "paper_trading", "small_live_capital", "gradual_scale_up")

    assert all((CONFIG / f"{name}.yaml").read_text("utf-8") in blocks() for name in shipped)


def test_all_blocks_together_load_without_credentials(tmp_path: Path) -> None:
    """What needs no broker works without them; each missing one waits where it stands."""
    paths = []
    for index, block in enumerate(blocks()):
        if 'environment: "live"' not in block and 'interactive_brokers"\n' not in block:
            paths.append(tmp_path / f"{index}.yaml")
            paths[-1].write_text(block, "utf-8")

    settings = read_settings([BASE, *paths], environ={})

    assert isinstance(settings.data.source.api_credentials.base_url, Unset)
