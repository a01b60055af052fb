"""What holds for every sequence of commands, changes and faults."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.money import notional
from pipeline.exchange.changes import advance, carry_out
from pipeline.exchange.engine import Engine
from pipeline.exchange.fault_book import FaultBook
from pipeline.exchange.fault_rules import FaultRule, parse_rule
from pipeline.exchange.orders import Refused
from pipeline.exchange.wire import account_json, log_json, order_json
from tests.exchange.markets import WrittenMarket, an_engine, at_open

CASH = 12_000_000_000
ROWS = [(100.0 + i % 3, 102.0 + i % 3, 98.0, 101.0, 40) for i in range(40)]

amounts = st.sampled_from(["0.01", "7", "250.5"])
keys = st.integers(0, 6).map("order-{}".format)
changes = st.one_of(
    st.builds(dict, kind=st.sampled_from(["deposit", "withdrawal", "fee", "interest"]), amount=amounts),
    st.builds(dict, kind=st.just("dividend"), symbol=st.just("X"), per_share=amounts),
    st.builds(dict, kind=st.just("split"), symbol=st.just("X"), new=st.integers(1, 4), old=st.integers(1, 4)),
    st.builds(dict, kind=st.just("shock"), symbol=st.just("X"), factor=st.sampled_from(["0.9", "1.2"])),
    st.builds(
        dict,
        kind=st.just("trade"),
        symbol=st.just("X"),
        side=st.sampled_from(["buy", "sell"]),
        qty=st.sampled_from(["1", "2.5"]),
    ),
    st.builds(dict, kind=st.just("fill"), order=keys, qty=st.sampled_from(["1", "3"])),
    st.builds(dict, kind=st.just("bust")),
    st.builds(dict, kind=st.just("correct"), price=st.sampled_from(["99", "101.5"])),
    st.builds(
        dict, kind=st.just("set_status"), order=keys, status=st.sampled_from(["held", "odd", "expired"])
    ),
    st.builds(
        dict,
        kind=st.just("cancels"),
        mode=st.sampled_from(["normal", "stuck", "filled"]),
        seconds=st.just(90),
    ),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), changes),
        st.tuples(st.just("plan"), changes),
        st.tuples(st.just("submit"), st.sampled_from(["buy", "sell"])),
        st.tuples(st.just("cancel"), keys),
        st.tuples(st.just("advance"), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=25,
)


def take(engine: Engine, step: tuple[str, Any], number: int) -> None:
    """Take one step; a refusal is a legal answer."""
    what, value = step
    with suppress(Refused):
        if what == "change":
            carry_out(engine, value)
        elif what == "plan":
            engine.plan(engine.now + 90_000_000, value)
        elif what == "submit":
            body = {"symbol": "X", "qty": "3", "side": value, "type": "market", "time_in_force": "day"}
            engine.submit(body | {"client_order_id": f"order-{number % 7}"})
        elif what == "cancel":
            registry = engine.book.registry
            engine.cancel(registry.by_client.get(value, value))
        else:
            advance(engine, engine.now + value * 30_000_000)


def check(engine: Engine) -> None:
    """Assert what must hold at every moment."""
    book = engine.book
    spent = sum(fill.side * notional(fill.price, fill.qty) + fill.fee for fill in book.fills)
    moved = sum(activity.money for activity in book.activities)
    assert book.ledger.cash == CASH - spent + moved
    assert all(holding.qty > 0 and holding.cost >= 0 for holding in book.ledger.holdings.values())
    assert book.ledger.held_at(engine.now) == book.ledger.holdings
    assert set(book.registry.open) == {o.id for o in book.registry.orders.values() if o.is_open}
    assert len({fill.id for fill in book.fills}) == len(book.fills)
    assert len({activity.id for activity in book.activities}) == len(book.activities)


def everything(engine: Engine) -> str:
    """Return the whole state as text."""
    orders = [order_json(engine, order, nested=True) for order in engine.book.registry.orders.values()]
    return json.dumps([account_json(engine), orders, [log_json(event) for event in engine.book.events]])


def run(taken: list[tuple[str, Any]]) -> Engine:
    """Return an engine after all steps, checked at each."""
    engine = an_engine(WrittenMarket({"X": ROWS}), cash=CASH)
    advance(engine, at_open(0))
    for number, step in enumerate(taken):
        take(engine, step, number)
        check(engine)
    return engine


@settings(max_examples=150, deadline=None)
@given(steps)
def test_every_dollar_is_explained_and_the_same_steps_lead_to_the_same_bytes(
    taken: list[tuple[str, Any]],
) -> None:
    """Cash is what executions and activities left, whatever is busted, split or forced; nothing is short."""
    assert everything(run(taken)) == everything(run(taken))


rules = st.builds(
    FaultRule,
    kind=st.sampled_from(["reset", "empty", "unknown_status"]),
    method=st.sampled_from(["", "GET", "POST"]),
    path=st.sampled_from(["", "/v2/orders$", "/v2/(orders|positions)"]),
    count=st.sampled_from([None, 0, 1, 3]),
    skip=st.integers(0, 3),
    probability=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 9),
)
requests = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST"]), st.sampled_from(["/v2/orders", "/v2/positions", "/v2/clock"])
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(asked=requests, wanted=st.lists(rules, max_size=3))
def test_faults_strike_the_same_requests_and_never_more_often_than_told(
    asked: list[tuple[str, str]], wanted: list[FaultRule]
) -> None:
    """Twice the same, also through JSON and interrupted by a restart that only remembers the strikes."""

    def strikes() -> tuple[list[str | None], list[dict[str, Any]]]:
        book = FaultBook()
        for rule in wanted:
            book.add(parse_rule(book.name(rule).to_json()), 0)
        struck = [book.of_request(method, path, 5) for method, path in asked]
        return [s and s.rule.id for s in struck], book.to_json()

    struck, standing = strikes()

    assert (struck, standing) == strikes()
    for rule, counted in zip(wanted, standing, strict=True):
        assert struck.count(counted["id"]) == counted["hits"] <= max(counted["seen"] - rule.skip, 0)
        assert not 0 < rule.limit < counted["hits"]
