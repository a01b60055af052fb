"""The projection is a pure function of the records, however they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.duckdb_store.connection import StoreMismatch, open_database
from pipeline.adapters.duckdb_store.projection import Digest, apply_records, load_digests
from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind, Record, seal
from pipeline.domain.ledger import Ledger
from pipeline.domain.market import Timeframe
from pipeline.domain.money import money_decimal, qty_decimal, to_money
from pipeline.domain.orders import Fill, Side
from pipeline.domain.portfolio import Position
from tests.unit.store.script import Script, restamped, three_days
from tests.unit.store.test_bars import a_bar

RECORDS = three_days()


def digests_of(*batches: list[Record]) -> dict[str, Digest]:
    """Return what the tables hold after the batches."""
    with open_database(None) as connection:
        for batch in batches:
            apply_records(connection, batch, "test")
        return load_digests(connection)


WHOLE = digests_of(RECORDS)


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, len(RECORDS)), max_size=5).map(sorted), overlap=st.integers(0, 4))
def test_any_split_into_batches_gives_the_same_rows(cuts: list[int], overlap: int) -> None:
    """Batches may also overlap: what was applied is passed over."""
    edges = [0, *cuts, len(RECORDS)]
    batches = [RECORDS[max(0, start - overlap) : end] for start, end in pairwise(edges)]

    assert digests_of(*batches) == WHOLE


def test_every_kind_of_record_leaves_a_trace() -> None:
    """The example holds every kind, and no projected table stays empty."""
    assert {record.kind for record in RECORDS} == set(Kind)
    assert [name for name, digest in WHOLE.items() if not digest.rows] == []


def test_a_rebuild_gives_the_same_rows_and_keeps_the_bars(store: DuckStore) -> None:
    store.project(RECORDS[:30])
    store.record_bars([a_bar("SPY")], Timeframe.ONE_MINUTE)

    rebuilt = store.rebuild(RECORDS)

    assert (rebuilt.records, rebuilt.bars, rebuilt.quarantined) == (len(RECORDS), 1, None)
    assert store.verify(RECORDS).ok
    assert store.query("SELECT symbol, close FROM bars") == ({"symbol": "SPY", "close": Decimal("100.50")},)
    left = {path.name for path in store.path.parent.iterdir()}
    assert left <= {"store.duckdb", "store.lock", "store.lock.door"}


def test_applying_twice_changes_nothing(store: DuckStore) -> None:
    assert (store.project(RECORDS), store.project(RECORDS), store.projected()) == (
        len(RECORDS),
        0,
        len(RECORDS),
    )
    assert store.verify(RECORDS).ok


def test_a_gap_another_journal_or_a_record_without_rows_is_refused(store: DuckStore) -> None:
    """Nothing is written: the watermark stays."""
    store.project(RECORDS[:10])
    other = restamped(RECORDS)
    broken = seal(replace(RECORDS[10], data={}))

    with pytest.raises(StoreMismatch, match="records 11 to 11 are missing"):
        store.project(RECORDS[11:])
    with pytest.raises(StoreMismatch, match="another journal, up to record 10"):
        store.project(other)
    with pytest.raises(StoreMismatch, match=r"record 11 \(verdict\) has no rows"):
        store.project([broken])
    assert store.projected() == 10


def test_verification_counts_lag_and_names_rows_that_differ(store: DuckStore) -> None:
    """Rows changed by hand behind the store's back, and records not projected yet."""
    store.project(RECORDS[:-3])
    with open_database(store.path) as connection:
        connection.execute("UPDATE fills SET price = price + 1 WHERE id = 'f-1'")
        connection.execute("DELETE FROM alerts")

    found = store.verify(RECORDS)
    assert (found.ok, found.behind) == (False, 3)
    assert found.differences == (
        "alerts has 0 rows, the journal gives 1",
        "fills has rows that differ from the journal's",
    )
    assert (
        store.verify(restamped(RECORDS)).differences[0]
        == f"record {len(RECORDS) - 3} is not the one that was projected"
    )


a_fill = st.tuples(
    st.sampled_from(["SPY", "QQQ"]),
    st.sampled_from(list(Side)),
    st.integers(1, 5 * 10**9),
    st.integers(1, 10**7),
)


@settings(max_examples=15, deadline=None)
@given(fills=st.lists(a_fill, min_size=1, max_size=12), cut=st.integers(0, 12))
def test_positions_are_the_ledgers_and_money_only_changes_form(
    fills: list[tuple[str, Side, int, int]], cut: int
) -> None:
    """For any fills, shorts and crossings included: what was paid is what is held less what was realized."""
    script, ledger = Script(), Ledger()
    script.session("2013-10-07")
    for number, (symbol, side, quantity, price) in enumerate(fills):
        fill = Fill(f"f-{number}", "o", "", symbol, side, quantity, price, script.now + timedelta(hours=3))
        script.add(Kind.FILL, encode(fill))
    for record in script.records:
        ledger.apply(record)

    with open_database(None) as connection:
        apply_records(connection, script.records[:cut], "test")
        apply_records(connection, script.records, "test")
        held = connection.execute("SELECT symbol, quantity, cost FROM positions ORDER BY symbol").fetchall()
        paid, realized = connection.execute(
            "SELECT sum(value), sum(realized) FROM position_changes"
        ).fetchall()[0]

    expected = sorted(ledger.positions.items())
    assert held == [(s, qty_decimal(p.quantity), money_decimal(p.cost)) for s, p in expected]
    assert paid == sum((cost for _, _, cost in held), Decimal(0)) - realized


def test_a_fill_through_zero_ends_one_trade_and_begins_another(store: DuckStore) -> None:
    """Held 2 at 100 from before, 5 sold at 110: +20 realized, 3 short at 110; then covered at 105: +15."""
    script = Script()
    opened = Position("SPY", 2 * 10**9, to_money("200"), script.now)
    script.add(Kind.OPENING, {"cash": 0, "positions": {"SPY": encode(opened)}})
    script.session("2013-10-07")
    script.fill("f-1", "x", "sell", "SPY", "5", "110")
    script.fill("f-2", "y", "buy", "SPY", "3", "105")
    store.project(script.records)

    rows = store.query(
        "SELECT trip, direction, quantity, entry_price, exit_price, realized FROM trades ORDER BY trip"
    )

    assert [tuple(row.values()) for row in rows] == [
        (1, "long", *map(Decimal, ("2", "100", "110", "20"))),
        (2, "short", *map(Decimal, ("3", "110", "105", "15"))),
    ]
    assert store.query("SELECT * FROM positions") == ()
