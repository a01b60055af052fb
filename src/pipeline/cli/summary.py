"""What a trader reads when the session is over: decided and why, traded, earned, reconciled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from pipeline.cli.servers import healthy
from pipeline.cli.stack import Stack
from pipeline.domain.formatting import (
    count,
    minute_of_day,
    money,
    percent,
    price,
    quantity,
    signed_money,
    signed_percent,
)
from pipeline.domain.ledger import Ledger
from pipeline.domain.order_life import OrderLife
from pipeline.operations.desk import Desk
from pipeline.operations.facts import largest_gaps
from pipeline.settings.findings import LintFacts
from pipeline.settings.lint import lint
from pipeline.settings.loading import read_settings
from pipeline.settings.models.root import Settings
from pipeline.wiring.spec import CHECKOUT

SEED_FILE = CHECKOUT / "deployments" / "config" / "live_momentum_strategy.yaml"


def print_findings(console: Console, desk: Desk, settings: Settings) -> None:
    """Say what lint finds in the strategy's file, measured on the market that is about to be traded."""
    original = read_settings([SEED_FILE], [f"data.timeframe={desk.timeframe.value}"])
    gaps = largest_gaps(desk)
    if not gaps:
        return
    for finding in lint(original, LintFacts(largest_gaps=gaps)):
        if finding.code == "threshold_never_crossed":
            console.print(f"lint: {finding.message}.", highlight=False)
            used = settings.strategies[0].params.get("signal_threshold")
            console.print(f"      This rehearsal uses {used} instead.", highlight=False)


def print_summary(console: Console, desk: Desk, days: tuple[date, ...], stack: Stack) -> None:
    """Print the summary of the sessions."""
    ledger = desk.journal.read()
    first = desk.sessions.at_or_after(days[0])
    lives = [life for life in ledger.lives.values() if life.intent.decided_at >= first.open]
    console.rule(f"SIM · {days[0]} to {days[-1]}" if len(days) > 1 else f"SIM · {days[0]}")
    if lives:
        console.print(_decisions(lives, ledger, desk.sessions.timezone))
    _print_result(console, desk, ledger, lives)
    _print_reconciliation(console, desk, ledger)
    _print_runs(console, ledger)
    for day in days:
        path = desk.home / "reports" / f"{day}.html"
        console.print(f"Report          {_short(str(path))}", highlight=False, soft_wrap=True)
    if healthy(stack.port):
        console.print(
            f"Prefect UI      {stack.ui}/runs while this runs; `marketday demo --keep` leaves it open"
        )
    else:
        console.print("Prefect UI      its server has died; the session went on without it")
    console.print("Look further    marketday status · orders · trades · pnl · report --open")


def _decisions(lives: Sequence[OrderLife], ledger: Ledger, zone: str) -> Table:
    table = Table(title="Decided, and why", title_justify="left", box=None, padding=(0, 1), pad_edge=False)
    for name in ("ET", "Symbol", "Side"):
        table.add_column(name, no_wrap=True)
    for name in ("Quantity", "Price"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for life in lives:
        intent = life.intent
        paid = _average(ledger, life)
        table.add_row(
            minute_of_day(intent.decided_at, zone),
            intent.symbol,
            intent.side.value,
            quantity(life.filled or intent.quantity),
            price(paid or intent.decision_price),
            life.state.value,
            intent.reason if life.filled else life.note or intent.reason,
        )
    return table


def _average(ledger: Ledger, life: OrderLife) -> int:
    fills = [fill for fill in ledger.fills.values() if fill.intent_id == life.intent.id]
    total = sum(fill.quantity for fill in fills)
    return sum(fill.price * fill.quantity for fill in fills) // total if total else 0


def _print_result(console: Console, desk: Desk, ledger: Ledger, lives: Sequence[OrderLife]) -> None:
    filled = sum(life.filled > 0 for life in lives)
    sent = sum(life.sends > 0 for life in lives)
    console.print(
        f"Traded          {count(len(lives), 'intent')}, {count(sent, 'order')} sent, {filled} filled, "
        f"{count(len(ledger.fills), 'fill')}",
        highlight=False,
    )
    if ledger.baseline is None or ledger.snapshot is None:
        return
    base, equity = ledger.baseline.day_equity, ledger.snapshot.equity
    share = (equity - base) * 1_000_000 // base
    limit = desk.limits.ladder.reducing_daily_loss
    allowed = f" of −{percent(limit)}" if limit else ""
    earned = f"{signed_money(equity - base)} ({signed_percent(share)}{allowed})"
    console.print(f"P&L of the day  {earned}, equity {money(equity)}", highlight=False)


def _print_reconciliation(console: Console, desk: Desk, ledger: Ledger) -> None:
    account = desk.broker.fetch_account()
    theirs = {held.symbol: held.quantity for held in desk.broker.fetch_positions()}
    ours = {symbol: held.quantity for symbol, held in ledger.positions.items()}
    cash = ledger.cash or 0
    agree = theirs == ours and money(cash) == money(account.cash)
    console.print(
        f"Reconciliation  {'ledger equals broker to the cent' if agree else 'LEDGER AND BROKER DIFFER'}: "
        f"cash {money(cash)} = {money(account.cash)}, positions {_held(ours)} = {_held(theirs)}",
        highlight=False,
    )


def _held(positions: dict[str, int]) -> str:
    named = (f"{symbol} {quantity(held)}" for symbol, held in sorted(positions.items()))
    return ", ".join(named) or "none"


def _print_runs(console: Console, ledger: Ledger) -> None:
    done = sum(ledger.runs.get(key) == "completed" for key in ledger.planned)
    console.print(
        f"Runs            {done} of {len(ledger.planned)} planned runs of the last session completed; "
        f"trading is {ledger.state.state.name}",
        highlight=False,
    )


def _short(path: str) -> str:
    return path.removeprefix(f"{CHECKOUT}/")
