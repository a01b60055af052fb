from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.codec import decode, encode
from pipeline.domain.journal import GENESIS, Kind, Record, from_line, seal, to_line
from pipeline.domain.ledger import Baseline, Lease, Snapshot
from pipeline.domain.market import Bar
from pipeline.domain.orders import Fill, Intent, Order
from pipeline.domain.portfolio import Account, BrokerPosition, CashActivity, Position
from pipeline.domain.risk import Breach, Ladder, RiskLimits, Verdict
from pipeline.domain.session import Session
from pipeline.domain.signals import Signal
from pipeline.domain.trading_state import StateChange
from tests.unit.domain.making import T0

RECORDED: list[type[Any]] = [
    Account,
    Alert,
    Baseline,
    Breach,
    BrokerPosition,
    CashActivity,
    Fill,
    Intent,
    Ladder,
    Lease,
    Order,
    Position,
    RiskLimits,
    Session,
    Signal,
    Snapshot,
    StateChange,
    Verdict,
]

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
positive = st.integers(1, 10**15)


def made(kind: type[Any]) -> st.SearchStrategy[Any]:
    limited = {"quantity": positive} if kind in (Fill, Intent) else {}
    named = {"id": st.text(max_size=48)} if kind is Intent else {}
    priced = {"prices": st.dictionaries(st.text(), st.integers())} if kind is Snapshot else {}
    return st.builds(kind, **limited, **named, **priced)


@pytest.mark.parametrize("kind", RECORDED, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_recorded_comes_back_the_same(kind: type[Any], data: st.DataObject) -> None:
    """Through JSON text, as in the journal."""
    value = data.draw(made(kind))

    assert decode(kind, json.loads(json.dumps(encode(value)))) == value


def test_a_record_cannot_hold_a_float_or_anything_else_that_is_not_exact() -> None:
    for wrong in (0.1, float("nan"), {"a": [1, (2, 3.0)]}, Decimal(1), b"x", {1, 2}):
        with pytest.raises(TypeError, match="cannot stand in a record"):
            encode(wrong)


def test_an_unknown_key_is_ignored_and_a_missing_one_is_not() -> None:
    """An older program can read what a newer one wrote; half a value is none."""
    data = encode(Baseline(date(2026, 11, 20), 1, 2, 3))

    assert decode(Baseline, data | {"later": 4}) == Baseline(date(2026, 11, 20), 1, 2, 3)
    with pytest.raises(TypeError, match="peak_equity"):
        decode(Baseline, {key: data[key] for key in ("day", "day_equity", "month_equity")})


@dataclass(frozen=True, slots=True)
class Nested:
    when: date | None
    bars: tuple[Bar, ...]
    pair: tuple[int, Severity]


def test_nested_values_optional_ones_and_fixed_tuples_come_back() -> None:
    bar = Bar("SPY", T0, 3, 4, 2, 3, 10)
    for value in (
        Nested(None, (), (1, Severity.INFO)),
        Nested(date(2026, 1, 2), (bar, bar), (2, Severity.CRITICAL)),
    ):
        assert decode(Nested, json.loads(json.dumps(encode(value)))) == value


payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    payload=st.dictionaries(st.text(), payloads, max_size=4),
    at=st.datetimes(timezones=st.just(UTC)),
    kind=st.sampled_from(Kind),
)
def test_a_record_is_its_line_and_a_line_is_its_record(
    payload: dict[str, Any], at: datetime, kind: Kind
) -> None:
    record = seal(Record(1, at, kind, 0, payload, GENESIS, ""))
    line = to_line(record)

    assert from_line(line) == record
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"7\n", b'"x"\n', b"{}\n", b"\xff\xfe\n", b"null\n"])
def test_what_is_not_a_record_is_not_taken_for_one(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"record|JSON|Expecting|decode"):
        from_line(line)


def test_the_same_content_in_other_words_is_not_the_record() -> None:
    """Spaces, key order and repeated keys do not change what JSON means, yet they change the line."""
    line = to_line(seal(Record(1, T0, Kind.LOCK, 0, {"a": 1}, GENESIS, "")))

    for other in (line.replace(b":", b": ", 1), line.replace(b'{"seq":1,', b'{"seq":2,"seq":1,')):
        with pytest.raises(ValueError, match="hash does not fit"):
            from_line(other)


def test_not_a_number_never_reaches_a_line() -> None:
    """A NaN equity compares false with every limit (FAULTS S17)."""
    with pytest.raises(ValueError, match="JSON compliant"):
        seal(Record(1, T0, Kind.SNAPSHOT, 0, {"equity": float("nan")}, GENESIS, ""))
