"""The documentation says what is there: alerts, flows, verbs, working links, examples that load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pipeline.cli.main  # noqa: F401 - fills VERBS
from pipeline.cli.group import VERBS, load
from pipeline.domain.alert_catalogue import CATALOGUE
from pipeline.settings.loading import read_settings

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
HANDBOOK = DOCS / "handbook.md"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
FLOWS = {path.stem.replace("_", "-") for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__"}

ALERT_ROW = re.compile(r"^\| `(?P<event>\w+)` \| (?P<severity>[A-Z]+) \|", re.MULTILINE)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[`(] ?|\s{4})marketday (?P<words>[a-z][^`#\n|)]*)", re.MULTILINE)
OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]+")
NOT_RAISED = "**not raised by this version**"
LARGEST_PICTURE = 400_000


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = HEADING.findall(without_code(page.read_text("utf-8")))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text) for text in headings)
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in plain}


def commands() -> list[tuple[str, list[str]]]:
    """Return every `marketday …` of the documentation as (page, words)."""
    return [
        (page.relative_to(ROOT).as_posix(), match["words"].split())
        for page in PAGES
        for match in COMMAND.finditer(page.read_text("utf-8"))
    ]


def test_every_alert_has_a_row_in_the_handbook_with_its_severity() -> None:
    rows = ALERT_ROW.findall(HANDBOOK.read_text("utf-8"))

    assert sorted(rows) == sorted((entry.event, entry.severity.upper()) for entry in CATALOGUE.values())


def test_alerts_the_handbook_calls_not_raised_are_named_by_no_code() -> None:
    """When one of them is raised at last, its row moves up to the others and says what to do."""
    quiet = HANDBOOK.read_text("utf-8").split(NOT_RAISED)[1].split("###")[0]
    code = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "src" / "pipeline").rglob("*.py")
        if path.name != "alert_catalogue.py"
    )

    assert [event for event, _ in ALERT_ROW.findall(quiet) if f'"{event}"' in code] == []


def test_every_flow_has_a_page_and_a_line_in_the_list() -> None:
    pages = {path.stem for path in (DOCS / "flows").glob("*.md") if path.stem != "README"}
    listed = set(
        re.findall(r"^\| \[([a-z-]+)\]", (DOCS / "flows" / "README.md").read_text("utf-8"), re.MULTILINE)
    )

    assert pages == FLOWS == listed


def test_every_verb_that_is_mentioned_exists() -> None:
    assert [(page, words[0]) for page, words in commands() if words[0] not in VERBS] == []


def test_every_verb_is_mentioned_in_the_readme_or_the_handbook() -> None:
    text = (ROOT / "README.md").read_text("utf-8") + HANDBOOK.read_text("utf-8")

    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", text)] == []


def test_every_option_and_word_after_a_verb_exists() -> None:
    """`marketday store verify --home …`: the group has that command, and the command that option."""
    wrong = []
    for page, words in commands():
        command: Any = load(words[0])
        if hasattr(command, "commands") and len(words) > 1:
            command = command.commands.get(words[1], command)
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        wrong += [
            (page, words[0], option) for option in OPTION.findall(" ".join(words)) if option not in known
        ]

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_inside_the_documentation_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(without_code(page.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)

    assert broken == []


def test_pictures_are_small_and_shown_somewhere() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = sorted((DOCS / "pictures").iterdir())

    assert pictures
    assert [
        path.name for path in pictures if path.stat().st_size > LARGEST_PICTURE or path.name not in text
    ] == []


def test_the_configuration_of_the_page_loads_as_it_stands(tmp_path: Path) -> None:
    block = (DOCS / "configuration.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    own = tmp_path / "my.yaml"
    own.write_text(block, "utf-8")

    settings = read_settings([own], environ={})

    assert settings.data.symbols == ("SPY", "IWM")
    assert [strategy.name for strategy in settings.strategies] == ["My_Momentum"]


def test_the_readme_is_short_and_begins_with_what_it_is_and_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()

    assert len(lines) <= 200
    first_screen = "\n".join(lines[:12])
    assert all(
        part in first_screen for part in ("docs/pictures/session-report.png", "make demo", "make test")
    )
