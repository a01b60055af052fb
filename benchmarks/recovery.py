"""What a restart and a stop cost, over HTTP against the rehearsal exchange: recovery, halt, cancels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from benchmarks.rehearsals import Rehearsal, rehearsal
from benchmarks.results import Row, Scale, at_most, note
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.orders import Decision, Intent, Purpose, Side, intent_id
from pipeline.operations.desk import Desk
from pipeline.operations.emergency import cancel_open, halt
from pipeline.operations.recovery import recover

TITLE = "recovery: a process died with every answer under way; then a person stops trading"
_TENTH = 10**8
"""A tenth of a share each: two hundred of them stay within the account."""
STOPPED = 20
"""Orders that are open when trading is stopped."""


def measure(scale: Scale) -> list[Row]:
    """Leave orders whose answers nobody heard, recover them, then halt and cancel what is open."""
    count = scale.pick(60, 200)
    with rehearsal(count) as running:
        asyncio.run(running.begin())
        desk, now = running.desk, running.desk.clock.now()
        desk.journal.take_lease(desk.owner, desk.code, desk.config, now)
        sent = [_send_unheard(desk, symbol, now) for symbol in desk.symbols[:count]]
        recovered = _seconds(lambda: recover(desk, now))
        again = _seconds(lambda: recover(desk, now))
        unresolved = sum(not desk.journal.read().lives[key].order_id for key in sent)
        _leave(running, sent[:STOPPED])
        halted = _seconds(lambda: halt(desk.journal, "benchmark", "benchmark", now))
        cancelled = _seconds(lambda: cancel_open(desk, "benchmark", now))
        recover(desk, now)
        left = len(desk.broker.fetch_open_orders())
    return [
        scale.absolute(f"recovery of {count} open intents", recovered, "s", at_most(5)),
        note("  once more, without news", again, "s"),
        Scale.exact("  intents not resolved", unresolved, "intents"),
        scale.absolute("halt persisted", halted, "s", at_most(1)),
        scale.absolute(f"cancels of {STOPPED} open orders sent", cancelled, "s", at_most(5)),
        Scale.exact("  orders open afterwards", left, "orders"),
    ]


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _send_unheard(desk: Desk, symbol: str, now: datetime) -> str:
    """Send an order as a process does that dies before it hears the answer; return its id."""
    decision = Decision(desk.account, desk.mode, "benchmark", symbol, Side.BUY, Purpose.ENTRY, now)
    key = intent_id(decision)
    intent = Intent(key, desk.account, "benchmark", symbol, Side.BUY, Purpose.ENTRY, _TENTH, now, 1_000_000)
    desk.journal.append(Kind.INTENT, encode(intent), now)
    desk.journal.append(Kind.SENDING, {"intent_id": key, "quantity": intent.quantity}, now)
    desk.broker.submit(intent)
    return key


def _leave(running: Rehearsal, kept: list[str]) -> None:
    """Cancel every order but some."""
    desk = running.desk
    for order in desk.broker.fetch_open_orders():
        if order.client_id not in kept:
            desk.broker.cancel(order.id)
    recover(desk, desk.clock.now())
