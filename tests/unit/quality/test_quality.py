"""What bars say about each other: each rule at its limit and one beyond, and the same however they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.market import Bar, Defect, Flaw, Quote
from pipeline.domain.money import to_price
from pipeline.domain.quality import (
    Rules,
    flaws_among,
    in_force,
    in_order,
    quote_flaw,
    rescaled,
    splits_by_symbol,
)
from tests.e2e.market import minute_bars

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rules(length=MINUTE, lookback=4, collar=20_000, max_gap=2, frozen=3)
"""Collar 2 %, two bars may be missing, the third equal bar is one too many."""


@dataclass(frozen=True)
class Split:
    symbol: str
    numerator: int
    denominator: int
    at: datetime


def a_bar(minute: int, close: int, volume: int | None = None, feed: str = "iex raw") -> Bar:
    """A bar that moves 0.1 % around its close."""
    reach = close // 1_000
    amount = 1_000 + minute if volume is None else volume
    return Bar("SPY", OPEN + minute * MINUTE, close, close + reach, close - reach, close, amount, feed)


def series(*closes: int) -> list[Bar]:
    return [a_bar(minute, close) for minute, close in enumerate(closes)]


def missing(after: datetime, before: datetime) -> int:
    return (before - after) // MINUTE - 1


def found(bars: list[Bar], rules: Rules = RULES) -> list[tuple[Defect, int]]:
    """Return each defect with the minute of its bar."""
    flaws = flaws_among(bars, 0, rules, missing)
    return [(flaw.defect, (flaw.at - OPEN) // MINUTE) for flaw in flaws]


def force(bars: list[Bar], rules: Rules = RULES) -> list[Defect]:
    return [flaw.defect for flaw in in_force(flaws_among(bars, 0, rules, missing), bars, rules)]


def test_bars_that_move_a_little_have_no_flaw() -> None:
    assert found(series(1_000_000, 1_000_500, 999_900, 1_000_100)) == []


@pytest.mark.parametrize(
    ("close", "expected"),
    [(1_020_000, []), (980_000, []), (1_020_001, [Defect.SPIKE]), (979_999, [Defect.SPIKE])],
)
def test_a_close_beyond_the_collar_waits_for_the_next_bar(close: int, expected: list[Defect]) -> None:
    """2 % of 100.0000 is 2.0000; usual ranges of 10 % a bar are out of this rule's way."""
    wide = [replace(bar, high=1_100_000, low=900_000) for bar in series(1_000_000, 1_000_000, 1_000_000)]

    assert force([*wide, a_bar(3, close)]) == expected


def test_a_jump_that_the_next_bar_confirms_is_the_new_price() -> None:
    jumped = series(1_000_000, 1_000_000, 1_050_000)

    assert force(jumped) == [Defect.SPIKE]
    assert force([*jumped, a_bar(3, 1_051_000)]) == []


def test_a_jump_that_the_next_bar_takes_back_was_a_bad_print_while_a_strategy_sees_it() -> None:
    """Of four bars: the bad one is seen for three more."""
    bars = series(1_000_000, 1_000_000, 1_500_000, 1_000_100, 1_000_200, 1_000_300, 1_000_400)

    assert [force(bars[:count]) for count in (3, 4, 5, 6, 7)] == [
        [Defect.SPIKE],
        [Defect.BAD_PRINT],
        [Defect.BAD_PRINT],
        [Defect.BAD_PRINT],
        [],
    ]


@pytest.mark.parametrize(("close", "expected"), [(1_010_000, []), (1_010_001, [Defect.SPIKE])])
def test_a_move_of_ten_usual_ranges_waits_as_well(close: int, expected: list[Defect]) -> None:
    """Bars that range over 0.1000: ten of them are 1.0000, between a quarter of the collar and it."""
    quiet = [replace(bar, high=1_000_500, low=999_500) for bar in series(1_000_000, 1_000_000, 1_000_000)]

    assert force([*quiet, a_bar(3, close)]) == expected


