"""The progress bar of a running session: how far, how rich, what last happened."""

from __future__ import annotations

from datetime import date, datetime
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.domain.formatting import minute_of_day, money
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import Purpose
from pipeline.domain.trading_state import TradingState
from pipeline.operations.desk import Desk

_MARKS = {Purpose.ENTRY: "opened", Purpose.EXIT: "closed", Purpose.STOP: "stopped out of"}


class SessionProgress:
    """Shows each run as it is done, and says what happened above the bar."""

    def __init__(self, console: Console, desk: Desk, days: tuple[date, ...]) -> None:
        self._desk = desk
        self._console = console
        self._days = days
        self._seen: set[str] = {key for key, life in desk.journal.read().lives.items() if life.state.terminal}
        self._state = desk.journal.read().state.state
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> SessionProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def told(self, procedure: str, instant: datetime, outcome: dict[str, int | str]) -> None:
        """Show one run."""
        ledger = self._desk.journal.read()
        done = sum(key in ledger.runs for key in ledger.planned)
        equity = "" if ledger.snapshot is None else f" · equity {money(ledger.snapshot.equity)}"
        zone = self._desk.sessions.timezone
        what = f"{ledger.session} {minute_of_day(instant, zone)} {procedure}{equity}"
        self._bar.update(self._task, description=what, completed=done, total=len(ledger.planned) or None)
        for key, life in ledger.lives.items():
            if life.state.terminal and key not in self._seen:
                self._seen.add(key)
                self._say(instant, self._ended(life))
        if ledger.state.state is not self._state:
            self._state = ledger.state.state
            self._say(instant, f"trading is {self._state.name}: {ledger.state.reason}")
        verdict = outcome.get("verdict") or outcome.get("failed")
        if verdict:
            self._say(instant, f"{procedure}: {verdict}")

    def _say(self, instant: datetime, text: str) -> None:
        mark = "!" if self._state >= TradingState.REDUCING else " "
        self._console.print(
            f"{mark} {minute_of_day(instant, self._desk.sessions.timezone)}  {text}", highlight=False
        )

    def _ended(self, life: OrderLife) -> str:
        intent = life.intent
        if not life.filled:
            return f"{intent.side.value} {intent.symbol}: {life.state.value}, {life.note or intent.reason}"
        value = money(intent.decision_price * life.filled // 10_000_000)
        return f"{_MARKS.get(intent.purpose, 'sold')} {intent.symbol} for about {value} ({intent.reason})"
