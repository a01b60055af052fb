"""What the broker tells of an order, in any order of telling: one life, one position."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Fill, IntentState, Order, Purpose, Side
from pipeline.errors import AppendRefused, IllegalTransition
from tests.unit.domain.making import SPY_PRICE, T0, Paper, a_fill, an_intent

ENTRY = an_intent(Side.BUY, 100, Purpose.ENTRY)
ACKED, PARTIAL, FILLED, CANCELLED, EXPIRED, REJECTED = (
    IntentState(name) for name in ("acked", "partial", "filled", "cancelled", "expired", "rejected")
)


def word(state: IntentState, filled: int = 0, order_id: str = "") -> Order:
    """Return what the broker says of the entry's order."""
    name = order_id or f"o-{ENTRY.id}"
    return Order(name, ENTRY.id, "SPY", Side.BUY, 100, filled, SPY_PRICE, state, state.value, T0)


def sent() -> Paper:
    """Return a journal in which the entry has left, and no answer was heard."""
    paper = Paper().lease()
    paper.append(Kind.OPENING, {"cash": 10**9, "positions": {}})
    paper.plan(ENTRY)
    paper.send(ENTRY)
    return paper


def given_up() -> Paper:
    """Return a journal in which the entry was lost and given up."""
    paper = sent()
    paper.append(Kind.UNKNOWN, {"intent_id": ENTRY.id, "reason": "timeout"})
    paper.append(Kind.VETOED, {"intent_id": ENTRY.id, "reason": "too old"})
    return paper


def hear(paper: Paper, order: Order) -> None:
    """Journal what is news of a word, as recovery does."""
    life = paper.life(ENTRY)
    heard = life.heard(order)
    if heard == life:
        return
    if heard.state is ACKED and life.state is not ACKED:
        paper.append(Kind.ACKED, {"intent_id": ENTRY.id, "order_id": order.id})
        return
    data = {"intent_id": ENTRY.id, "order_id": order.id, "state": heard.state.value}
    paper.append(Kind.ORDER, data | {"filled": heard.filled, "raw_status": order.raw_status})


def book(paper: Paper, fill: Fill) -> None:
    """Journal an execution that is not journalled yet."""
    if fill.id not in paper.ledger.fills:
        paper.append(Kind.FILL, encode(fill))


ENDS = {
    "filled": (word(FILLED, 100), FILLED, (30, 30, 40)),
    "cancelled": (word(CANCELLED, 60), CANCELLED, (30, 30)),
    "expired": (word(EXPIRED, 60), EXPIRED, (30, 30)),
    "rejected after executions": (word(REJECTED, 60), CANCELLED, (30, 30)),
    "cancelled, and filled all the same": (word(FILLED, 100), FILLED, (30, 30, 40)),
}
"""How a broker may end an order: its last word, our word for it, and the executions."""
TWICE = st.integers(1, 2)


@pytest.mark.parametrize("how", ENDS)
@given(data=st.data())
def test_any_order_of_events_told_once_or_twice_gives_the_same_life(how: str, data: st.DataObject) -> None:
    """Acknowledged, 30, 60, the end, and its executions: shuffled, some told twice, fills before the ack.

    Whatever comes first, the end is the same state, the same number executed and booked, the same cash.
    """
    last, state, parts = ENDS[how]
    words = [word(ACKED), word(PARTIAL, 30), word(PARTIAL, 60), last]
    if how.startswith("cancelled, and"):
        words.append(word(CANCELLED, 60))
    fills = [a_fill(ENTRY, quantity, number) for number, quantity in enumerate(parts)]
    happened: list[Order | Fill] = [*words, *fills]
    events = [one for one in happened for _ in range(data.draw(TWICE))]
    paper = sent()
    for event in data.draw(st.permutations(events)):
        if isinstance(event, Order):
            hear(paper, event)
        else:
            book(paper, event)
    life, quantity = paper.life(ENTRY), sum(parts)

    assert (life.state, life.filled, life.booked, life.unsettled) == (state, quantity, quantity, 0)
    assert paper.ledger.positions["SPY"].quantity == quantity
    assert paper.ledger.cash == 10**9 - sum((SPY_PRICE * part + 5_000_000) // 10_000_000 for part in parts)
    assert paper.ledger.open_lives == ()


def test_a_cancel_never_means_that_nothing_was_executed() -> None:
    """The cancel is confirmed with 60 executed; 40 more are told afterwards. The position is the broker's."""
    paper = sent()
    hear(paper, word(CANCELLED, 60))
    counted = paper.life(ENTRY).unsettled
    hear(paper, word(FILLED, 100))

    assert counted == 60
    assert (paper.life(ENTRY).state, paper.life(ENTRY).unsettled) == (FILLED, 100)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (word(ACKED), ACKED),
        (word(PARTIAL, 40), PARTIAL),
        (word(FILLED, 100), FILLED),
        (word(CANCELLED, 40), CANCELLED),
        (word(REJECTED), CANCELLED),
        (replace(word(ACKED), state=IntentState.UNKNOWN, raw_status="brand_new"), ACKED),
    ],
)
def test_what_was_given_up_rises_by_the_brokers_word_and_counts_again(
    told: Order, state: IntentState
) -> None:
    """Sent and never seen: until the broker shows it, nothing counts; then what may still move does."""
    paper = given_up()
    before = paper.life(ENTRY)
    hear(paper, told)
    life = paper.life(ENTRY)

    assert (before.tombstone, before.unsettled, set(paper.ledger.tombstones)) == (True, 0, set())
    assert (life.state, life.late, life.order_id) == (state, True, f"o-{ENTRY.id}")
    assert life.unsettled == (100 if state in (ACKED, PARTIAL, FILLED) else told.filled)