def test_over_a_night_only_the_collar_counts() -> None:
    """The same quiet bars, then a pause: 1.5 % is an ordinary opening, 2.1 % waits for the second bar."""
    quiet = [replace(bar, high=1_000_500, low=999_500) for bar in series(1_000_000, 1_000_000)]

    assert force([*quiet, a_bar(4, 1_015_000)]) == []
    assert force([*quiet, a_bar(4, 1_021_000)]) == [Defect.SPIKE]


@pytest.mark.parametrize(("minute", "expected"), [(3, []), (4, [Defect.GAP])])
def test_two_missing_bars_are_a_pause_and_three_a_hole(minute: int, expected: list[Defect]) -> None:
    assert force([a_bar(0, 1_000_000), a_bar(minute, 1_000_000)]) == expected


@pytest.mark.parametrize(("equal", "expected"), [(2, []), (3, [Defect.FROZEN]), (5, [Defect.FROZEN])])
def test_a_feed_that_repeats_itself_stands_still(equal: int, expected: list[Defect]) -> None:
    bars = [a_bar(0, 990_000), *(a_bar(minute, 1_000_000, 0) for minute in range(1, equal + 1))]

    assert force(bars) == expected
    assert force([*bars, a_bar(equal + 1, 1_000_100)]) == []


def test_one_price_with_trades_around_it_is_no_standstill_and_without_a_range_it_is() -> None:
    """Ten equal closes with other volumes and ranges are a quiet market; flat bars are not."""
    quiet = [a_bar(minute, 1_000_000) for minute in range(10)]
    flat = [replace(bar, high=1_000_000, low=1_000_000) for bar in quiet]

    assert force(quiet) == []
    assert force(flat) == [Defect.FROZEN]


def test_two_feeds_are_not_one_series() -> None:
    bars = [a_bar(0, 1_000_000), a_bar(1, 1_000_000, feed="sip raw")]

    assert force(bars) == [Defect.MIXED]
    assert "iex raw is followed by sip raw" in flaws_among(bars, 0, RULES, missing)[0].detail


def test_a_bar_told_twice_is_one_bar_and_told_in_two_ways_a_conflict() -> None:
    """Out of order, repeated, and minute 1 with two closes: the first stays, so that there is a price."""
    first, other = a_bar(1, 1_000_000), a_bar(1, 1_000_100, 1_001)
    bars, flaws = in_order([a_bar(2, 1_000_000), first, a_bar(0, 1_000_000), first, other])

    assert [bar.start for bar in bars] == [OPEN, OPEN + MINUTE, OPEN + 2 * MINUTE]
    assert bars[1].close == 1_000_000
    assert [(flaw.defect, flaw.at, flaw.allowed, flaw.actual) for flaw in flaws] == [
        (Defect.CONFLICT, OPEN + MINUTE, 1, 2)
    ]
    assert in_order([first, first])[1] == []


def test_a_ten_for_one_split_leaves_no_jump_between_the_bars() -> None:
    """671.2000 becomes 67.1200 and 1,000 shares 10,000; the other symbol's split is not ours."""
    before, after = series(6_712_000, 6_712_000), a_bar(2, 671_300)
    split = Split("SPY", 10, 1, OPEN + 2 * MINUTE)
    wanted = splits_by_symbol([split, Split("QQQ", 2, 1, OPEN)], OPEN + 2 * MINUTE)
    anew = rescaled([*before, after], wanted["SPY"])

    assert force([*before, after]) == [Defect.SPIKE]
    assert force(list(anew)) == []
    assert (anew[0].close, anew[0].volume, anew[2]) == (671_200, 10_000, after)


def test_a_split_counts_from_its_day_on_and_a_ratio_of_nothing_never() -> None:
    split, unknown = Split("SPY", 1, 8, OPEN + MINUTE), Split("SPY", 0, 0, OPEN)

    assert splits_by_symbol([split, unknown], OPEN) == {}
    assert splits_by_symbol([split, unknown], OPEN + MINUTE) == {"SPY": (split,)}
    assert rescaled(series(1_000_000), (split,))[0].close == 8_000_000


