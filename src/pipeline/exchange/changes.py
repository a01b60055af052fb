"""Changes of what is true: read, carried out at once or put on the agenda, told in the log.

Like every command they are stored before they have an effect, and lead to the same state again.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop
from typing import Any

from pipeline.exchange import truth_account, truth_market, truth_money, truth_orders
from pipeline.exchange.engine import Engine
from pipeline.exchange.fields import Fields, one_of
from pipeline.exchange.orders import Refused
from pipeline.exchange.truth_money import Act, Outcome
from pipeline.exchange.wire import moment

READERS = truth_money.READERS | truth_market.READERS | truth_orders.READERS | truth_account.READERS

KINDS = tuple(kind for kind in READERS if kind != "end_cancel")
"""What can be asked for; the end of a stuck cancel comes by itself."""


def read_change(body: Mapping[str, Any]) -> Act:
    """Return the act a change's JSON describes.

    Raises:
        ConfigurationError, Refused: it cannot be read; names the key, its value and the remedy.
    """
    fields = Fields("change", dict(body))
    kind = fields.take("kind", one_of(*READERS))
    act = READERS[kind](fields)
    fields.finish()
    return act


def carry_out(engine: Engine, body: Mapping[str, Any]) -> Outcome:
    """Change the exchange now, and note it. Raises Refused; both outcomes are logged."""
    note = " ".join(f"{name}={value}" if name != "kind" else str(value) for name, value in body.items())
    try:
        outcome = read_change(body)(engine)
    except Refused as refused:
        engine.book.log_change(note, engine.now, str(refused))
        raise
    engine.book.log_change(note, engine.now)
    return {"at": moment(engine.now), "applied": True, **outcome}


def advance(engine: Engine, to: int) -> None:
    """Let time pass until ``to``; what is on the agenda happens on the way. Raises Refused."""
    engine.check_time(to)
    while engine.agenda and engine.agenda[0][0] <= to:
        at, _, body = heappop(engine.agenda)
        engine.advance(max(at, engine.now))
        try:
            carry_out(engine, body)
        except Refused:  # logged: nobody waits for the answer
            continue
    engine.advance(to)


def agenda_json(engine: Engine) -> list[dict[str, Any]]:
    """Return the changes to come, soonest first."""
    return [{"at": moment(at), **body} for at, _, body in sorted(engine.agenda, key=lambda e: e[:2])]
