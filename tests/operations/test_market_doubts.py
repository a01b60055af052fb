"""Doubts about the world outside the bars: clocks, calendars, halts, instruments, and very many symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.orders import Purpose
from pipeline.domain.session import Session
from pipeline.domain.signals import Signal
from pipeline.operations.doubting import doubted
from pipeline.operations.observing import observe_bars
from pipeline.operations.passes import trading_pass
from pipeline.operations.projecting import wait_projected
from pipeline.operations.report_incidents import load_incidents
from pipeline.operations.trading import judge, signals_of
from pipeline.ports import Clock
from tests.operations import test_data_faults as bars
from tests.operations.desks import DAY, Rehearsal, at, overlay, rehearsal
from tests.operations.test_data_faults import spoil, told, verdicts

desk = bars.desk


@pytest.mark.parametrize("desk", ["+SPY 14:41, +QQQ 14:41"], indirect=True)
def test_a_broker_that_says_closed_while_we_think_open_stops_new_risk(desk: Rehearsal) -> None:
    """An unscheduled closure: every symbol is refused under its own code, and people are told."""
    desk.exchange.control().clock(is_open=False)
    desk.desk.memory.clock_asked = None  # it is asked every five minutes
    desk.tick("14:41")

    assert verdicts(desk) == {"SPY": ["calendar_disagrees"], "QQQ": ["calendar_disagrees"]}
    assert told(desk, "calendar_disagrees") == ["Broker and calendar of XNYS disagree"]


def test_a_clock_that_differs_from_the_brokers_warns_and_then_stops_new_risk(desk: Rehearsal) -> None:
    """Ours differs by so many seconds: above 2 s people are told, above 5 s nothing is entered."""
    desk.to(at("14:41"))
    found = {}
    for seconds in (0, 2, -3, 5, -6, 120, -120):
        real = replace(desk.desk, virtual=False, clock=Skewed(desk.desk.clock, seconds))
        real.memory.clock_asked = None
        market = doubted(real, session(desk), observe_bars(real, session(desk), at("14:41")), desk.now())
        verdict = judge(real, session(desk), market, [wish("SPY", market.prices["SPY"])])[0].verdict
        codes = [breach.limit for breach in verdict.breaches]
        found[seconds] = (codes, len(told(desk, "clock_skew")))

    assert found == {
        0: ([], 0),
        2: ([], 0),
        -3: ([], 1),
        5: ([], 1),
        -6: (["clock_skew"], 1),
        120: (["clock_skew"], 1),
        -120: (["clock_skew"], 1),
    }


def test_a_clock_that_jumps_repeats_nothing(desk: Rehearsal) -> None:
    """Two minutes back, the tick is early; in time it is done, once; two minutes ahead it is too late."""
    desk.to(at("14:41"))

    def skipped(seconds: int, clock: str) -> str:
        skewed = replace(desk.desk, clock=Skewed(desk.desk.clock, seconds))
        with trading_pass(skewed, "intraday-tick", at(clock), "test") as run:
            return run.skipped.partition(":")[0]

    assert skipped(-120, "14:41") == "early"
    assert desk.tick("14:41").get("skipped") is None
    assert skipped(0, "14:41") == "done"
    desk.to(at("14:42"))
    assert skipped(120, "14:42") == "stale"
    assert sum(desk.received().values()) == 2


@dataclass(frozen=True)
class Skewed:
    """A clock that is wrong by so many seconds."""

    clock: Clock
    seconds: int

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.seconds)


def session(desk: Rehearsal) -> Session:
    return desk.desk.sessions.at_or_after(DAY)


def wish(symbol: str, price: int) -> Signal:
    return Signal(symbol, "Scripted", 1, 1_000, price)


@pytest.mark.parametrize("desk", ["+SPY 14:35, +QQQ 14:50"], indirect=True)
def test_a_halted_symbol_gets_no_order_and_counts_in_full(desk: Rehearsal) -> None:
    """Bought at 09:35, halted from 09:40, 20 % lower in truth: no stop goes out where nobody trades."""
    for clock in ("14:35", "14:36", "14:37"):
        desk.tick(clock)
    desk.to(at("14:40"))
    control = desk.exchange.control()
    control.halt_symbol("SPY", until=at("15:30"))
    control.shock("SPY", "0.8")
    for clock in ("14:44", "14:45", "14:50"):
        desk.tick(clock)
        desk.monitor(f"{clock}:30")
    lives = [life for life in desk.ledger.lives.values() if life.intent.symbol == "SPY"]

    assert [life.intent.purpose for life in lives] == [Purpose.ENTRY]
    assert "SPY" in desk.ledger.positions
    assert verdicts(desk)["QQQ"] == []


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_position_whose_stop_cannot_be_evaluated_is_told_once_and_is_an_incident(desk: Rehearsal) -> None:
    """Halted at 09:40, two bars are no news and three minutes of patience: told after 09:45, not before."""
    for clock in ("14:35", "14:36"):
        desk.tick(clock)
    desk.to(at("14:40"))
    desk.exchange.control().halt_symbol("SPY", until=at("15:30"))
    before = {}
    for minute in range(41, 50):
        desk.tick(f"14:{minute}")
        before[minute] = told(desk, "data_stale")
        desk.monitor(f"14:{minute}:30")
    wait_projected(desk.desk)
    incidents = [one for one in load_incidents(desk.desk.store, DAY) if one.what == "stale data: SPY"]

    assert before[45] == []
    assert before[49] == told(desk, "data_stale") == ["Data of SPY is stale"]
    assert ["its stop cannot be evaluated" in one.why for one in incidents] == [True]


def test_a_symbol_that_is_no_longer_traded_is_refused_and_the_broker_was_asked_when_it_went_silent(
    desk: Rehearsal,
) -> None:
    """Delisted in mid-session: no bars come, the broker is asked again, and the gate names the instrument."""
    desk.tick("14:40")
    control = desk.exchange.control()
    control.asset("SPY", status="inactive", tradable=False)
    spoil(desk, "data_missing", "14:40", "14:41")
    desk.tick("14:41")

    assert desk.desk.memory.instruments["SPY"].tradable is False
    assert verdicts(desk) == {"QQQ": []}


def test_before_the_open_nothing_is_entered(desk: Rehearsal) -> None:
    """09:29 in New York, entries switched on by mistake: the regular session is not open."""
    market = observe_bars(desk.desk, session(desk), at("14:29"))
    fresh = replace(market, prices_at=dict.fromkeys(market.prices, at("14:29")))
    verdict = judge(desk.desk, session(desk), fresh, [wish("SPY", market.prices["SPY"])])[0].verdict

    assert [breach.limit for breach in verdict.breaches] == ["outside_hours"]


def test_one_bar_gives_no_signal_to_who_needs_more(desk: Rehearsal) -> None:
    desk.to(at("14:35"))
    market = observe_bars(desk.desk, session(desk), at("14:35"))
    one = replace(market, bars={symbol: held[-1:] for symbol, held in market.bars.items()})

    assert len(signals_of(desk.desk, market)) == 2
    assert signals_of(desk.desk, one) == ()


def test_five_hundred_symbols_are_one_request_and_nothing_is_a_defined_result(tmp_path: Path) -> None:
    """500 symbols a request (Alpaca's limit is higher); no symbols at all, and one bar, give no signal."""
    names = ["SPY", *(f"S{number:03}" for number in range(499))]
    with rehearsal(tmp_path, overlay("+SPY 14:41", data={"symbols": names}), overrides=CHEAP) as desk:
        data: Any = desk.desk.data
        asked = Counted(data._stocks.ask)
        data._stocks.ask = asked
        session_of = session(desk)
        desk.to(at("14:41"))
        market = observe_bars(desk.desk, session_of, at("14:41"))

        assert len(market.prices) == 500
        assert asked.count == 1
        assert signals_of(replace(desk.desk, symbols=()), market) == ()


@dataclass
class Counted:
    """Counts requests on their way."""

    ask: Any
    count: int = 0

    def __call__(self, *arguments: Any) -> Any:
        self.count += 1
        return self.ask(*arguments)


CHEAP = ("rehearsal.symbols={}",)