@given(
    prices=st.lists(st.integers(1, 10**9), min_size=4, max_size=4).map(sorted),
    new=st.integers(1, 100),
    old=st.integers(1, 100),
)
def test_whatever_the_ratio_a_bar_stays_a_bar(prices: list[int], new: int, old: int) -> None:
    low, one, other, high = prices
    bar = Bar("SPY", OPEN, one, high, low, other, 5)

    anew = rescaled([bar], (Split("SPY", new, old, OPEN + MINUTE),))[0]

    assert abs(anew.close * new - bar.close * old) <= max(new, bar.close * old)
    assert 0 < anew.low <= anew.high


@given(
    steps=st.lists(st.sampled_from([0, 100, -100, 15_000, 60_000, -60_000]), min_size=2, max_size=14),
    holes=st.lists(st.integers(1, 5), min_size=14, max_size=14),
    cut=st.integers(1, 13),
)
def test_bars_that_come_one_by_one_are_judged_as_those_that_come_at_once(
    steps: list[int], holes: list[int], cut: int
) -> None:
    """A process that begins anew sees the window at once, the other saw it grow: both decide the same."""
    bars, close, minute = [], 1_000_000, 0
    for step, hole in zip(steps, holes, strict=False):
        close, minute = close + step, minute + hole
        bars.append(a_bar(minute, close, volume=7))
    at_once = flaws_among(bars, 0, RULES, missing)
    one_by_one: list[Flaw] = []
    for first in (0, *range(min(cut, len(bars)), len(bars))):
        until = first + 1 if first else min(cut, len(bars))
        one_by_one += flaws_among(bars[:until], first, RULES, missing)

    assert in_force(one_by_one, bars, RULES) == in_force(at_once, bars, RULES)


@pytest.mark.parametrize(
    ("bid", "ask", "fine"),
    [
        (1_000_000, 1_020_000, True),
        (1_000_000, 1_020_001, False),
        (1_000_000, 1_000_000, True),
        (1_000_001, 1_000_000, False),
        (0, 1_000_000, False),
        (-1, 1, False),
    ],
)
def test_a_quote_whose_sides_are_crossed_or_far_apart_is_no_price(bid: int, ask: int, fine: bool) -> None:
    flaw = quote_flaw(Quote("SPY", OPEN, bid, ask), 20_000)

    assert (flaw is None) is fine
    assert flaw is None or flaw.defect is Defect.CROSSED


def test_on_six_real_sessions_no_rule_speaks() -> None:
    """SPY, AIG, BAC and IBM in October 2013, minute by minute, as they were traded: no false alarm."""
    zone = ZoneInfo("America/New_York")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        wanted = "symbol, epoch(ts)::BIGINT, open, high, low, close, volume"
        query = f"SELECT {wanted} FROM read_parquet(?) ORDER BY 1, 2"
        rows = connection.execute(query, [str(minute_bars())]).fetchall()
    held: dict[str, list[Bar]] = {}
    for symbol, at, *prices, volume in rows:
        start = datetime.fromtimestamp(at, UTC)
        if time(9, 30) <= start.astimezone(zone).time() < time(16):
            held.setdefault(symbol, []).append(Bar(symbol, start, *map(to_price, prices), int(volume)))
    rules = Rules(MINUTE, lookback=28, collar=20_000, max_gap=5, frozen=10)

    def holes(after: datetime, before: datetime) -> int:
        return 0 if before.date() != after.date() else missing(after, before)

    assert sorted(held) == ["AIG", "BAC", "IBM", "SPY"]
    assert sum(map(len, held.values())) == 9_357
    assert [flaw for bars in held.values() for flaw in flaws_among(bars, 0, rules, holes)] == []
