"""Each journal record as rows of the store. Pure: rows depend on the record and on :class:`Carried` only.

The order of a row's values is that of its table's columns in ``migrations``.
What the ledger needs of a payload is required here too; evidence that a writer left out is empty.
"""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pipeline.adapters.duckdb_store.book_facts import (
    adopted_rows,
    balanced_rows,
    bust_rows,
    cash_rows,
    explained_row,
    external_rows,
    fill_rows,
    opening_rows,
    split_rows,
)
from pipeline.adapters.duckdb_store.carried import Carried, Row
from pipeline.domain.alerts import Alert
from pipeline.domain.codec import decode
from pipeline.domain.journal import Kind, Record
from pipeline.domain.ledger import Baseline, Snapshot
from pipeline.domain.money import money_decimal, notional, price_decimal, qty_decimal
from pipeline.domain.orders import Intent, IntentState
from pipeline.domain.risk import Breach, Verdict
from pipeline.domain.trading_state import TradingState


def rows_of(carried: Carried, record: Record) -> Iterator[Row]:
    """Yield the rows of one record, and move ``carried`` on.

    Raises:
        KeyError, TypeError, ValueError: the payload is not what its kind promises.
    """
    return _ROWS[record.kind](carried, record)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _maybe_instant(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _day(carried: Carried, data: Mapping[str, Any]) -> date | None:
    text = data.get("session") or data.get("day")
    return date.fromisoformat(text) if text else carried.session


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _lease(_: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    named = (data["code"], data["config"], data.get("mode"), data.get("account"))
    yield "leases", (record.seq, record.at, data["epoch"], data["owner"], *named)


def _version(_: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    said = (date.fromisoformat(data["session"]), data["code"], data["config"], data["by"], data["reason"])
    yield "versions", (record.seq, record.at, *said)


def _session(carried: Carried, record: Record) -> Iterator[Row]:
    data, day = record.data, date.fromisoformat(record.data["day"])
    carried.session = day
    if not carried.is_new("sessions", day.isoformat()):
        return
    opens = _instant(data["open"])
    insort(carried.opens, (opens, day))
    yield "sessions", (record.seq, day, opens, _instant(data["close"]), data.get("early_close", False))
    for procedure, instant in data["runs"]:
        yield "expected_runs", (record.seq, day, procedure, _instant(instant))


def _baseline(_: Carried, record: Record) -> Iterator[Row]:
    base = decode(Baseline, record.data)
    equities = (base.day_equity, base.month_equity, base.peak_equity)
    yield "baselines", (record.seq, record.at, base.day, *map(money_decimal, equities))


def _enabled(carried: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    said = (data["go"], data["entries"], data.get("reason", ""))
    yield "enablements", (record.seq, record.at, _day(carried, data), *said)


def _run_key(carried: Carried, data: Mapping[str, Any]) -> tuple[object, ...]:
    return _day(carried, data), data["procedure"], _maybe_instant(data.get("instant"))


def _claim(carried: Carried, record: Record) -> Iterator[Row]:
    yield "claims", (record.seq, record.at, *_run_key(carried, record.data), record.data["driver"])


def _run(carried: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    said = (data["outcome"], data.get("reason") or "", data.get("driver", ""), _json(data.get("summary", {})))
    yield "runs", (record.seq, record.at, *_run_key(carried, data), *said)


def _step(carried: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    said = (data["name"], data["outcome"], data.get("evidence") or "", _json(data.get("details", {})))
    yield "checks", (record.seq, record.at, *_run_key(carried, data), *said)


def _tick(carried: Carried, record: Record) -> Iterator[Row]:
    data, day, signals = record.data, _day(carried, record.data), record.data.get("signals", [])
    instant = _instant(data["instant"])
    counts = (data.get("symbols", 0), len(signals), data.get("intents", 0), data.get("state", ""))
    said = (data.get("driver", ""), data.get("inputs", ""), *counts)
    yield "ticks", (record.seq, record.at, day, instant, *said)
    for signal in signals:
        wanted = (signal["symbol"], signal["strategy"], signal["direction"], signal["confidence"])
        yield "signals", (record.seq, day, instant, *wanted, price_decimal(signal["price"]))


def _verdict(carried: Carried, record: Record) -> Iterator[Row]:
    data, day = record.data, _day(carried, record.data)
    instant, intent_id = _instant(data["instant"]), data.get("intent_id")
    breaches = tuple(decode(Breach, raw) for raw in data.get("breaches", ()))
    verdict = Verdict(data["asked"], data["quantity"], breaches)
    wanted = (data["symbol"], data["side"], data["purpose"], data.get("strategy", ""))
    allowed = (qty_decimal(verdict.asked), qty_decimal(verdict.quantity), verdict.outcome, intent_id)
    reason = data.get("reason", "")
    yield "verdicts", (record.seq, record.at, day, instant, *wanted, *allowed, reason)
    for breach in breaches:
        numbers = (_in_unit(breach.allowed, breach.unit), _in_unit(breach.actual, breach.unit), breach.unit)
        crossed = (data["symbol"], breach.limit, *numbers, intent_id)
        yield "breaches", (record.seq, record.at, day, instant, *crossed)


_CONVERT: Mapping[str, Callable[[int], Decimal]] = {
    "money": money_decimal,
    "price": price_decimal,
    "quantity": qty_decimal,
}


def _in_unit(value: int, unit: str) -> Decimal:
    return _CONVERT.get(unit, Decimal)(value)


def _intent(carried: Carried, record: Record) -> Iterator[Row]:
    intent = decode(Intent, record.data)
    what = (intent.account, intent.strategy, intent.symbol, intent.side.value, intent.purpose.value)
    decided = (intent.decided_at, price_decimal(intent.decision_price), intent.release_at, intent.reason)
    head = (record.seq, record.at, carried.session)
    yield "intents", (*head, intent.id, *what, qty_decimal(intent.quantity), *decided)
    state = IntentState.PLANNED if intent.release_at is None else IntentState.HELD
    yield "intent_events", (*head, intent.id, "intent", state.value, None, None, None, intent.reason)


def _event(state: IntentState | None) -> Callable[[Carried, Record], Iterator[Row]]:
    def rows(carried: Carried, record: Record) -> Iterator[Row]:
        data = record.data
        told = (data.get("order_id") or None, None, None, _detail(data))
        event = (data["intent_id"], record.kind.value, None if state is None else state.value)
        yield "intent_events", (record.seq, record.at, carried.session, *event, *told)

    return rows


def _detail(data: Mapping[str, Any]) -> str:
    said = (data.get("code"), data.get("reason"), data.get("note"))
    return ": ".join(str(part) for part in said if part)


def _order(carried: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    event = (data["intent_id"], "order", IntentState(data["state"]).value, data["order_id"] or None)
    told = (qty_decimal(data["filled"]), data["raw_status"], _detail(data))
    yield "intent_events", (record.seq, record.at, carried.session, *event, *told)


def _snapshot(_: Carried, record: Record) -> Iterator[Row]:
    seen = decode(Snapshot, record.data)
    totals = (money_decimal(seen.equity), money_decimal(seen.cash))
    yield "account_snapshots", (record.seq, record.at, seen.at, seen.session, *totals)
    for symbol, held in sorted(record.data.get("positions", {}).items()):
        price, quantity = seen.prices.get(symbol), held["quantity"]
        shown = None if price is None else price_decimal(price)
        value = None if price is None else money_decimal(notional(price, quantity))
        kept = (qty_decimal(quantity), money_decimal(held["cost"]), shown, value)
        yield "snapshot_positions", (record.seq, seen.at, seen.session, symbol, *kept)


def _state(carried: Carried, record: Record) -> Iterator[Row]:
    data, state = record.data, TradingState(record.data["state"])
    said = (state.name, state.value, data["reason"], data["by"], data["resume"])
    yield "state_changes", (record.seq, record.at, carried.session, *said)


def _silence(carried: Carried, record: Record) -> Iterator[Row]:
    said = (_maybe_instant(record.data["since"]), record.data["failures"])
    yield "silences", (record.seq, record.at, carried.session, *said)


def _reconciled(carried: Carried, record: Record) -> Iterator[Row]:
    data, day, found = record.data, _day(carried, record.data), record.data.get("discrepancies", [])
    said = (data["clean"], data.get("trigger", ""), len(found))
    yield "reconciliations", (record.seq, record.at, day, *said)
    if "residual" in data:
        yield explained_row(day, record)
    for each in found:
        sides = tuple(None if each.get(side) is None else str(each[side]) for side in ("ledger", "broker"))
        named = (each["kind"], each.get("symbol"), *sides, each.get("detail") or "")
        yield "discrepancies", (record.seq, record.at, day, *named)


def _lock(carried: Carried, record: Record) -> Iterator[Row]:
    said = (record.data["symbol"], record.data["reason"], record.data.get("by"))
    yield "locks", (record.seq, record.at, carried.session, *said)


def _alert(carried: Carried, record: Record) -> Iterator[Row]:
    alert = decode(Alert, record.data)
    if not carried.is_new("alerts", alert.id):
        return
    said = (alert.id, alert.event, alert.severity.value, alert.title, alert.text, alert.mode)
    yield "alerts", (record.seq, record.at, alert.at, carried.session, *said, _json(alert.fields))


def _delivered(_: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    yield "deliveries", (record.seq, record.at, data["alert_id"], data["channel"], data["outcome"])


def _report(carried: Carried, record: Record) -> Iterator[Row]:
    data = record.data
    yield "reports", (record.seq, record.at, _day(carried, data), data["path"], data["digest"])


_ROWS: dict[Kind, Callable[[Carried, Record], Iterator[Row]]] = {
    Kind.LEASE: _lease,
    Kind.VERSION: _version,
    Kind.OPENING: opening_rows,
    Kind.SESSION: _session,
    Kind.BASELINE: _baseline,
    Kind.ENABLED: _enabled,
    Kind.CLAIM: _claim,
    Kind.RUN: _run,
    Kind.STEP: _step,
    Kind.TICK: _tick,
    Kind.VERDICT: _verdict,
    Kind.INTENT: _intent,
    Kind.SENDING: _event(IntentState.SENDING),
    Kind.ACKED: _event(IntentState.ACKED),
    Kind.UNKNOWN: _event(IntentState.UNKNOWN),
    Kind.REJECTED: _event(IntentState.REJECTED),
    Kind.ORDER: _order,
    Kind.CANCEL: _event(None),
    Kind.VETOED: _event(IntentState.EXPIRED),
    Kind.FILL: fill_rows,
    Kind.EXTERNAL: external_rows,
    Kind.ADOPTED: adopted_rows,
    Kind.BALANCED: balanced_rows,
    Kind.BUST: bust_rows,
    Kind.SPLIT: split_rows,
    Kind.CASH: cash_rows,
    Kind.SNAPSHOT: _snapshot,
    Kind.STATE: _state,
    Kind.SILENCE: _silence,
    Kind.RECONCILED: _reconciled,
    Kind.LOCK: _lock,
    Kind.ALERT: _alert,
    Kind.DELIVERED: _delivered,
    Kind.REPORT: _report,
}
