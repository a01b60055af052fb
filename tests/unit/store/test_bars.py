"""Bars kept in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.adapters.schemas import SchemaInspector
from pipeline.domain.market import Bar, Defect, Timeframe

START = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)


def a_bar(symbol: str, minute: int = 0) -> Bar:
    """A bar of the session's n-th minute: open 100, high 101.0001, low 99, close 100.50."""
    return Bar(symbol, START + timedelta(minutes=minute), 1_000_000, 1_010_001, 990_000, 1_005_000, 1_200)


def test_bars_come_back_as_they_were_oldest_first(store: DuckStore) -> None:
    """The interval is half-open, other symbols and timeframes are left out, unknown symbols are empty."""
    bars = [a_bar(symbol, minute) for minute in (2, 0, 1, 3) for symbol in ("SPY", "QQQ", "IBM")]
    store.record_bars(bars, Timeframe.ONE_MINUTE)
    store.record_bars([a_bar("SPY")], Timeframe.FIVE_MINUTES)

    end = START + timedelta(minutes=3)
    found = store.load_bars(["SPY", "QQQ", "NONE"], Timeframe.ONE_MINUTE, START, end)

    assert found == {
        "SPY": [a_bar("SPY", minute) for minute in range(3)],
        "QQQ": [a_bar("QQQ", minute) for minute in range(3)],
        "NONE": [],
    }


def test_every_kept_bar_says_which_feed_it_is_from(store: DuckStore) -> None:
    """Two feeds in one file are found when the bars are looked at together: nobody takes them for one."""
    first, other = replace(a_bar("SPY"), feed="iex raw"), replace(a_bar("SPY", 1), feed="sip raw")
    store.record_bars([other, first], Timeframe.ONE_MINUTE)

    found = store.load_bars(["SPY"], Timeframe.ONE_MINUTE, START, START + timedelta(hours=1))
    flaws = SchemaInspector().inspect(found, timedelta(minutes=1))

    assert [bar.feed for bar in found["SPY"]] == ["iex raw", "sip raw"]
    assert {flaw.defect for flaw in flaws} == {Defect.MIXED}


def test_a_bar_kept_once_stays_as_it_was(store: DuckStore) -> None:
    """Whether it comes again later, twice at once, or in another time zone's words."""
    first, changed = a_bar("SPY"), replace(a_bar("SPY"), volume=9)
    elsewhere = replace(changed, start=START.astimezone(ZoneInfo("America/New_York")))
    store.record_bars([first, changed], Timeframe.ONE_MINUTE)
    store.record_bars([changed, elsewhere, a_bar("SPY", 1)], Timeframe.ONE_MINUTE)

    found = store.load_bars(["SPY"], Timeframe.ONE_MINUTE, START, START + timedelta(hours=1))

    assert found == {"SPY": [first, a_bar("SPY", 1)]}
