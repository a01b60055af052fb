"""Closing everything now: one pass of recovery, cancels and exits, when no session process would do it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.formatting import count
from pipeline.errors import DataInvalid, DataUnavailable
from pipeline.operations.desk import Desk
from pipeline.operations.observing import observe_blind, observe_quotes
from pipeline.operations.passes import Pass, moment
from pipeline.operations.reconnecting import note_answer
from pipeline.operations.recovery import recover
from pipeline.operations.stopping import Action
from pipeline.operations.telling import tell
from pipeline.operations.trading import (
    cancel_what_must_go,
    judge,
    record_decisions,
    send_again,
    send_now,
    settle_liquidation,
)


@dataclass(frozen=True, slots=True)
class Closing:
    """What one pass did: orders cancelled, exits wanted and sent; ``flat``: nothing of ours is held."""

    cancelled: int
    wanted: int
    sent: int
    flat: bool

    @property
    def action(self) -> Action:
        """What became of ``close_all_positions``."""
        if self.flat:
            return Action("close_all_positions", "flat: nothing is held")
        text = f"{self.sent} of {count(self.wanted, 'exit')} sent; later passes go on until it is flat"
        return Action("close_all_positions", text, "warn")


def liquidate(desk: Desk, run: Pass) -> Closing:
    """Cancel what is open and send an exit for what is held; later passes finish what this one cannot.

    The state must be LIQUIDATING already: the gates let exits through because of it.

    Raises:
        BrokerUnavailable: not answered; the next pass goes on.
    """
    run.unsent = tuple(recover(desk, moment(desk, run)).unsent)
    try:
        market = observe_quotes(desk, run.instant)
    except (DataUnavailable, DataInvalid):
        market = observe_blind(desk, run.instant)  # what must be sold is sold at any price
    note_answer(desk, moment(desk, run))
    cancelled = cancel_what_must_go(desk, moment(desk, run))
    again, _ = send_again(desk, run, market, moment(desk, run))  # an exit that got lost must not wait
    recover(desk, moment(desk, run))
    judged = judge(desk, run.session, market, ())
    ready = record_decisions(desk, run, market, judged)
    sent = again + sum(send_now(desk, intent_id, moment(desk, run)) for intent_id in ready)
    recover(desk, moment(desk, run))
    settle_liquidation(desk, moment(desk, run))
    tell(desk)
    return Closing(cancelled, again + len(judged), sent, not desk.journal.read().closable)
