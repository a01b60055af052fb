"""The real alpaca-py SDK works on the exchange, unchanged but for its URLs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest, StockSnapshotRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.models import TradeActivity, TradeUpdate
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)
from alpaca.trading.stream import TradingStream

from pipeline.exchange.process import RunningExchange
from tests.exchange.running import KEY, SECRET, running_exchange

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    """An exchange at the open of 2026-11-20."""
    with running_exchange(tmp_path) as running:
        running.control().advance(OPEN)
        yield running


@pytest.fixture
def trading(exchange: RunningExchange) -> Iterator[TradingClient]:
    """The SDK's trading client."""
    client = TradingClient(KEY, SECRET, url_override=exchange.url)
    yield client
    client._session.close()


@contextmanager
def data_client(exchange: RunningExchange) -> Iterator[StockHistoricalDataClient]:
    """The SDK's market-data client."""
    client = StockHistoricalDataClient(KEY, SECRET, url_override=exchange.url)
    yield client
    client._session.close()


def market(
    symbol: str, qty: float, side: OrderSide = OrderSide.BUY, name: str | None = None
) -> MarketOrderRequest:
    """Return a market day order."""
    return MarketOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force=TimeInForce.DAY, client_order_id=name
    )


def test_an_order_is_found_by_our_id_and_sent_only_once(
    exchange: RunningExchange, trading: TradingClient
) -> None:
    """The reply is not yet filled; the next minute it is; the same id is refused for ever."""
    sent = trading.submit_order(market("SPY", 10.5, name="intent-1"))
    exchange.control().advance(OPEN + MINUTE)
    held = trading.get_order_by_client_id("intent-1")

    assert (sent.status.value, sent.filled_qty) == ("new", "0")
    assert (held.id, held.status.value, held.filled_qty) == (sent.id, "filled", "10.5")
    with pytest.raises(APIError) as refused:
        trading.submit_order(market("SPY", 10.5, name="intent-1"))
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    with pytest.raises(APIError) as absent:
        trading.get_order_by_client_id("intent-2")
    assert (absent.value.status_code, absent.value.code) == (404, 40410000)


def test_a_big_order_fills_in_parts_and_its_rest_is_cancelled(
    exchange: RunningExchange, trading: TradingClient
) -> None:
    """A thin symbol gives a tenth of each minute; what was filled stays ours."""
    order = trading.submit_order(market("THIN", 1000))
    exchange.control().advance(OPEN + 2 * MINUTE)
    partly = trading.get_order_by_id(order.id)
    trading.cancel_order_by_id(order.id)
    exchange.control().advance(OPEN + 10 * MINUTE)
    final = trading.get_order_by_id(order.id)
    fills = [
        TradeActivity(account_id=str(trading.get_account().id), **row)
        for row in trading.get("/account/activities/FILL", {"direction": "asc"})
    ]

    assert partly.status.value == "partially_filled"
    assert final.status.value == "canceled"
    assert final.filled_qty == partly.filled_qty == trading.get_open_position("THIN").qty
    assert [fill.cum_qty for fill in fills][-1] == float(final.filled_qty)
    assert len(fills) == 2


def test_an_order_is_replaced_and_listed(exchange: RunningExchange, trading: TradingClient) -> None:
    """The replacement has a new id and points back; lists filter by status, symbol and side."""
    resting = LimitOrderRequest(
        symbol="QQQ", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=500
    )
    first = trading.submit_order(resting)
    second = trading.replace_order_by_id(first.id, ReplaceOrderRequest(limit_price=501.25))
    trading.submit_order(market("SPY", 1))
    exchange.control().advance(OPEN + MINUTE)

    assert (second.replaces, second.limit_price) == (first.id, "501.25")
    assert trading.get_order_by_id(first.id).status.value == "replaced"
    assert [order.id for order in trading.get_orders()] == [second.id]
    everything = GetOrdersRequest(
        status=QueryOrderStatus.ALL, symbols=["QQQ"], side=OrderSide.BUY, nested=True
    )
    assert [order.id for order in trading.get_orders(everything)] == [second.id, first.id]
    recent = GetOrdersRequest(
        status=QueryOrderStatus.ALL, after=OPEN - MINUTE, until=OPEN, direction="asc", limit=1
    )
    assert [order.id for order in trading.get_orders(recent)] == [first.id]


def test_a_bracket_protects_a_position_until_it_is_closed(
    exchange: RunningExchange, trading: TradingClient
) -> None:
    """Legs wait for the entry, then profit is new and the stop shows as held; the shares are held once."""
    entry = trading.submit_order(
        MarketOrderRequest(
            symbol="SPY",
            qty=4,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.GTC,
            order_class="bracket",
            take_profit=TakeProfitRequest(limit_price=900),
            stop_loss=StopLossRequest(stop_price=400),
        )
    )
    exchange.control().advance(OPEN + MINUTE)
    family = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=True))[0]
    position = trading.get_open_position("SPY")
    closed = trading.close_all_positions(cancel_orders=True)
    exchange.control().advance(OPEN + 2 * MINUTE)

    assert [leg.status.value for leg in entry.legs] == ["held", "held"]
    assert [(leg.type.value, leg.status.value) for leg in family.legs] == [("limit", "new"), ("stop", "held")]
    assert (position.qty, position.qty_available) == ("4", "0")
    assert [row.status for row in closed] == [200]
    assert trading.get_all_positions() == []
    assert trading.get_orders() == []


