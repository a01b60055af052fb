"""How the trade-updates socket misbehaves: one connection's faults."""

from __future__ import annotations

import asyncio

from starlette.types import Scope

from pipeline.exchange.fault_book import Standing
from pipeline.exchange.faults import reset
from pipeline.exchange.host import Exchange


class StreamFaults:
    """What the rules in force do to one socket.

    Attributes:
        mute: whether nothing may be sent.
    """

    def __init__(self, exchange: Exchange, scope: Scope) -> None:
        self._exchange = exchange
        self._scope = scope
        self._muted_by: Standing | None = None
        self._waiting: bytes | None = None

    @property
    def mute(self) -> bool:
        """Whether nothing may be sent."""
        return self._muted_by is not None

    def refused(self) -> bool:
        """Tell whether a rule cuts the new connection, and if so cut it."""
        return self._cut(self._exchange.engine.now)

    def unauthorized(self) -> bool:
        """Tell whether a rule refuses the credentials."""
        return self._struck("stream_auth", self._exchange.engine.now)

    def watch(self, before: int, now: int) -> None:
        """Let what began, or ended, while time went from ``before`` to ``now`` have its effect."""
        if self._cut(before):
            return
        muted = self._muted_by
        if muted is None:
            muted = self._exchange.faults.of_stream(("stream_mute",), before, now)
            self._exchange.remember(muted)
            if muted is not None:
                self._muted_by = muted
                self._reading(False)
        elif now >= muted.until or muted not in self._exchange.faults:
            self._muted_by = None
            self._reading(True)

    def frames(self, frame: bytes, at: int) -> list[bytes]:
        """Return what is sent in the place of one update: none, itself, itself twice, or two swapped."""
        if self._waiting is not None:
            earlier, self._waiting = self._waiting, None
            return [frame, earlier]
        if self._struck("stream_skip", at):
            return []
        if self._struck("stream_duplicate", at):
            return [frame, frame]
        if self._struck("stream_reorder", at):
            self._waiting = frame
            return []
        return [frame]

    def _struck(self, kind: str, at: int) -> bool:
        if not self._exchange.faults:
            return False
        return self._exchange.remember(self._exchange.faults.of_stream((kind,), at, at)) is not None

    def _cut(self, before: int) -> bool:
        faults, now = self._exchange.faults, self._exchange.engine.now
        struck = self._exchange.remember(faults.of_stream(("stream_drop",), before, now)) if faults else None
        if struck is not None:
            reset(self._scope)
        return struck is not None

    def _reading(self, on: bool) -> None:
        """Stop or go on hearing the client: a mute socket does not answer pings either."""
        transport: asyncio.Transport | None = self._scope.get("state", {}).get("transport")
        if transport is None or transport.is_closing():
            return
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()
