"""`reconcile`, `adopt`, `balance`, `lock`, `unlock`: the books, and what a person may put right in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.asking import confirm
from pipeline.cli.exits import Exit
from pipeline.cli.options import Account, Home, Json, Reason
from pipeline.cli.output import console, print_json, shares, table
from pipeline.cli.place import Place, configured, desk_of, find_place, who, written_time
from pipeline.domain.formatting import count, money, signed_money
from pipeline.domain.ledger import Ledger
from pipeline.domain.pnl import Explanation
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.domain.reconcile import Discrepancy
    from pipeline.operations.books import Change
    from pipeline.operations.desk import Desk
    from pipeline.operations.passes import Pass

DRIVER = "command line"
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="As the broker writes it.")]


@contextmanager
def _at_the_books(place: Place, verb: str) -> Iterator[tuple[Desk, Pass]]:
    """Hold the account for one command; tell people and bring the store up to date afterwards."""
    from pipeline.operations.passes import urgent_pass
    from pipeline.operations.projecting import project
    from pipeline.operations.telling import tell

    desk, refused = desk_of(place), None
    with urgent_pass(desk, verb, DRIVER) as run:
        try:
            yield desk, run
        except UsageError as error:  # a question answered, not a run that failed: nobody is to be woken
            refused = error
            run.summary["refused"] = str(error)
        tell(desk)
    project(desk)
    if refused is not None:
        raise refused


def reconcile(home: Home = None, account: Account = None, as_json: Json = False) -> None:
    """Compare orders, fills, positions and cash with the broker.

    A difference exits 1; what nobody can explain halts trading.
    """
    from pipeline.operations.passes import moment
    from pipeline.operations.reconciliation import reconcile as compare

    place = find_place(home, account)
    with _at_the_books(place, "reconcile") as (desk, run):
        found = compare(desk, DRIVER, moment(desk, run))
        run.summary["discrepancies"] = len(found)
    ledger = desk.journal.read()
    if as_json:
        print_json({"clean": not found, "discrepancies": found, "external": ledger.external})
    else:
        _print_found(place, ledger, found)
        _print_external(ledger)
        if ledger.explained is not None and not found:
            typer.echo(explained_line(ledger.explained))
    if found:
        raise typer.Exit(Exit.FAILED)


def _print_found(place: Place, ledger: Ledger, found: tuple[Discrepancy, ...]) -> None:
    if not found:
        holds, open_now = count(len(ledger.positions), "position"), count(len(ledger.open_lives), "order")
        typer.echo(f"{place.badge} · ledger equals broker: {holds}, {open_now} open, cash to the cent")
        return
    rows = [(one.kind, one.symbol or "–", one.ledger, one.broker, one.detail) for one in found]
    halting = any(one.halts for one in found)
    what = "trading is halted, the symbols are locked" if halting else "the symbols are locked"
    out = console()
    out.print(f"{place.badge} · {count(len(found), 'difference')}: {what}")
    out.print(table("KIND SYMBOL >LEDGER >BROKER *WHAT", rows))
    if halting:
        typer.echo("What nobody can explain: marketday balance [SYMBOL] --reason '…', then marketday resume")


def _print_external(ledger: Ledger) -> None:
    """Say what others hold, and what may be done about it."""
    for symbol in sorted(ledger.external_moves):
        held = ledger.external.get(symbol)
        quantity = shares(0 if held is None else held.quantity)
        moved = signed_money(ledger.external_moves[symbol])
        typer.echo(f"{symbol}: {quantity} not ours, {moved} in cash: marketday adopt {symbol} --reason '…'")
    for order in ledger.external_orders:
        typer.echo(f"{order.symbol}: order {order.id} is open and not ours; it counts, and locks the symbol")


def explained_line(told: Explanation) -> str:
    """Return where a session's change of equity comes from, in one line."""
    parts = {
        "realized": told.explained.realized,
        "unrealized": told.explained.unrealized,
        "not ours": told.explained.external,
        "dividends": told.explained.dividends,
        "fees": told.explained.fees,
        "interest": told.explained.interest,
        "other": told.explained.other,
    }
    shown = ", ".join(f"{name} {signed_money(amount)}" for name, amount in parts.items() if amount)
    left = f"residual {signed_money(told.residual)}"
    return f"session {signed_money(told.change)}: {shown or 'nothing moved'}; {left}"


