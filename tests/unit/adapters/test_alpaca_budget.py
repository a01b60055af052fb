"""The minute's requests: what is kept for cancels, what waits, and what "too many" brings about."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.alpaca import AlpacaBroker, AlpacaMarketData
from pipeline.adapters.alpaca.budget import Allowance, Budget
from pipeline.adapters.alpaca.gate import block_seconds
from pipeline.domain.market import Timeframe
from pipeline.errors import BrokerRefused, BrokerUnavailable, ConfigurationError, DataUnavailable
from tests.unit.adapters.fake_alpaca import FakeAlpaca, fake_alpaca, says, settings_for
from tests.unit.adapters.test_alpaca_reads import real_settings
from tests.unit.adapters.test_alpaca_submit import INTENT, POST

ACCOUNT = "GET /v2/account"
RICH = {"account_number": "PA1", "equity": "1", "cash": "1"}


@dataclass
class Time:
    """A monotonic clock that only sleeping and the test move."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def a_budget(passing: Time, **changes: Any) -> Budget:
    return Budget(Allowance(**changes), passing.clock, passing.sleep)


def test_a_fifth_is_left_for_cancels_when_everything_else_is_spent() -> None:
    """200 a minute: 160 submissions leave at once, no more; then 40 cancels still do, and no 41st."""
    passing = Time()
    budget = a_budget(passing)
    submitted = [budget.admit(urgent=False, may_wait=False) for _ in range(200)]
    cancelled = [budget.admit(urgent=True, may_wait=False) for _ in range(60)]

    assert (submitted.count(""), cancelled.count("")) == (160, 40)
    assert submitted[-1] == "the requests of this minute are spent, the next may leave in 0.4 s"
    assert passing.slept == []


def test_reads_wait_their_turn_and_no_longer_than_five_seconds_a_minute() -> None:
    """160 a minute are 2.67 a second: in five seconds of patience 13 more leave, the 14th is refused."""
    passing = Time()
    budget = a_budget(passing)
    admitted = [budget.admit(urgent=False, may_wait=True) for _ in range(180)]

    assert admitted.count("") == 160 + 14
    assert sum(passing.slept) <= 5.0 + 0.5


def test_a_minute_later_everything_may_be_spent_again() -> None:
    passing = Time()
    budget = a_budget(passing)
    for _ in range(300):
        budget.admit(urgent=True, may_wait=False)
    passing.now += 60.0

    assert [budget.admit(urgent=True, may_wait=False) for _ in range(210)].count("") == 200


def test_what_other_processes_spent_is_heeded() -> None:
    """The broker says that 45 are left of the minute: 40 of them are kept, so five may leave."""
    budget = a_budget(Time())
    budget.told(45)

    assert [budget.admit(urgent=False, may_wait=False) for _ in range(9)].count("") == 5
    assert budget.admit(urgent=True, may_wait=False) == ""


def test_too_many_stops_everything_but_what_is_kept_for_cancels() -> None:
    """Blocked for 20 s: nobody sleeps that long, a cancel is tried, and 20 s later all goes on."""
    passing = Time()
    budget = a_budget(passing)
    budget.block(20.0)

    assert budget.admit(urgent=False, may_wait=True).endswith("may leave in 20.0 s")
    assert budget.admit(urgent=True, may_wait=False) == ""
    passing.now += 20.0
    assert budget.admit(urgent=False, may_wait=False) == ""
    assert passing.slept == []


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.0, 5.0)), min_size=50, max_size=400)
)
def test_no_minute_sees_more_than_two_budgets_and_none_waits_beyond_its_patience(
    asked: list[tuple[bool, bool, float]],
) -> None:
    """A bucket lets a full one and a minute's refill pass, never more; patience likewise."""
    passing = Time()
    budget = a_budget(passing, per_minute=60, reserve=20)
    left: list[float] = []
    for urgent, may_wait, pause in asked:
        passing.now += pause * 0.1
        if budget.admit(urgent, may_wait) == "":
            left.append(passing.now)

    assert all(sum(start <= at < start + 60.0 for at in left) <= 120 for start in left)
    assert sum(passing.slept) <= 5.0 + (passing.now - 100.0) * 5.0 / 60.0 + 0.01


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        (
            {"X-RateLimit-Reset": "1795000030", "Date": "Wed, 18 Nov 2026 10:26:40 GMT"},
            1_795_000_030 - 1_794_997_600,
        ),
        ({"X-RateLimit-Reset": "1795000030"}, 30.0),
        ({"X-RateLimit-Reset": "1795000030", "Date": "soon"}, 30.0),
        ({}, 10.0),
    ],
)
def test_a_limit_says_for_how_long_by_the_brokers_own_clock(headers: dict[str, str], seconds: float) -> None:
    """Our clock, here at 1,795,000,000, is asked only where the broker does not tell its own."""
    assert block_seconds(headers, 1_795_000_000.0) == seconds


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    with fake_alpaca() as server:
        yield server


