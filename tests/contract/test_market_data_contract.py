"""What every source of prices promises (``pipeline.ports.MarketData``)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.domain.market import Bar, Timeframe
from tests.contract.desks import Desk

OPEN = datetime.fromisoformat("2026-11-20T14:30:00Z")


def joined(bars: Sequence[Bar]) -> Bar:
    """Return the one bar that covers them."""
    return Bar(
        bars[0].symbol,
        bars[0].start,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )


def test_minute_bars_are_those_of_the_span_that_are_complete(desk: Desk) -> None:
    """Half past to 15:00 UTC and 30 seconds: thirty minutes, the running one left out."""
    end = OPEN + timedelta(minutes=30, seconds=30)
    found = desk.data.fetch_bars([desk.liquid, "NOSUCH"], Timeframe.ONE_MINUTE, OPEN, end)

    assert [bar.start for bar in found[desk.liquid]] == [OPEN + timedelta(minutes=i) for i in range(30)]
    assert found["NOSUCH"] == []


def test_longer_bars_are_the_minutes_they_cover(desk: Desk) -> None:
    for timeframe, minutes in ((Timeframe.FIVE_MINUTES, 5), (Timeframe.FIFTEEN_MINUTES, 15)):
        end = OPEN + timedelta(minutes=45)
        short = desk.data.fetch_bars([desk.liquid], Timeframe.ONE_MINUTE, OPEN, end)[desk.liquid]
        long = desk.data.fetch_bars([desk.liquid], timeframe, OPEN, end)[desk.liquid]

        assert list(long) == [joined(short[i : i + minutes]) for i in range(0, 45, minutes)]


def test_the_future_is_not_shown(desk: Desk) -> None:
    now = desk.clock.now()
    found = desk.data.fetch_bars([desk.liquid], Timeframe.ONE_MINUTE, OPEN, now + timedelta(hours=2))

    assert found[desk.liquid][-1].start + timedelta(minutes=1) <= now


def test_a_quote_has_a_bid_below_its_ask_and_is_not_from_the_future(desk: Desk) -> None:
    quotes = desk.data.fetch_quotes([desk.liquid, "NOSUCH"])

    assert set(quotes) == {desk.liquid}
    assert 0 < quotes[desk.liquid].bid < quotes[desk.liquid].ask
    assert quotes[desk.liquid].at <= desk.clock.now()


def test_no_news_is_no_headlines(desk: Desk) -> None:
    headlines = desk.data.fetch_headlines([desk.liquid], OPEN)

    assert all(headline.at >= OPEN for headline in headlines)