def test_a_tombstone_is_raised_by_nobody_but_the_broker() -> None:
    """No send, no doubt and no rejection brings it back; and what was never sent stays down for good."""
    paper = given_up()
    for kind, more in ((Kind.SENDING, {"quantity": 100}), (Kind.UNKNOWN, {}), (Kind.REJECTED, {"code": "c"})):
        with pytest.raises(AppendRefused, check=lambda error: error.code == "illegal"):
            paper.append(kind, {"intent_id": ENTRY.id, "reason": "r", **more})
    unsent = Paper().lease()
    unsent.plan(ENTRY)
    unsent.append(Kind.VETOED, {"intent_id": ENTRY.id, "reason": "changed my mind"})
    with pytest.raises(AppendRefused, check=lambda error: error.code == "illegal"):
        unsent.order(ENTRY, "acked")


def test_a_status_nobody_knows_says_that_the_order_is_there() -> None:
    """It counts in full, it can be cancelled by its number, and what it executed is heard."""
    strange = replace(word(ACKED), state=IntentState.UNKNOWN, raw_status="brand_new")
    life = OrderLife(ENTRY, IntentState.UNKNOWN, sends=1, sent_at=T0)

    assert life.heard(strange) == replace(life, state=ACKED, order_id=strange.id)
    assert life.heard(replace(strange, filled=30)).state is PARTIAL
    assert OrderLife(ENTRY, FILLED, strange.id, 100).heard(strange) == OrderLife(
        ENTRY, FILLED, strange.id, 100
    )


def test_an_order_that_was_replaced_is_counted_once_under_both_of_its_numbers() -> None:
    """The broker gave it another number: news, though nothing else changed. Executions of both are ours."""
    paper = sent()
    hear(paper, word(ACKED, order_id="first"))
    hear(paper, word(ACKED, order_id="second"))
    paper.append(Kind.FILL, encode(replace(a_fill(ENTRY, 30), order_id="first", intent_id="")))
    paper.append(Kind.FILL, encode(replace(a_fill(ENTRY, 70, 2), order_id="second", intent_id="")))
    hear(paper, word(FILLED, 100, order_id="second"))

    assert paper.ledger.by_order == {"first": ENTRY.id, "second": ENTRY.id}
    assert (paper.life(ENTRY).order_id, paper.life(ENTRY).booked) == ("second", 100)
    assert paper.ledger.open_lives == ()


def test_an_order_number_belongs_to_one_intent() -> None:
    paper = sent()
    paper.order(ENTRY, "acked")
    other = an_intent(Side.BUY, 100, Purpose.ENTRY, 1, "QQQ")
    paper.plan(other)
    paper.send(other)
    data = {"intent_id": other.id, "order_id": f"o-{ENTRY.id}", "state": "partial", "filled": 1}
    with pytest.raises(AppendRefused, match="of another intent"):
        paper.append(Kind.ORDER, data | {"raw_status": "partial"})


def test_what_certainly_never_left_was_not_sent() -> None:
    """Refused before it connected: it counts until it is resolved, may shrink, and goes out as new."""
    paper = Paper().lease()
    paper.plan(ENTRY)
    paper.send(ENTRY)
    paper.append(Kind.UNKNOWN, {"intent_id": ENTRY.id, "reason": "connection refused", "sent": False})
    life = paper.life(ENTRY)
    paper.send(ENTRY, 60)

    assert (life.state, life.sends, life.unsettled) == (IntentState.UNKNOWN, 0, 100)
    assert (paper.life(ENTRY).sends, paper.life(ENTRY).intent.quantity) == (1, 60)


def test_only_an_order_executed_in_full_is_filled_after_another_end() -> None:
    for end in (CANCELLED, EXPIRED):
        life = OrderLife(ENTRY, end, "o-1", filled=99, sends=1, sent_at=T0)
        with pytest.raises(IllegalTransition):
            life.move(FILLED, T0 + timedelta(minutes=1))
        assert life.executed(100).move(FILLED, T0).state is FILLED


def test_what_the_broker_cannot_hold_is_a_contradiction() -> None:
    rejected = OrderLife(ENTRY, REJECTED, sends=1, sent_at=T0)

    assert rejected.contradicted(word(ACKED))
    assert OrderLife(ENTRY, ACKED, "o-1").contradicted(word(FILLED, 101))
    assert not OrderLife(ENTRY, CANCELLED, "o-1", 60).contradicted(word(PARTIAL, 30))
