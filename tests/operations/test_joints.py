"""Where one part of the desk ends and another begins: nothing is lost, counted twice or left alone there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect import Task

from pipeline.domain.journal import Kind
from pipeline.domain.ledger import QUARANTINE, RECONCILIATION
from pipeline.domain.money import qty_decimal
from pipeline.domain.orders import Fill, Intent, IntentState, Order, Purpose, Side
from pipeline.domain.portfolio import BrokerPosition, cash_of
from pipeline.domain.trading_state import TradingState, Trigger
from pipeline.errors import AnswerUnreadable, BrokerUnavailable
from pipeline.operations.emergency import flatten
from pipeline.operations.reconciliation import reconcile
from pipeline.operations.sending import cancel
from pipeline.operations.stopping import stop
from pipeline.wiring.redaction import redact
from tasks.calling import _hiding, directly
from tests.cli.homes import marketday
from tests.operations.desks import Rehearsal, at, body_of, overlay, rehearsal
from tests.operations.test_emergencies import THIN
from tests.operations.test_lost_orders import LOST, failing, working
from tests.operations.test_stops import SMALLER

KILLS_ALL: dict[str, Any] = {"emergency_procedures": {"kill_switch": {"cancel_external": True}}}


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A session under way: a script, or a script and more configuration."""
    script, more = request.param if isinstance(request.param, tuple) else (request.param, {})
    with rehearsal(tmp_path, overlay(script, **THIN, **more)) as running:
        running.morning()
        yield running


def answers(desk: Rehearsal, **methods: Any) -> None:
    """Have the broker answer otherwise until the desk is started anew."""
    desk.broker.__dict__.update(methods)


def alerts(desk: Rehearsal) -> list[str]:
    """Return the events that people were told."""
    return [record.data["event"] for record in desk.records(Kind.ALERT)]


def ticks(desk: Rehearsal, *clocks: str) -> None:
    """Run the ticks of these instants."""
    for clock in clocks:
        desk.tick(clock)


def emergency_stop(desk: Rehearsal, closes: bool) -> dict[str, Any]:
    """Run the emergency-stop flow's body."""
    summary: dict[str, Any] = asyncio.run(
        body_of("emergency-stop")(directly, str(desk.config), "drill", closes)
    )
    return summary


def steps(desk: Rehearsal) -> dict[str, tuple[str, str]]:
    """Return outcome and evidence of each named action of the kill switch."""
    found = [record.data for record in desk.records(Kind.STEP)]
    named = [data for data in found if data["procedure"] == "emergency-stop"]
    return {data["name"]: (data["outcome"], data["evidence"]) for data in named}


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_lost_liquidation_order_goes_out_again_with_the_next_look(desk: Rehearsal) -> None:
    """Lost at 14:36; ten seconds later the same order goes out under its id, not another at 14:37:30."""
    ticks(desk, "14:35", "14:36")
    desk.broker.fault = LOST
    first = emergency_stop(desk, True)
    lost = desk.life()
    desk.broker.fault = working
    desk.to(at("14:36:10"))
    second = emergency_stop(desk, True)

    assert (lost.intent.purpose, lost.state) == (Purpose.LIQUIDATION, IntentState.UNKNOWN)
    assert (first["exits"], second["exits"]) == (1, 1)
    assert (desk.life().intent, desk.life().sends) == (lost.intent, 2)
    assert desk.received()[lost.intent.id] == 1


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_liquidating_ends_when_a_person_has_sold_our_shares_by_hand(desk: Rehearsal) -> None:
    """The books still say that we bought them: nothing is left to sell, so it is HALTED, and stays so."""
    ticks(desk, "14:35", "14:36")
    held = desk.ledger.positions["SPY"].quantity
    flatten(desk.desk.journal, "leave", "a person", desk.now())
    desk.exchange.control().trade("SPY", "sell", str(qty_decimal(held)), at=at("14:36:10"))
    desk.monitor("14:36:30")
    state, orders = desk.ledger.state, len(desk.received())
    ticks(desk, "14:37", "14:38")

    assert (desk.ledger.positions["SPY"].quantity, desk.ledger.closable) == (held, {})
    assert (state.state, state.reason) == (TradingState.HALTED, "flat after: leave")
    assert desk.ledger.state == state
    assert orders == len(desk.received()) == 2, "the entry, and the person's own"