def test_part_of_a_position_is_closed(exchange: RunningExchange, trading: TradingClient) -> None:
    """A quarter of 8 shares is 2."""
    trading.submit_order(market("SPY", 8))
    exchange.control().advance(OPEN + MINUTE)

    sold = trading.close_position("SPY", ClosePositionRequest(percentage="25"))

    assert (sold.side.value, sold.qty) == ("sell", "2")
    assert trading.get_open_position("SPY").qty_available == "6"


def test_the_clock_is_virtual_and_the_calendar_knows_half_days(
    exchange: RunningExchange, trading: TradingClient
) -> None:
    """Thanksgiving 2026 is the 26th; the 27th closes at 13:00 in New York."""
    exchange.control().advance(datetime(2026, 11, 26, 15, tzinfo=UTC))
    clock = trading.get_clock()
    days = trading.get_calendar(GetCalendarRequest(start="2026-11-25", end="2026-11-27"))

    assert clock.timestamp == datetime(2026, 11, 26, 15, tzinfo=UTC)
    assert not clock.is_open
    assert clock.next_open == datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    assert clock.next_close == datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert [(str(day.date), day.close.hour) for day in days] == [("2026-11-25", 16), ("2026-11-27", 13)]


def test_bars_of_several_symbols_come_page_by_page_and_never_from_the_future(
    exchange: RunningExchange, trading: TradingClient
) -> None:
    """A whole session and half an hour: 420 complete minutes of each symbol, in pages of 100."""
    now = OPEN + 30 * MINUTE + timedelta(seconds=30)
    exchange.control().advance(now)
    request = StockBarsRequest(
        symbol_or_symbols=["SPY", "QQQ"],
        timeframe=TimeFrame.Minute,
        start=OPEN - timedelta(days=1),
        end=now + timedelta(days=1),
    )
    with data_client(exchange) as data:
        whole = data.get_stock_bars(request).data
        pages = data._get_marketdata(
            path="/stocks/bars", params={**request.to_request_fields(), "symbols": "SPY,QQQ"}, page_limit=100
        )
        quarter = StockBarsRequest(
            symbol_or_symbols="SPY", timeframe=TimeFrame(15, TimeFrameUnit.Minute), start=OPEN
        )
        fifteen = data.get_stock_bars(quarter).data["SPY"]

    assert {symbol: len(bars) for symbol, bars in whole.items()} == {"SPY": 420, "QQQ": 420}
    assert [row["t"] for row in pages["QQQ"]] == [
        f"{bar.timestamp:%Y-%m-%dT%H:%M:%SZ}" for bar in whole["QQQ"]
    ]
    assert whole["SPY"][-1].timestamp == OPEN + 29 * MINUTE
    minutes = whole["SPY"][-30:]
    assert [bar.open for bar in fifteen] == [minutes[0].open, minutes[15].open]
    assert [bar.high for bar in fifteen] == [
        max(b.high for b in minutes[:15]),
        max(b.high for b in minutes[15:]),
    ]
    assert [bar.volume for bar in fifteen] == [
        sum(b.volume for b in minutes[:15]),
        sum(b.volume for b in minutes[15:]),
    ]


def test_the_latest_quote_and_snapshot_agree_with_the_last_bar(exchange: RunningExchange) -> None:
    """At 15:00:00 the last complete bar is 14:59's, its close lies inside the quote; strangers are absent."""
    exchange.control().advance(OPEN + 30 * MINUTE)
    with data_client(exchange) as data:
        quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["SPY", "NONE"]))
        snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY"))["SPY"]

    assert set(quotes) == {"SPY"}
    assert quotes["SPY"].bid_price < snapshot.minute_bar.close < quotes["SPY"].ask_price
    assert snapshot.minute_bar.timestamp == OPEN + 29 * MINUTE
    assert snapshot.latest_trade.price == snapshot.minute_bar.close
    assert snapshot.previous_daily_bar.timestamp == datetime(2026, 11, 19, 5, tzinfo=UTC)


def test_the_stream_tells_an_orders_life_in_order(exchange: RunningExchange, trading: TradingClient) -> None:
    """New, two parts, cancelled: as events, each with the order as it then was."""
    stream = TradingStream(KEY, SECRET, url_override=exchange.stream_url)
    heard: list[TradeUpdate] = []

    async def hear(update: TradeUpdate) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=stream.run)
    thread.start()
    try:
        _wait(lambda: stream._running)
        time.sleep(0.1)
        order = trading.submit_order(market("THIN", 1000, name="streamed"))
        exchange.control().advance(OPEN + 2 * MINUTE)
        trading.cancel_order_by_id(order.id)
        _wait(lambda: len(heard) == 4)
    finally:
        stream.stop()
        exchange.stop()
        thread.join(10)

    assert [update.event for update in heard] == ["new", "partial_fill", "partial_fill", "canceled"]
    assert {update.order.client_order_id for update in heard} == {"streamed"}
    assert heard[2].position_qty == heard[1].qty + heard[2].qty == float(heard[3].order.filled_qty)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()
