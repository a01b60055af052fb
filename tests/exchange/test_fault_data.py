"""A broken feed: what is shown of the market is wrong, what is true stays."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest

from pipeline.exchange.changes import advance
from pipeline.exchange.engine import Engine
from pipeline.exchange.fault_book import FaultBook
from pipeline.exchange.fault_data import falsify
from pipeline.exchange.fault_rules import FaultRule
from pipeline.exchange.series import Span, bar_rows, latest
from tests.exchange.markets import CLOSE, OPEN, WrittenMarket, an_engine, at_open

ROWS = [(100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i, 1000) for i in range(10)]


def at(minute: int) -> str:
    """Return the time of the bar so many minutes after the open, as it is shown."""
    return (OPEN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def shown(kind: str, **fields: Any) -> tuple[Engine, dict[str, Any]]:
    """Return the five bars, and the latest quote, at 9:35 under one rule from 9:33 on."""
    engine = an_engine(WrittenMarket({"X": ROWS, "Y": ROWS}))
    advance(engine, at_open(5))
    book = FaultBook()
    window = {"start": OPEN + timedelta(minutes=3)}
    book.add(FaultRule(kind=kind, id="f", **{**window, **fields}), engine.now)
    span = Span(int(OPEN.timestamp()), int(CLOSE.timestamp()))
    bars = {s: [json.loads(text) for _, text in bar_rows(engine, s, span, 60)] for s in ("X", "Y")}
    found = latest(engine, "X")
    assert found is not None
    rules = book.of_data("/v2/stocks/bars", engine.now)
    answer = falsify(engine, {"bars": bars, "next_page_token": None}, rules)["bars"]
    quotes = falsify(engine, {"quotes": {"X": found["quote"]}}, rules)["quotes"]
    return engine, answer | {"quote": quotes.get("X")}


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Return one field of every bar."""
    return [row[name] for row in rows]


def test_prices_that_cannot_be() -> None:
    """Only bars of the window; the other symbol only without a symbol in the rule."""
    assert column(shown("data_zero", symbol="X")[1]["X"], "o") == [100.0, 101.0, 102.0, 0, 0]
    assert column(shown("data_zero", symbol="X")[1]["Y"], "o") == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert column(shown("data_negative")[1]["Y"], "l") == [99.0, 100.0, 101.0, -102.0, -103.0]
    assert column(shown("data_null")[1]["X"], "c") == [100.5, 101.5, 102.5, None, None]
    assert math.isnan(shown("data_nan")[1]["X"][3]["c"])
    crossed = shown("data_crossed")[1]["X"][4]
    assert crossed["h"] < crossed["l"]


def test_bars_twice_in_disorder_and_missing() -> None:
    """By the minute at which each bar says it began."""
    minutes = {at(i): i for i in range(10)}

    def order(kind: str, **fields: Any) -> list[int]:
        return [minutes[row["t"]] for row in shown(kind, **fields)[1]["X"]]

    assert order("data_duplicate") == [0, 1, 2, 3, 3, 4, 4]
    assert order("data_disorder") == [0, 1, 2, 4, 3]
    assert order("data_missing", end=OPEN + timedelta(minutes=4)) == [0, 1, 2, 4]
    conflict = shown("data_conflict")[1]["X"]
    assert (conflict[3]["t"], conflict[3]["c"]) == (conflict[4]["t"], 103.5)
    assert conflict[4]["c"] == 105.04


def test_a_frozen_feed_repeats_the_price_at_which_it_stopped() -> None:
    """Bars and quotes alike; the market goes on."""
    engine, answer = shown("data_frozen")

    assert column(answer["X"], "c") == [100.5, 101.5, 102.5, 102.5, 102.5]
    assert answer["quote"]["bp"] == 102.49
    assert engine.price("X") == 1_045_000


def test_spikes_stale_quotes_and_times_without_a_zone() -> None:
    """A print 10 percent off; a quote an hour old; a naive time."""
    spike = shown("data_spike", end=OPEN + timedelta(minutes=4), factor=1.1)[1]["X"]
    assert [(row["h"], row["c"]) for row in spike[3:]] == [(113.85, 113.85), (105.0, 104.5)]
    assert shown("data_stale", seconds=60)[1]["quote"]["t"] == at(4)
    assert shown("data_naive")[1]["X"][3]["t"] == "2026-11-20T14:33:00"


def test_bars_before_their_time() -> None:
    """The newest as it was when it began; or one that has not ended."""
    partial = shown("data_partial")[1]["X"]
    assert [(row["h"], row["c"], row["v"]) for row in partial[3:]] == [
        (104.0, 103.5, 1000),
        (104.0, 104.0, 100),
    ]
    unclosed = shown("data_unclosed")[1]["X"]
    assert (len(unclosed), unclosed[-1]["t"], unclosed[-1]["v"]) == (6, at(5), 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_is_drawn_per_bar_and_the_same_whenever_it_is_asked_for(seed: int) -> None:
    """What was wrong stays wrong."""
    first = column(shown("data_zero", start=OPEN, probability=0.5, seed=seed)[1]["X"], "o")

    assert first == column(shown("data_zero", start=OPEN, probability=0.5, seed=seed)[1]["X"], "o")