@pytest.mark.parametrize("desk", [("+SPY 14:35", SMALLER)], indirect=True)
def test_a_stop_halves_what_is_left_after_a_person_sold_some(desk: Rehearsal) -> None:
    """A person sells half of what the strategy bought: half of the rest is to go, not nothing."""
    ticks(desk, "14:35", "14:36")
    held = desk.ledger.positions["SPY"].quantity
    desk.exchange.control().trade("SPY", "sell", str(qty_decimal(held // 2)), at=at("14:36:10"))
    desk.monitor("14:36:30")
    left = desk.ledger.closable["SPY"].quantity
    stop(desk.desk, Trigger.SYSTEM_ERROR, "a test", "test", desk.now())
    for clock in ("14:37", "14:37:30", "14:38"):
        desk.monitor(clock)

    assert left == held - held // 2
    assert desk.ledger.state.targets["SPY"] == left // 2
    assert desk.life().intent.purpose is Purpose.REDUCTION
    assert desk.ledger.closable["SPY"].quantity == left // 2


@pytest.mark.parametrize("desk", ["+THIN 14:35, +SPY 14:42"], indirect=True)
def test_a_cancel_that_is_answered_500_is_that_orders_own_trouble(desk: Rehearsal) -> None:
    """F61. Too old at 14:41, refused there and at 14:42: both passes end well, the second one buys SPY."""
    ticks(desk, "14:35", "14:36")
    desk.exchange.control().cancels("refused")
    ticks(desk, "14:41", "14:42")
    outcomes = [desk.ledger.runs["intraday-tick", at(clock)] for clock in ("14:41", "14:42")]
    wanted = desk.life("THIN")
    desk.exchange.control().cancels("normal")
    ticks(desk, "14:43", "14:44")

    assert outcomes == ["completed", "completed"]
    assert (desk.ledger.silent_since, desk.ledger.failures) == (None, 0)
    assert (wanted.state.terminal, wanted.cancel_requested) == (False, True)
    assert desk.life("THIN").state is IntentState.CANCELLED
    assert "SPY" in desk.ledger.positions


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_a_line_that_dies_at_a_cancel_is_a_dead_line(desk: Rehearsal) -> None:
    """The cancel fails, and so does the question after it: the pass ends, and the silence is counted."""
    ticks(desk, "14:35", "14:36")

    def cut(*_: object) -> None:
        raise BrokerUnavailable("rehearsal exchange", "the line is cut")

    def cut_here(_order_id: str) -> None:
        answers(desk, fetch_clock=cut)
        cut()

    answers(desk, cancel=cut_here)
    with pytest.raises(BrokerUnavailable):
        desk.tick("14:41")

    assert desk.ledger.silent_since is not None
    assert desk.life("THIN").cancel_requested


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_a_quarantine_takes_the_place_of_a_lock_that_would_release_itself(desk: Rehearsal) -> None:
    """SPY is locked by reconciliation when its order turns out overfilled: no clean look releases that."""
    desk.tick("14:35")
    lock = {"symbol": "SPY", "reason": "reconciliation: differs", "by": RECONCILIATION}
    desk.desk.journal.append(Kind.LOCK, lock, desk.now())
    fills = desk.broker.fetch_fills

    def doubled(since: Any) -> list[Fill]:
        return [one for fill in fills(since) for one in (fill, replace(fill, id=f"{fill.id}-again"))]

    answers(desk, fetch_fills=doubled)
    desk.tick("14:36")
    answers(desk, fetch_fills=fills)
    reconcile(desk.desk, "test", desk.now())

    assert desk.ledger.locked_by == {"SPY": QUARANTINE}
    assert "executed" in desk.ledger.locks["SPY"]


@pytest.mark.parametrize("desk", ["+THIN 14:35"], indirect=True)
def test_an_order_in_doubt_is_never_called_anybody_elses(desk: Rehearsal) -> None:
    """Its answer was lost, and the lists show it under another id, as after a replacement by a person.

    Neither order nor executions are EXTERNAL; once the broker tells of it, both are ours, booked once.
    """
    desk.broker.fault = failing("after", BrokerUnavailable("rehearsal exchange", "timeout"))
    desk.tick("14:35")
    desk.broker.fault = working
    find, listing, opened = desk.broker.fetch_order, desk.broker.fetch_orders, desk.broker.fetch_open_orders

    def unreadable(_client_id: str) -> Order:
        raise AnswerUnreadable("alpaca", "status is 7")

    def renamed(orders: Any) -> tuple[Order, ...]:
        return tuple(replace(order, client_id="another") for order in orders)

    answers(
        desk,
        fetch_order=unreadable,
        fetch_orders=lambda since: renamed(listing(since)),
        fetch_open_orders=lambda: renamed(opened()),
    )
    desk.to(at("14:36"))
    reconcile(desk.desk, "test", desk.now())
    doubted, tagged = desk.life("THIN"), desk.ledger.external_orders
    answers(desk, fetch_order=find, fetch_orders=listing, fetch_open_orders=opened)
    desk.tick("14:37")
    held = desk.desk.broker.fetch_positions()[0].quantity

    assert doubted.state is IntentState.UNKNOWN
    assert (tagged, desk.records(Kind.EXTERNAL)) == ((), [])
    assert desk.ledger.state.state is TradingState.NORMAL
    assert desk.life("THIN").booked == desk.ledger.positions["THIN"].quantity == held > 0


def sold_twice(desk: Rehearsal, intent: Intent) -> None:
    """Have the broker find the exit that was given up, executed: it holds that much less, and more cash."""
    broker: Any = desk.broker
    find, fills = broker.fetch_order, broker.fetch_fills
    positions, account = broker.fetch_positions, broker.fetch_account
    fill = Fill("late-1", "o-late", "", intent.symbol, intent.side, intent.quantity, 6_700_000, desk.now())
    order = Order("o-late", intent.id, intent.symbol, intent.side, intent.quantity, intent.quantity,
                  fill.price, IntentState.FILLED, "filled", desk.now())  # fmt: skip

    def held() -> tuple[BrokerPosition, ...]:
        there = {one.symbol: one.quantity for one in positions()}
        there[intent.symbol] = there.get(intent.symbol, 0) - intent.quantity
        return tuple(
            BrokerPosition(name, size, size, 6_700_000, 6_700_000) for name, size in there.items() if size
        )

    def richer() -> Any:
        now = account()
        return replace(now, cash=now.cash + cash_of(fill))

    answers(
        desk,
        fetch_order=lambda key: order if key == intent.id else find(key),
        fetch_fills=lambda since: (*fills(since), fill),
        fetch_positions=held,
        fetch_account=richer,
    )


@pytest.mark.parametrize("desk", ["+SPY 14:35, -SPY 14:40, -SPY 14:43"], indirect=True)
def test_an_exit_that_arrives_after_its_successor_leaves_no_short_position(desk: Rehearsal) -> None:
    """Lost at 14:40, given up by a person; its successor sells at 14:43; then the first is executed, too.

    The pass that sees it says so, locks SPY for a person, and buys back exactly what is short.
    """
    ticks(desk, "14:35", "14:36")
    desk.broker.fault = LOST
    desk.tick("14:40")
    desk.broker.fault = working
    lost = desk.life()
    cancel(desk.desk, lost.intent.id, "a person asked", desk.now())
    ticks(desk, "14:42", "14:43", "14:44")
    flat = dict(desk.ledger.positions)
    desk.to(at("14:45"))
    sold_twice(desk, lost.intent)
    desk.tick("14:45")
    short, cover, locks = desk.ledger.positions["SPY"], desk.life(), dict(desk.ledger.locked_by)
    ticks(desk, "14:46", "14:47")

    assert (lost.intent.purpose, flat) == (Purpose.EXIT, {})
    assert short.quantity == -lost.intent.quantity
    assert locks == {"SPY": QUARANTINE}
    assert {"late_order", "unintended_short"} <= set(alerts(desk))
    assert (cover.intent.side, cover.intent.purpose) == (Side.BUY, Purpose.REDUCTION)
    assert (cover.intent.quantity, cover.sends) == (lost.intent.quantity, 1)
    assert desk.ledger.positions == {}
    assert desk.ledger.locked_by == {"SPY": QUARANTINE}
    assert desk.ledger.state.state is TradingState.NORMAL


@pytest.mark.parametrize("desk", ["+THIN 14:35", ("+THIN 14:35", KILLS_ALL)], indirect=True)
def test_a_kill_leaves_orders_of_others_alone_unless_it_is_configured_otherwise(desk: Rehearsal) -> None:
    """F82. Ours goes in either case; a person's own goes with `cancel_external`, and the record says so."""
    desk.tick("14:35")
    theirs = desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")
    emergency_stop(desk, False)
    left = [order.id for order in desk.desk.broker.fetch_open_orders()]
    configured = desk.desk.plan.emergency.cancels_external

    assert left == ([] if configured else [theirs["id"]])
    wanted = ("ok", "1 order of others asked to go, none is left") if configured else None
    assert steps(desk).get("cancel_external_orders") == wanted


@pytest.mark.parametrize("desk", [("+SPY 14:35", KILLS_ALL)], indirect=True)
def test_a_kill_from_the_command_line_names_the_orders_of_others_that_are_left(desk: Rehearsal) -> None:
    """Each cancel is refused: unconfirmed is said, recorded, and the exit code. Asked again, it goes."""
    desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")
    desk.exchange.control().cancels("refused")
    refused = marketday("halt", "--reason", "drill", "--home", desk.home)
    desk.exchange.control().cancels("normal")
    done = marketday("halt", "--reason", "drill", "--home", desk.home)

    assert (refused.exit_code, done.exit_code) == (3, 0)
    assert "1 order of others asked to go, 1 UNCONFIRMED" in refused.stdout
    assert steps(desk)["cancel_external_orders"][0] == "warn"
    assert desk.desk.broker.fetch_open_orders() == ()


@pytest.mark.parametrize("desk", [("+SPY 14:35", KILLS_ALL)], indirect=True)
def test_orders_of_others_are_cancelled_one_by_one_beside_an_exit_that_must_stay(desk: Rehearsal) -> None:
    """A second kill while everything is being sold: the sale is not cancelled with a person's order."""
    ticks(desk, "14:35", "14:36")
    emergency_stop(desk, True)
    sale = desk.life()
    desk.by_hand(symbol="QQQ", side="buy", qty="1", type="limit", limit_price="100")
    emergency_stop(desk, True)
    left = [order.client_id for order in desk.desk.broker.fetch_open_orders()]

    assert sale.intent.purpose is Purpose.LIQUIDATION
    assert left == [sale.intent.id]


def test_a_blocked_account_says_why_before_the_open(tmp_path: Path) -> None:
    """Trading suspended by its owner: NO-GO, in the broker's word."""
    with rehearsal(tmp_path) as desk:
        desk.account_settings(suspend_trade=True)
        desk.run("plan-session", at("12:00"))
        desk.run("pre-market", at("13:30"))
        found = [
            record.data["evidence"] for record in desk.records(Kind.STEP) if record.data["outcome"] == "fail"
        ]

    assert any(text.endswith(": trade_suspended_by_user") for text in found), found


@pytest.mark.parametrize("desk", ["+SPY 14:35"], indirect=True)
def test_an_error_nobody_foresaw_tells_no_secret(desk: Rehearsal) -> None:
    """A library puts the key into its message: the halt, the run's record, alerts and the error hide it."""
    canary = "PKCANARY-unforeseen-7Q2Z"
    redact([canary])

    def leaking() -> None:
        raise ValueError(f"cannot parse the header APCA-API-KEY-ID: {canary}")

    answers(desk, fetch_account=leaking)
    with pytest.raises(ValueError, match="cannot parse the header") as caught:
        desk.tick("14:35")
    written = (desk.home / "journal" / "rehearsal.jsonl").read_text()

    assert canary not in str(caught.value)
    assert desk.ledger.state.state is TradingState.HALTED
    assert "APCA-API-KEY-ID: •••" in desk.ledger.state.reason
    assert {"system_error", "trading_halted", "run_failed"} <= set(alerts(desk))
    assert canary not in written


def test_an_error_keeps_its_kind_without_its_secret() -> None:
    """What an error is decides whether a step is tried again; one that cannot be cleaned becomes another."""
    canary = "sk-canary-of-a-task-55"
    redact([canary])

    def raised(error: Exception) -> Exception:
        async def body() -> None:
            raise error

        with pytest.raises(Exception, match="•••") as caught:
            asyncio.run(_hiding(Task(body)).fn())
        return caught.value

    away = raised(BrokerUnavailable("alpaca", f"refused {canary}", sent=False))
    nested = raised(ValueError(ValueError(canary)))

    assert isinstance(away, BrokerUnavailable)
    assert (away.reason, away.sent) == ("refused •••", False)
    assert (type(nested), str(nested)) == (RuntimeError, "ValueError: •••")
    assert nested.__suppress_context__