def test_one_answer_of_too_many_silences_submissions_and_not_cancels(alpaca: FakeAlpaca) -> None:
    """F35. Until the limit is reset no order is posted, each was certainly not sent; a cancel still goes."""
    broker = AlpacaBroker(settings_for(alpaca.url))
    alpaca.scripts[POST] = says(429, {"code": 42910000, "message": "slow down"}, Retry_After="30")
    reasons = []
    for _ in range(5):
        with pytest.raises(BrokerUnavailable) as caught:
            broker.submit(INTENT)
        reasons.append((caught.value.sent, alpaca.count(POST)))
    alpaca.scripts["DELETE /v2/orders/a-1"] = says(204)
    broker.cancel("a-1")

    assert reasons == [(False, 1)] * 5
    assert alpaca.count("DELETE /v2/orders/a-1") == 1


def test_what_the_broker_says_is_left_reaches_the_budget(alpaca: FakeAlpaca) -> None:
    """Twenty left of the minute: all kept. The next order is not sent, at once; a look-up goes."""
    broker = AlpacaBroker(settings_for(alpaca.url, requests_per_minute=200))
    alpaca.scripts[ACCOUNT] = says(200, RICH, X_RateLimit_Remaining="20")
    broker.fetch_account()
    with pytest.raises(BrokerUnavailable, match="requests of this minute are spent") as caught:
        broker.submit(INTENT)

    assert not caught.value.sent
    assert alpaca.orders == {}
    assert broker.fetch_order(INTENT.id) is None


def test_a_revoked_key_is_shown_once_and_again_after_a_pause(alpaca: FakeAlpaca) -> None:
    """F42. Twenty questions of one pass are one request; when the key holds again, all goes on."""
    broker = AlpacaBroker(settings_for(alpaca.url, refused_pause=0.2))
    alpaca.scripts[ACCOUNT] = says(401, {"message": "unauthorized."})
    for _ in range(20):
        with pytest.raises(BrokerRefused):
            broker.fetch_account()
        with pytest.raises(BrokerRefused):
            broker.cancel("a-1")
    assert alpaca.count(ACCOUNT) == 1
    assert alpaca.count("DELETE /v2/orders/a-1") == 0

    alpaca.scripts[ACCOUNT] = says(200, RICH)
    time.sleep(0.25)
    assert broker.fetch_account().number == "PA1"
    assert broker.fetch_account().number == "PA1"


def test_an_order_that_is_forbidden_does_not_stop_the_questions(alpaca: FakeAlpaca) -> None:
    """403 with a code is about that order (buying power, wash trade), not about us."""
    broker = AlpacaBroker(settings_for(alpaca.url, refused_pause=60.0))
    alpaca.scripts["DELETE /v2/orders/a-1"] = says(403, {"code": 40310000, "message": "not yours"})
    alpaca.scripts[ACCOUNT] = says(200, RICH)
    with pytest.raises(BrokerRefused):
        broker.cancel("a-1")

    assert broker.fetch_account().number == "PA1"


def test_news_that_are_not_subscribed_do_not_silence_the_bars(alpaca: FakeAlpaca) -> None:
    data = AlpacaMarketData(settings_for(alpaca.url, refused_pause=60.0))
    now = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    alpaca.scripts["GET /v1beta1/news"] = says(403, {"message": "subscription does not permit"})
    alpaca.scripts["GET /v2/stocks/bars"] = says(200, {"bars": {}, "next_page_token": None})
    with pytest.raises(DataUnavailable):
        data.fetch_headlines(["SPY"], now)

    assert data.fetch_bars(["SPY"], Timeframe.ONE_MINUTE, now - timedelta(minutes=5), now)["SPY"] == []
    data.close()


def test_twenty_orders_are_cancelled_in_time_although_the_minute_is_spent(alpaca: FakeAlpaca) -> None:
    """An account of 100 a minute has nothing left for orders: 20 cancels leave all the same, within 5 s."""
    broker = AlpacaBroker(settings_for(alpaca.url, requests_per_minute=100))
    alpaca.scripts[ACCOUNT] = says(200, RICH)
    for _ in range(82):
        broker.fetch_account()
    with pytest.raises(BrokerUnavailable, match="requests of this minute are spent"):
        broker.submit(INTENT)
    began = time.monotonic()
    for i in range(20):
        alpaca.scripts[f"DELETE /v2/orders/o-{i}"] = says(204)
        broker.cancel(f"o-{i}")

    assert sum(route.startswith("DELETE") for route, _ in alpaca.asked) == 20
    assert time.monotonic() - began < 2.0


def test_a_budget_too_small_for_its_reserve_is_refused() -> None:
    paper = real_settings("paper", "https://paper-api.alpaca.markets", "PK1")

    assert (paper.trading_allowance, paper.data_allowance) == (Allowance(200, 40), Allowance(200, 0))
    with pytest.raises(ConfigurationError, match="40 or more"):
        settings_for("http://127.0.0.1:1", requests_per_minute=30)


def test_a_rehearsal_has_no_limit_of_its_own() -> None:
    """Virtual hours pass in seconds: 5,000 requests in no time, and none waits."""
    passing = Time()
    budget = Budget(settings_for("http://127.0.0.1:1").trading_allowance, passing.clock, passing.sleep)

    assert {budget.admit(urgent=False, may_wait=False) for _ in range(5_000)} == {""}
