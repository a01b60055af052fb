"""Bars are complete, each once, or refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.alpaca import AlpacaMarketData
from pipeline.adapters.alpaca.market_data import _price
from pipeline.domain.market import Bar, Defect, Quote, Timeframe
from pipeline.domain.money import to_price
from pipeline.errors import DataUnavailable
from pipeline.ports import Headline
from tests.unit.adapters.fake_alpaca import FakeAlpaca, Handler, fake_alpaca, hangs, says, settings_for

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BARS = "GET /v2/stocks/bars"


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as server:
        yield server


@pytest.fixture
def data(alpaca: FakeAlpaca) -> Iterator[AlpacaMarketData]:
    opened = AlpacaMarketData(settings_for(alpaca.url))
    yield opened
    opened.close()


def row(minute: int, **fields: Any) -> dict[str, Any]:
    at = (OPEN + minute * MINUTE).isoformat().replace("+00:00", "Z")
    return {
        "t": at,
        "o": 100.1,
        "h": 101.25,
        "l": 99.9999,
        "c": 100.5,
        "v": 1200,
        "n": 3,
        "vw": 100.2,
    } | fields


def bar(symbol: str, minute: int) -> Bar:
    return Bar(symbol, OPEN + minute * MINUTE, 1_001_000, 1_012_500, 999_999, 1_005_000, 1_200)


def test_bars_come_from_all_pages_sorted_once_each_and_only_when_complete(
    data: AlpacaMarketData, alpaca: FakeAlpaca
) -> None:
    """Five minutes asked: the bar that starts at the end is not over, a repeated one counts once."""
    pages = {
        None: {"bars": {"SPY": [row(0), row(1)]}, "next_page_token": "b"},
        "b": {"bars": {"SPY": [row(4), row(1), row(2), row(5)], "OTHER": [row(0)]}, "next_page_token": None},
    }
    asked: list[dict[str, Any]] = []

    def page(handler: Handler, query: dict[str, Any]) -> None:
        asked.append(query)
        handler.answer(200, pages[query.get("page_token")])

    alpaca.scripts[BARS] = page
    found = data.fetch_bars(["SPY", "QQQ"], Timeframe.ONE_MINUTE, OPEN, OPEN + 5 * MINUTE)

    assert found == {"SPY": [bar("SPY", minute) for minute in (0, 1, 2, 4)], "QQQ": []}
    assert {name: asked[0][name] for name in ("start", "end", "timeframe", "feed", "symbols")} == {
        "start": "2026-11-20T14:30:00Z",
        "end": "2026-11-20T14:34:00Z",
        "timeframe": "1Min",
        "feed": "iex",
        "symbols": "SPY,QQQ",
    }


def test_no_bar_can_be_complete_before_its_length_has_passed(
    data: AlpacaMarketData, alpaca: FakeAlpaca
) -> None:
    assert data.fetch_bars(["SPY"], Timeframe.ONE_HOUR, OPEN, OPEN + 59 * MINUTE) == {"SPY": []}
    assert alpaca.asked == []


@pytest.mark.parametrize(
    "rows",
    [
        [row(0, c=math.nan)],
        [row(0, h=math.inf)],
        [row(0, l=None)],
        [row(0, l=101.0)],
        [row(0, o=-1.0)],
        [row(0, v=-1)],
        [row(0, v=None)],
        [row(0, t="2026-11-20T14:30:00")],
        [{"t": "2026-11-20T14:30:00Z"}],
        ["bar"],
        [row(0), row(0, c=100.4)],
    ],
)
def test_a_bar_that_cannot_be_true_is_refused_by_name_and_the_other_symbols_go_on(
    data: AlpacaMarketData, alpaca: FakeAlpaca, rows: list[Any]
) -> None:
    """NaN, infinity, nothing, low above open, negative, no zone, half a bar, two truths for one minute."""
    alpaca.scripts[BARS] = says(200, {"bars": {"SPY": rows, "QQQ": [row(0)]}, "next_page_token": None})

    found = data.fetch_bars(["SPY", "QQQ"], Timeframe.ONE_MINUTE, OPEN, OPEN + MINUTE)
    two_truths = len(rows) == 2

    assert found == {"SPY": [bar("SPY", 0)] if two_truths else [], "QQQ": [bar("QQQ", 0)]}
    assert [(flaw.symbol, flaw.defect) for flaw in found.flaws] == [
        ("SPY", Defect.CONFLICT if two_truths else Defect.INVALID)
    ]
    assert found.flaws[0].at in (OPEN, OPEN + MINUTE)  # the end of what was asked when the row tells no time


def test_every_bar_says_which_feed_it_is_from(data: AlpacaMarketData, alpaca: FakeAlpaca) -> None:
    alpaca.scripts[BARS] = says(200, {"bars": {"SPY": [row(0)]}, "next_page_token": None})

    assert data.fetch_bars(["SPY"], Timeframe.ONE_MINUTE, OPEN, OPEN + MINUTE)["SPY"][0].feed == "iex raw"


def test_a_quote_that_cannot_be_read_concerns_its_symbol_only(
    data: AlpacaMarketData, alpaca: FakeAlpaca
) -> None:
    good = {"t": "2026-11-20T14:30:00Z", "bp": 671.2, "ap": 671.21}
    alpaca.scripts["GET /v2/stocks/quotes/latest"] = says(
        200, {"quotes": {"SPY": good, "QQQ": good | {"bp": math.nan}}}
    )

    found = data.fetch_quotes(["SPY", "QQQ"])

    assert list(found) == ["SPY"]
    assert [(flaw.symbol, flaw.defect) for flaw in found.flaws] == [("QQQ", Defect.INVALID)]


@pytest.mark.parametrize(
    "reply",
    [says(503), says(403, {"message": "subscription"}), says(200, "{"), says(200, {"x": 1}), hangs],
)
def test_bars_that_do_not_arrive_are_never_an_empty_market(
    data: AlpacaMarketData, alpaca: FakeAlpaca, reply: Any
) -> None:
    alpaca.scripts[BARS] = reply

    with pytest.raises(DataUnavailable):
        data.fetch_bars(["SPY"], Timeframe.ONE_MINUTE, OPEN, OPEN + MINUTE)


def test_a_market_without_trades_is_empty(data: AlpacaMarketData, alpaca: FakeAlpaca) -> None:
    """Alpaca writes null or {}."""
    for nothing in (None, {}, {"SPY": None}):
        alpaca.scripts[BARS] = says(200, {"bars": nothing, "next_page_token": None})

        assert data.fetch_bars(["SPY"], Timeframe.ONE_MINUTE, OPEN, OPEN + MINUTE) == {"SPY": []}


def test_a_quote_with_one_side_only_is_no_quote(data: AlpacaMarketData, alpaca: FakeAlpaca) -> None:
    both = {"t": "2026-11-20T14:30:00.123456789Z", "bp": 671.2, "ap": 671.21}
    alpaca.scripts["GET /v2/stocks/quotes/latest"] = says(
        200, {"quotes": {"SPY": both, "QQQ": both | {"ap": 0}}}
    )

    assert data.fetch_quotes(["SPY", "QQQ", "NONE"]) == {
        "SPY": Quote("SPY", OPEN + timedelta(microseconds=123_456), 6_712_000, 6_712_100)
    }


def test_headlines_come_newest_first(data: AlpacaMarketData, alpaca: FakeAlpaca) -> None:
    rows = [
        {"created_at": "2026-11-20T13:00:00Z", "headline": "Old", "symbols": ["SPY"], "source": "benzinga"},
        {"created_at": "2026-11-20T14:00:00Z", "headline": "New", "symbols": None, "source": None},
    ]
    alpaca.scripts["GET /v1beta1/news"] = says(200, {"news": rows, "next_page_token": None})

    assert data.fetch_headlines(["SPY"], OPEN - timedelta(days=1)) == [
        Headline(OPEN - 30 * MINUTE, "New", (), ""),
        Headline(OPEN - 90 * MINUTE, "Old", ("SPY",), "benzinga"),
    ]


@given(st.floats(0, 1e12) | st.integers(0, 10**11).map(lambda units: units / 10_000))
def test_the_short_path_for_prices_equals_the_conversion_of_money(value: float) -> None:
    assert _price(value) == to_price(value)
