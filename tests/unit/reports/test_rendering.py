"""The page and the text: complete, self-contained, safe, and the same numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.adapters.reports import render_html, render_markdown
from pipeline.adapters.reports.svg import round_steps
from pipeline.adapters.slack import slack_blocks
from pipeline.domain.report_alert import report_alert
from pipeline.domain.report_verdict import Level, conclude
from pipeline.domain.reports import Bound, CheckLine, Event, Mismatch, RiskBar, SessionReport
from tests.unit.reports.sample import a_halted_session, a_quiet_session, a_session

GOLDEN = Path(__file__).with_name("session_report.md")
SESSIONS = {"traded": a_session(), "quiet": a_quiet_session(), "halted": a_halted_session()}
HOSTILE = '<script>alert("x")</script> | [link](//evil) <img src=x onerror=y>'


class Outline(HTMLParser):
    """Collects headings and attributes, and fails on a tag that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.badge_first = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.extend((tag, name, value or "") for name, value in attrs)
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.extend((tag, name, value or "") for name, value in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "body" in self.open and data.strip() and not self.badge_first:
            self.badge_first = data.strip()
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    assert parsed.open == []
    return parsed


def hostile_session() -> SessionReport:
    """Return the halted day with markup wherever data comes in."""
    day = a_halted_session()
    return replace(
        day,
        scope=replace(day.scope, account=HOSTILE, symbols=(HOSTILE,), config=HOSTILE),
        strategies=(HOSTILE,),
        trades=tuple(replace(trade, symbol=HOSTILE) for trade in day.trades),
        choices=tuple(replace(choice, reason=HOSTILE, note=HOSTILE, cut=HOSTILE) for choice in day.choices),
        holdings=tuple(replace(held, symbol=HOSTILE) for held in day.holdings),
        states=(Event(day.as_of, HOSTILE, HOSTILE, "critical"),),
        incidents=(Event(day.as_of, HOSTILE, HOSTILE, "critical"),),
        reconciliation=replace(
            day.reconciliation, mismatches=(Mismatch(day.as_of, *[HOSTILE] * 5),)
        ),
        health=replace(day.health, checks=(CheckLine(HOSTILE, HOSTILE, "fail", HOSTILE),)),
        locks=((HOSTILE, HOSTILE),),
    )  # fmt: skip


def test_the_text_is_the_golden_one() -> None:
    """Read it when it changes: `python -m tests.unit.reports.test_rendering` writes it anew."""
    assert render_markdown(a_session()) == GOLDEN.read_text()


@pytest.mark.parametrize("name", SESSIONS)
def test_the_page_is_whole_and_in_the_order_a_desk_reads(name: str) -> None:
    """Badge first; every section stands on every day, also when there is nothing to show."""
    page = render_html(SESSIONS[name])
    parsed = outline(page)

    assert parsed.badge_first == SESSIONS[name].scope.mode
    assert parsed.headings == [
        "Positions",
        "Trades",
        "Decisions",
        "Risk against limits",
        "Incidents",
        "Reconciliation",
        "Data quality",
        "System health",
        "Tomorrow",
    ]
    assert page.count("<svg") == 2


@pytest.mark.parametrize("name", SESSIONS)
def test_the_page_needs_nothing_from_anywhere(name: str) -> None:
    """One file: no address, no script, no style sheet or picture from outside."""
    page = render_html(SESSIONS[name])

    assert not re.search(r"https?:|//\w|@import|url\(|<script|<link|<img|<iframe", page)
    assert not [a for a in outline(page).attributes if a[1] in ("src", "href") or a[1].startswith("on")]


def test_what_comes_from_data_is_only_text() -> None:
    """Markup in symbols, reasons, accounts and evidence reaches neither page, text nor message."""
    page, text = render_html(hostile_session()), render_markdown(hostile_session())
    message = slack_blocks(report_alert(hostile_session(), "reports/x.html"))

    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert outline(page).headings[0] == "Positions"
    assert not re.search(r"(?<!\\)(<script|<img|\[link)", text)
    assert "<script" not in str(message)


def test_a_quiet_day_says_that_nothing_happened() -> None:
    """Nothing crossed, nothing held: clean, a flat chart and no invented number."""
    verdict = conclude(a_quiet_session())
    page = render_html(a_quiet_session())

    assert verdict.level is Level.CLEAN
    assert verdict.headline == "A clean session without trades. Day P&L $0.00 (0.00 %)."
    assert "Nothing was executed." in page
    assert "Flat: nothing is held." in page
    assert "NaN" not in page


def test_a_halted_day_leads_with_the_halt_and_its_reason() -> None:
    """The limit, the number that crossed it and what a person must do stand before everything else."""
    page = render_html(a_halted_session())

    assert "✕ HALTED" in page
    assert page.index("daily loss 5.12 % of 5.00 %") < page.index("<svg")
    assert "−5.12 % of −3.00 %" in page
    assert "nothing trades until a person runs marketday resume" in page
    assert conclude(a_halted_session()).level is Level.HALTED


@pytest.mark.parametrize(
    ("bar", "status"),
    [
        (RiskBar("x", 0, 50_000), "within"),
        (RiskBar("x", 40_000, 50_000), "near"),
        (RiskBar("x", 20_000, 50_000, marks=(("cautious", 20_000), ("reducing", 30_000))), "cautious"),
        (RiskBar("x", 50_000, 50_000), "reached"),
        (RiskBar("x", 60_000, 60_000, bound=Bound.CAP), "near"),
        (RiskBar("x", 60_001, 60_000, bound=Bound.CAP), "exceeded"),
        (RiskBar("x", 100_000, 100_000, bound=Bound.FLOOR), "near"),
        (RiskBar("x", 99_999, 100_000, bound=Bound.FLOOR), "exceeded"),
    ],
)
def test_a_threshold_is_reached_at_its_number_a_cap_only_beyond(bar: RiskBar, status: str) -> None:
    """A loss of exactly 5 % halts; an exposure of exactly 6 % is allowed."""
    assert bar.status == status


def test_axis_labels_stand_at_round_numbers_within_the_range() -> None:
    """At most five multiples of 1, 2 or 5."""
    assert round_steps(9_488, 10_064) == (9_600, 9_800, 10_000)
    assert round_steps(0, 10) == (0, 5, 10)
    assert round_steps(0, 1) == (0, 1)


def test_a_day_without_enough_points_has_no_chart() -> None:
    """One snapshot is no line."""
    day = a_session()

    assert "<svg" not in render_html(replace(day, curve=day.curve[:1]))


def test_the_message_has_the_same_numbers_in_ten_fields() -> None:
    """What Slack shows of the halted day."""
    message = report_alert(a_halted_session(), "reports/2013-10-07.html")

    assert message.fields[:3] == (
        ("Day P&L", "−$511.98 (−5.12 % of −3.00 %)"),
        ("Equity", "$9,488.02"),
        ("Drawdown", "5.12 % of 10.00 %"),
    )
    assert len(message.fields) == 10
    assert message.at == datetime(2013, 10, 7, 21, 0, tzinfo=UTC)
    assert message.text.startswith("Trading is HALTED. Day P&L −$511.98 (−5.12 %).")


if __name__ == "__main__":
    GOLDEN.write_text(render_markdown(a_session()))