def adopt(symbol: Symbol, reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Make ours what somebody else traded in SYMBOL: shares, cost and cash; exits watch it from then on."""
    from pipeline.operations import books
    from pipeline.operations.passes import moment

    place = find_place(home, account)
    with _at_the_books(place, "adopt") as (desk, run):
        change = books.adopt(desk, symbol.upper(), reason, who(), moment(desk, run))
    _print_change(place, "adopted", change)
    _end(place)


def balance(
    symbol: Annotated[
        str, typer.Argument(metavar="[SYMBOL]", help="One symbol; without it everything that differs.")
    ] = "",
    reason: Reason = "",
    home: Home = None,
    account: Account = None,
) -> None:
    """Set the ledger to what the broker holds. The rest is shown as residual, not as profit or loss.

    With real money it wants a typed phrase.
    """
    from pipeline.operations import books
    from pipeline.operations.passes import moment

    place = find_place(home, account)
    if not reason.strip():
        raise UsageError("a reason is needed: give --reason 'why', it stands in the journal for good")
    confirm(place, "balance")
    with _at_the_books(place, "balance") as (desk, run):
        changes = books.balance(desk, symbol.upper(), reason, who(), moment(desk, run))
    for change in changes:
        _print_change(place, "balanced", change)
    residual = sum(change.residual for change in changes)
    typer.echo(f"residual: {signed_money(residual)} that nobody explains; it stands in the report as that")
    _end(place)


def _print_change(place: Place, verb: str, change: Change) -> None:
    before, after = change.before, change.after
    cash = f"cash {money(before.cash)} → {money(after.cash)}"
    if not change.symbol:
        typer.echo(f"{place.badge} · {verb}: {cash}")
        return
    held = f"{shares(before.quantity)} → {shares(after.quantity)} shares"
    cost = f"cost {money(before.cost)} → {money(after.cost)}"
    others = f", not ours {shares(before.external)} → {shares(after.external)}" if before.external else ""
    typer.echo(f"{place.badge} · {verb} {change.symbol}: {held}, {cost}, {cash}{others}")
    if after.lock:
        typer.echo(
            f"{change.symbol} stays locked: {after.lock}: marketday unlock {change.symbol} --reason '…'"
        )


def _end(place: Place) -> None:
    """Say whether the books agree now, and what stands between them and trading."""
    ledger = place.journal.read()
    if not ledger.clean:
        typer.echo("ledger and broker still differ: marketday reconcile")
        raise typer.Exit(Exit.FAILED)
    state = ledger.state.state
    left = f"trading is {state.name}: marketday resume --reason '…'" if state.latched else "trading goes on"
    typer.echo(f"ledger equals broker; {left}")


def lock(symbol: Symbol, reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Keep SYMBOL from being entered until `unlock`. Exits go on."""
    from pipeline.operations import books

    place, wanted = find_place(home, account), symbol.upper()
    _check_known(place, wanted)
    books.lock(place.journal, wanted, reason, who(), written_time(place))
    typer.echo(f"{place.badge} · {wanted} is locked: no entries until marketday unlock {wanted} --reason '…'")


def unlock(symbol: Symbol, reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Let SYMBOL be traded again, whoever locked it. What still differs locks it again."""
    from pipeline.operations import books

    place, wanted = find_place(home, account), symbol.upper()
    why = books.unlock(place.journal, wanted, reason, who(), written_time(place))
    typer.echo(f"{place.badge} · {wanted} is unlocked; it was locked for: {why}")


def _check_known(place: Place, symbol: str) -> None:
    """Refuse a symbol that this desk has nothing to do with: a lock with a typing error protects nothing."""
    settings, ledger = configured(place).settings, place.journal.read()
    traded = set() if settings is None else set(settings.data.symbols)
    known = traded | set(ledger.positions) | set(ledger.external)
    if settings is not None and symbol not in known:
        raise UsageError(f"lock {symbol}: neither traded nor held here; known: {', '.join(sorted(known))}")
