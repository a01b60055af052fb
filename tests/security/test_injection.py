"""Text from outside stays text: in paths, in SQL, in Slack, in shell lines, in what is loaded from disk."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.slack import slack_blocks, slack_text
from pipeline.cli.access import login_file, write_shell_file
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.market import SYMBOL, Timeframe
from pipeline.errors import ConfigurationError, UsageError
from pipeline.settings.loading import read_settings
from pipeline.wiring.desks import FileLock
from tests.operations.desks import CHECKOUT, CONFIG
from tests.unit.store.script import two_days
from tests.unit.store.test_bars import START, a_bar

SOURCES = [path for folder in ("src", "flows", "tasks") for path in (CHECKOUT / folder).rglob("*.py")]
HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "../../etc/passwd",
            "SPY'; DROP TABLE fills; --",
            'SPY" OR 1=1',
            "<!channel> <https://evil|here>",
            "@channel &amp; <@U123>",
            "$(rm -rf ~)",
            "SPY\n",
            "SPY\0",
            "spy",
            "",
        ]
    ),
)


@given(text=HOSTILE)
def test_a_symbol_is_letters_digits_dot_and_dash_or_it_is_refused(text: str) -> None:
    """No separator, quote, space, newline or control character passes."""
    allowed = set(string.ascii_uppercase + string.digits + ".-")

    if SYMBOL.fullmatch(text):
        assert set(text) <= allowed
        assert text[0] in string.ascii_uppercase
        assert len(text) <= 10


@pytest.mark.parametrize("symbol", ["../SPY", "SPY'; DROP TABLE fills", "spy", "SPY GLD", "A" * 11, "SPY\\n"])
def test_a_configuration_with_another_symbol_is_refused_by_name(symbol: str) -> None:
    """It names paths, order ids and rows later on: it is checked where it comes in."""
    files = [CONFIG / "live_momentum_strategy.yaml", CONFIG / "rehearsal.yaml"]

    with pytest.raises(ConfigurationError, match=r"data\.symbols"):
        read_settings(files, [f'data.symbols=["{symbol}"]'])


@given(text=HOSTILE)
def test_nothing_in_an_alert_becomes_a_mention_a_link_or_markup(text: str) -> None:
    """Title, sentence, field's name and value: every bracket and at-sign is broken."""
    found = alert("order_rejected", text, text, START, "SIM", (text or "x", text))
    shown = [slack_text(found)]
    for block in slack_blocks(found):
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        shown += [part["text"] for part in parts if part]

    for one in shown:
        assert "<" not in one
        assert ">" not in one
        assert not re.search(r"@(here|channel|everyone)", one)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(text=HOSTILE)
def test_a_value_never_becomes_sql(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever is asked for, the tables stand and the answer is rows of that very value: here none."""
    if STORE.get("store") is None:
        folder = tmp_path_factory.mktemp("store")
        STORE["store"] = DuckStore(folder / "store.duckdb", FileLock(folder / "store.lock"))
        STORE["store"].project(two_days())
        STORE["store"].record_bars([a_bar("SPY")], Timeframe.ONE_MINUTE)
    store = STORE["store"]
    if "\0" in text or any(0xD800 <= ord(one) <= 0xDFFF for one in text):
        return  # not a text that a journal of UTF-8 lines can hold
    rows = store.query("SELECT count(*) AS n FROM fills WHERE symbol = ?", [text])
    bars = store.load_bars([text], Timeframe.ONE_MINUTE, START, START)

    assert rows == ({"n": 0},)
    assert bars == {text: []}
    assert store.query("SELECT count(*) AS n FROM bars")[0]["n"] == 1


STORE: dict[str, DuckStore] = {}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SELECT * FROM 'file.csv'",
        "SELECT 1; DELETE FROM fills",
        "PRAGMA enable_external_access=true; SELECT 1",
        "SET enable_external_access = true",
    ],
)
def test_a_query_reads_tables_and_no_file_and_changes_nothing(tmp_path: Path, statement: str) -> None:
    """`marketday store query` is for people, and for what people paste into it."""
    store = DuckStore(tmp_path / "store.duckdb", FileLock(tmp_path / "store.lock"))
    store.project(two_days())

    with pytest.raises(UsageError, match="refused"):
        store.query(statement)
    assert store.verify(two_days()).ok


def test_a_homes_name_stays_a_name_in_the_lines_for_a_shell(tmp_path: Path) -> None:
    """`eval "$(marketday env)"` runs what is printed: a quote in a folder's name ends no string."""
    import subprocess

    home = tmp_path / "it's $(touch owned) `touch owned`"
    (home / "prefect").mkdir(parents=True)
    login_file(home).write_text("marketday:word\n")
    path = write_shell_file(home, "http://127.0.0.1:4200")
    said = subprocess.run(
        ["bash", "-c", f'{path.read_text()}\necho "$PREFECT_API_AUTH_STRING|$PREFECT_HOME"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == f"marketday:word|{home / 'prefect'}\n"
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_nothing_is_executed_that_was_loaded(path: Path) -> None:
    """No pickle, marshal, shelve, eval, exec, unsafe YAML, or shell: what lies on disk is data."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([one.name for one in node.names] + [getattr(node, "module", "") or ""])
    }
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    shells = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and getattr(node.value, "value", False)
    ]
    unsafe = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("unsafe_load", "full_load", "UnsafeLoader", "FullLoader")
    }

    assert not imported & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
    assert not called & {"eval", "exec", "compile", "__import__"}
    assert shells == []
    assert unsafe == set()
