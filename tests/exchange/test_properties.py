"""What holds for every sequence of commands."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.money import notional
from pipeline.exchange.config import Costs, SymbolProfile
from pipeline.exchange.engine import Engine
from pipeline.exchange.ledger import held_by_sells
from pipeline.exchange.orders import Order, Refused
from tests.exchange.markets import WrittenMarket, an_engine, at_open

CASH = 12_000_000_000
MINUTES = 12

moves = st.tuples(st.integers(9_500, 10_500), st.integers(0, 300), st.integers(0, 300), st.integers(0, 900))
"""Open in cents, how far the bar goes up and down from it, and its volume."""

qtys = st.sampled_from(["1", "3", "5", "12.5", "20", "50"])
offsets = st.integers(-300, 300)

submissions = st.builds(
    dict,
    do=st.just("submit"),
    qty=qtys,
    side=st.sampled_from(["buy", "sell"]),
    kind=st.sampled_from(["market", "limit", "stop", "stop_limit"]),
    order_class=st.sampled_from(["simple", "simple", "bracket", "oco", "oto"]),
    limit=offsets,
    stop=offsets,
    time_in_force=st.sampled_from(["day", "gtc"]),
)
others = st.one_of(
    st.builds(dict, do=st.just("advance"), by=st.integers(0, 3)),
    st.builds(dict, do=st.just("cancel"), which=st.integers(0, 30)),
    st.builds(dict, do=st.just("replace"), which=st.integers(0, 30), qty=qtys),
)
commands = st.lists(st.one_of(submissions, submissions, others), min_size=1, max_size=25)


def an_order(command: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a submission: prices lie around 100 dollars, families have sides that can be."""
    family = command["order_class"]
    kind = "limit" if family == "oco" else command["kind"]
    side = {"simple": command["side"], "oco": "sell"}.get(family, "buy")
    body = {"symbol": "X", "qty": command["qty"], "side": side, "type": kind, "order_class": family}
    body["time_in_force"] = command["time_in_force"]
    if "limit" in kind:
        body["limit_price"] = 102 if family == "oco" else 100 + command["limit"] / 100
    if "stop" in kind:
        body["stop_price"] = 100 + command["stop"] / 100
    if family in ("bracket", "oco"):
        body["take_profit"] = {"limit_price": 102}
    if family != "simple":
        body["stop_loss"] = {"stop_price": 98, "limit_price": 97.5 if command["limit"] > 200 else None}
    return body


def carry_out(engine: Engine, command: dict[str, Any]) -> None:
    """Give one command to the engine; a refusal is a legal answer."""
    ids = list(engine.book.registry.orders)
    with suppress(Refused):
        if command["do"] == "submit":
            engine.submit(an_order(command))
        elif command["do"] == "advance":
            engine.advance(max(engine.now, at_open(0)) + command["by"] * 30_000_000)
        elif ids and command["do"] == "cancel":
            engine.cancel(ids[command["which"] % len(ids)])
        elif ids:
            engine.replace(ids[command["which"] % len(ids)], {"qty": command["qty"]})


def final_orders(engine: Engine) -> dict[str, Order]:
    """Return the orders to which nothing can happen any more; who its legs are may still be said anew."""
    orders = engine.book.registry.orders
    return {key: replace(order, legs=()) for key, order in orders.items() if not order.is_open}


def check(engine: Engine) -> None:
    """Assert what must hold at every moment."""
    book = engine.book
    spent = sum(fill.side * notional(fill.price, fill.qty) + fill.fee for fill in book.fills)
    held = sum(fill.side * fill.qty for fill in book.fills)
    assert book.ledger.cash == CASH - spent
    assert book.ledger.quantity("X") == held >= 0
    assert held_by_sells(book.registry, "X") <= held
    assert set(book.registry.open) == {o.id for o in book.registry.orders.values() if o.is_open}
    for order in book.registry.orders.values():
        assert 0 <= order.filled <= order.ticket.qty
        assert (order.status == "filled") == (order.filled == order.ticket.qty)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(moves, min_size=MINUTES, max_size=MINUTES), commands=commands)
def test_money_and_shares_only_change_form_and_final_orders_never_change(
    rows: list[tuple[int, int, int, int]], commands: list[dict[str, Any]]
) -> None:
    """Cash is what fills and fees left; positions are what fills made; no order fills beyond its quantity.

    Shares are never oversold, whatever exits, cancels and replacements do to each other.
    """
    bars = [(o / 100, (o + up) / 100, (o - down) / 100, o / 100, volume) for o, up, down, volume in rows]
    market = WrittenMarket({"X": bars})
    market.profiles = {"X": SymbolProfile("X", 1_000_000)}
    engine = an_engine(market, Costs(3_500, 28, 20, 30), CASH)
    over: dict[str, Order] = {}
    engine.submit({"symbol": "X", "qty": "20", "side": "buy", "type": "market", "time_in_force": "day"})

    for command in commands:
        carry_out(engine, command)
        check(engine)
        after = final_orders(engine)
        assert over.items() <= after.items()
        over = after
