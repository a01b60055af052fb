"""YAML as people mean it, layers, and environment variables."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings.documents import Document, read_document, read_text
from pipeline.settings.layers import expanded, merged, overridden
from pipeline.settings.values import Unset

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def test_times_words_and_numbers_are_what_they_look_like() -> None:
    """YAML 1.1 would read 960, True, False, 8, and a date object."""
    text = (
        "{t: 16:00, on: off, yes: no, n: 010, d: 2026-12-31, s: [ON, Y, T], e: 1e-9, i: 1_000, x: 0x10, z: ~}"
    )

    assert read_text(text, "x").values == {
        "t": "16:00",
        "on": "off",
        "yes": "no",
        "n": "010",
        "d": "2026-12-31",
        "s": ["ON", "Y", "T"],
        "e": 1e-9,
        "i": 1000,
        "x": "0x10",
        "z": None,
    }
    assert read_text("{a: true, b: FALSE, c: .inf}", "x").values == {"a": True, "b": False, "c": math.inf}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: stands twice, first in line 1; remove one"),
        ("a:\n\tb: 1\n", "f.yaml:2: document: indent with spaces, never with tabs"),
        (BOMB, "its anchors and aliases unfold without end"),
        ("a: &a\n  b: *a\n", "unfold without end"),
        ("a: " + "[" * 60 + "]" * 60, "unfold without end"),
        ("[" * 5000, "nested deeper"),
        ("a: !!python/object/apply:os.system [ls]\n", "is not allowed; write plain values"),
        ("base: &b {x: 1}\nover:\n  <<: *b\n", "merge keys are not read"),
        ("true: 1\n", "the key True is not text; put it in quotes"),
        ("- a\n", "must be a mapping of keys"),
        ("a: [1, 2\nb: 3\n", "f.yaml:2"),
        ("a: \x00", "is not YAML text"),
        ("a: 1\n---\na: 2\n", "is not valid YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_one_sentence_with_a_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_text(text, "f.yaml")

    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_file_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "rehearsal.yaml").write_text("a: 1")

    with pytest.raises(ConfigurationError, match=r"there is no such file; in .* there are: rehearsal\.yaml"):
        read_document(tmp_path / "rehersal.yaml")
    with pytest.raises(ConfigurationError, match="is a folder"):
        read_document(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_document(tmp_path / "latin.yaml")


def test_mappings_merge_and_everything_else_is_replaced() -> None:
    base = read_text("a: {x: 1, y: [1, 2]}\nb: 2\n", "base")
    over = read_text("\n\na:\n  y: [3]\n  z: null\n", "over")

    both = merged(base, over)

    assert both.values == {"a": {"x": 1, "y": [3], "z": None}, "b": 2}
    assert (both.where(("a", "x")), both.where(("a", "y", 0))) == ("base:1", "over:4")


def test_an_override_reaches_into_lists_and_makes_blocks() -> None:
    base = read_text("s: [{p: {t: 1}}]\n", "base")

    after = overridden(overridden(base, "s.0.p.t=0.5"), "new.block.weeks_17+=[a, b]")

    assert after.values == {"s": [{"p": {"t": 0.5}}], "new": {"block": {"weeks_17+": ["a", "b"]}}}
    assert base.values == {"s": [{"p": {"t": 1}}]}


@pytest.mark.parametrize("override", ["a.b", "=1", "a..b=1", "s.1=2", "s.x=2", "a=[1"])
def test_an_override_that_means_nothing_is_refused(override: str) -> None:
    with pytest.raises(ConfigurationError):
        overridden(read_text("s: [1]\n", "base"), override)


def test_variables_are_put_in_after_parsing_so_a_value_is_never_yaml() -> None:
    text = "a: ${A}\nb: x-${B:-dflt}-$${A}\nc: ${BLANK:-d}\nd: ${NONE}\ne: a $5 bill\n"
    document = expanded(read_text(text, "f"), {"A": "{x: [1]}\n", "BLANK": " \t", "NONE": ""})

    assert document.values["a"] == "{x: [1]}"
    assert document.values["b"] == "x-dflt-${A}"
    assert document.values["c"] == "d"
    assert document.values["d"] == Unset("NONE", "d", "f:4")
    assert document.values["e"] == "a $5 bill"
    assert str(document.values["d"].error()) == (
        "f:4: d: the environment variable NONE is not set, or empty; set it (`export NONE=…`) "
        "or write a default: ${NONE:-…}"
    )


def test_a_variable_that_holds_a_reference_was_never_put_in() -> None:
    """A deployment tool that forgot to fill its template: the key names the variable and not its value."""
    with pytest.raises(ConfigurationError) as caught:
        expanded(read_text("a: {b: '${KEY}'}", "f"), {"KEY": "${vault:secret}"})

    assert str(caught.value) == (
        "f:1: a.b: the environment variable KEY holds a reference itself; set it to the value"
    )


@pytest.mark.parametrize("value", ["${", "${1X}", "${A", "${A-b}", "${}"])
def test_a_broken_reference_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a reference"):
        expanded(Document({"a": value}), {"A": "x"})
