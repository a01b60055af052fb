"""Whatever a person mistypes is refused, or stays within the caps (FAULTS F90, F91)."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.settings.caps import HARD_CAPS
from pipeline.settings.documents import Document, KeyPath, read_document, read_text
from pipeline.settings.effective import risk_limits
from pipeline.settings.layers import expanded, merged
from pipeline.settings.validation import validated
from tests.unit.settings.conftest import BASE
from tests.unit.settings.test_effective import SECTIONS

PPM = 1_000_000
VALID = merged(read_document(BASE), read_text(SECTIONS, "sections"))


def _paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, Mapping):
        return [
            found for key, inner in value.items() for found in [(*path, key), *_paths(inner, (*path, key))]
        ]
    if isinstance(value, list):
        return [found for index, inner in enumerate(value) for found in _paths(inner, (*path, index))]
    return []


def _changed(value: Any, path: KeyPath, key: str, new: Any) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_changed(item, rest, key, new) if index == head else item for index, item in enumerate(value)]
    if rest:
        return {
            name: _changed(inner, rest, key, new) if name == head else inner for name, inner in value.items()
        }
    return {key if name == head else name: new if name == head else inner for name, inner in value.items()}


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value[part]
    return value


KEYS = _paths(VALID.values)
FRACTIONS = [path for path in KEYS if isinstance(_at(VALID.values, path), float) and "params" not in path]
JUNK = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(10**6), 10**12),
    st.just(10**400),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["2%", "0.02", "16:00", "on", "yes", "1e-9", "٢", "-0"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def _limits_or_refusal(document: Mapping[str, Any]) -> ConfigurationError | None:
    try:
        limits = risk_limits(validated(expanded(Document(document), {})))
    except ConfigurationError as error:
        return error
    shares = (limits.position_size, limits.max_exposure, limits.price_collar, limits.ladder.cautious_size)
    rungs = [rung for rung in astuple(limits.ladder)[:8] if rung is not None]
    assert all(0 < share <= PPM for share in (*shares, *limits.ladder.resume_ramp))
    assert all(0 < rung < PPM for rung in rungs)
    assert 0 <= limits.min_cash <= PPM
    for name, cap in HARD_CAPS.items():
        value = getattr(limits, name, None) or getattr(limits.ladder, name, None)
        assert value is None or 0 < value <= cap, name
    assert limits.stop_loss is None or 0 < limits.stop_loss < PPM
    assert PPM <= limits.max_leverage <= 4 * PPM
    assert limits.max_positions >= 1
    return None


@settings(max_examples=1_000, deadline=None)
@given(path=st.sampled_from(KEYS), new=JUNK)
def test_any_value_in_any_place_is_refused_or_within_the_caps(path: KeyPath, new: Any) -> None:
    refusal = _limits_or_refusal(_changed(VALID.values, path, str(path[-1]), new))

    assert refusal is None or (refusal.key and refusal.remedy)


@settings(max_examples=100, deadline=None)
@given(path=st.sampled_from(FRACTIONS), factor=st.sampled_from([100, 10_000, -1, 0]))
def test_a_fraction_in_percent_in_basis_points_negative_or_zero_is_refused(
    path: KeyPath, factor: int
) -> None:
    """That includes signed losses, whose sign is the other way round; only "keep no cash" is a zero."""
    assume(factor or path[-1] != "min_cash_pct")
    value = _at(VALID.values, path) * factor

    assert _limits_or_refusal(_changed(VALID.values, path, str(path[-1]), value)) is not None


@settings(max_examples=200, deadline=None)
@given(path=st.sampled_from(KEYS), at=st.integers(0, 40), letter=st.sampled_from(string.ascii_lowercase))
def test_a_mistyped_key_is_refused_and_named(path: KeyPath, at: int, letter: str) -> None:
    name = str(path[-1])
    wrong = f"{name[: at % len(name)]}{letter}q{name[at % len(name) :]}"

    refusal = _limits_or_refusal(_changed(VALID.values, path, wrong, _at(VALID.values, path)))

    assert refusal is not None
    assert wrong in str(refusal)
