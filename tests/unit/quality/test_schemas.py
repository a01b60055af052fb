"""The schemas of whole sessions say what the rules of the tick say, bar by bar."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.schemas import (
    SchemaInspector,
    bars_frame,
    check_bars,
    check_quotes,
    check_recording,
    quotes_frame,
)
from pipeline.domain.market import Bar, Defect, Quote, row_problem
from pipeline.domain.money import PRICE_SCALE, to_price
from pipeline.domain.quality import in_order, quote_flaw
from pipeline.errors import ConfigurationError, DataInvalid
from pipeline.wiring.rehearsal import recorded_days

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

numbers = st.one_of(
    st.integers(99_0000, 101_0000).map(lambda units: units / PRICE_SCALE),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0]),
)
rows = st.tuples(numbers, numbers, numbers, numbers, st.integers(-1, 3))
good = st.tuples(*[st.integers(1, 10**9)] * 4).map(sorted)


def refused_by_rules(row: tuple[float, float, float, float, int]) -> bool:
    """Tell what the boundary of a tick does: convert each number, then ask the rules of a bar."""
    *prices, volume = row
    try:
        opened, high, low, closed = (to_price(price) for price in prices)
    except ValueError:
        return True
    return row_problem((opened, high, low, closed), volume) != ""


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8))
def test_schema_and_rules_refuse_the_same_rows(found: list[tuple[float, float, float, float, int]]) -> None:
    """One minute each, so that a row's fault is its own."""
    frame = pd.DataFrame(found, columns=["open", "high", "low", "close", "volume"])
    starts = pd.Series([OPEN + at * MINUTE for at in range(len(found))])
    frame.insert(0, "start", pd.to_datetime(starts, utc=True).dt.as_unit("us"))
    frame.insert(0, "symbol", "SPY")
    frame["feed"] = "iex raw"

    by_schema = {(flaw.at - OPEN) // MINUTE for flaw in check_bars(frame, MINUTE)}
    by_rules = {at for at, row in enumerate(found) if refused_by_rules(row)}

    assert by_schema == by_rules


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), good), min_size=1, max_size=6))
def test_schema_and_rules_find_the_same_conflicts(told: list[tuple[int, list[int]]]) -> None:
    """Some minutes are told twice, some of them in two ways."""
    bars = sorted(
        (
            Bar("SPY", OPEN + minute * MINUTE, one, high, low, other, 5)
            for minute, (low, one, other, high) in told
        ),
        key=lambda bar: bar.start,
    )

    conflicts = {flaw.at for flaw in in_order(bars)[1]}
    by_schema = {flaw.at for flaw in check_bars(bars_frame(bars), MINUTE) if flaw.defect is Defect.CONFLICT}

    assert by_schema == conflicts


@settings(max_examples=20, deadline=None)
@given(bid=st.integers(-1, 3), ask=st.integers(-1, 3))
def test_schema_and_rules_refuse_the_same_quotes(bid: int, ask: int) -> None:
    quote = Quote("SPY", OPEN, bid, ask)

    assert bool(check_quotes(quotes_frame([quote]))) == (quote_flaw(quote, 10_000_000) is not None)


@pytest.mark.parametrize(
    "bad", ["1.0,0.9,1.0,1.0,5", "1.0,1.0,1.0,nan,5", "1.0,1.0,-1.0,1.0,5", "1,1,1,1,-5"]
)
def test_a_recorded_bar_that_cannot_be_true_is_named_with_its_minute(tmp_path: Path, bad: str) -> None:
    """Unsorted rows and holes are fine; one row of three is not, and the error says which."""
    file = tmp_path / "bars.csv"
    rows = [
        "2013-10-04 09:33:00,1.0,1.0,1.0,1.0,5",
        f"2013-10-04 09:31:00,{bad}",
        "2013-10-04 09:30:00,1,1,1,1,5",
    ]
    file.write_text("symbol,ts,open,high,low,close,volume\n" + "".join(f"SPY,{row}\n" for row in rows))

    with pytest.raises(ConfigurationError) as caught:
        recorded_days(file, "America/New_York")

    assert "SPY at 2013-10-04T13:31:00+00:00" in str(caught.value)
    assert "correct the file" in str(caught.value)


def test_a_file_that_is_no_recording_is_left_to_who_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("a,b\n1,2\n")

    with pytest.raises(DataInvalid, match="cannot be read"):
        check_recording(file, "UTC")
    with pytest.raises(ConfigurationError, match="wanted are symbol, ts"):
        recorded_days(file)


def clean(symbol: str, count: int, feed: str = "iex raw") -> list[Bar]:
    return [Bar(symbol, OPEN + at * MINUTE, 100, 110, 90, 105, 7, feed) for at in range(count)]


def test_a_clean_session_has_no_finding() -> None:
    bars = {"SPY": clean("SPY", 390), "QQQ": clean("QQQ", 390), "NONE": []}

    assert SchemaInspector().inspect(bars, MINUTE) == ()
    assert SchemaInspector().inspect({}, MINUTE) == ()


def test_two_feeds_and_a_wrong_order_are_found_in_their_symbol() -> None:
    mixed = [*clean("SPY", 2), *clean("SPY", 3, "sip raw")[2:]]
    swapped = clean("QQQ", 3)[::-1]

    found = SchemaInspector().inspect({"SPY": mixed, "QQQ": swapped, "IWM": clean("IWM", 3)}, MINUTE)

    assert {(flaw.symbol, flaw.defect) for flaw in found} == {
        ("SPY", Defect.MIXED),
        ("QQQ", Defect.INVALID),
    }
    assert any("oldest first" in flaw.detail for flaw in found)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_times_without_a_zone_or_in_another_one_are_no_bars(zone: str | None) -> None:
    frame = bars_frame(clean("SPY", 3))
    frame["start"] = frame["start"].dt.tz_convert(zone)

    assert any(flaw.detail.startswith("start: dtype") for flaw in check_bars(frame, MINUTE))


def test_the_tick_imports_neither_pandas_nor_pandera() -> None:
    code = (
        "import sys\n"
        "import pipeline.wiring.desks, pipeline.operations.trading, pipeline.operations.doubting\n"
        "assert not {'pandas', 'pandera', 'great_expectations', 'exchange_calendars'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
