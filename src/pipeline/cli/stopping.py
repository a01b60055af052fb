"""`halt`, `flatten` and `veto`. A stop is persisted first, and needs the journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import failpoints
from pipeline.cli.asking import confirm
from pipeline.cli.exits import Exit, disk_sentence, exit_code, sentence
from pipeline.cli.group import complain
from pipeline.cli.options import Account, Home, Reason
from pipeline.cli.place import Place, configured, desk_of, every_place, find_place, who, written_time
from pipeline.cli.standing import held_for_review, live_at_broker
from pipeline.cli.status_lines import order_text
from pipeline.domain.formatting import count
from pipeline.domain.journal import Kind
from pipeline.domain.order_life import OrderLife
from pipeline.domain.orders import IntentState
from pipeline.domain.trading_state import StateChange, TradingState
from pipeline.errors import AppendRefused, LockBusy, MarketdayError, UsageError
from pipeline.operations import emergency
from pipeline.operations.stopping import Action

if TYPE_CHECKING:
    from pipeline.operations.desk import Desk

_NEEDS_REASON = "a reason is needed: give --reason 'why', it stands in the journal for good"


def halt(
    reason: Reason = "",
    cancel: Annotated[
        bool, typer.Option("--cancel/--no-cancel", help="Ask the broker to cancel open orders.")
    ] = True,
    home: Home = None,
) -> None:
    """Stop every account of the folder: nothing new is sent until `resume`. Orders open now are cancelled.

    It works with the broker, the store and Prefect down. What is held stays held: `flatten` sells it. While
    everything is being sold, it stops the selling.
    """
    _require(reason)
    codes = [_halt_one(place, reason, cancel) for place in every_place(home)]
    if any(codes):
        raise typer.Exit(max(codes))


def _halt_one(place: Place, reason: str, cancel: bool) -> int:
    """Stop one account. What goes wrong in it must not keep the others from being stopped."""
    if place.mode == "live":
        failpoints.arm(None)  # a test's trap must not keep real money from being stopped
    try:
        before, was = place.journal.read().seq, place.journal.read().state
        fresh = emergency.halt(place.journal, reason, who(), written_time(place))
    except MarketdayError as error:
        return _not_stopped(place, sentence(error), exit_code(error))
    except OSError as error:
        return _not_stopped(place, disk_sentence(error), Exit.UNREACHABLE)
    _tell_persisted(place, was, fresh)
    _veto_held(place, f"halted: {reason}")
    code, cancelled = _stop_orders(place, cancel)
    external_code, external = _stop_others(place) if cancel else (Exit.FINE, ())
    halted = Action("halt_all_new_orders", "nothing new is sent from that record on")
    _log(place, before, fresh, (halted, cancelled, *external))
    return max(code, external_code)


def _log(place: Place, since: int, fresh: bool, done: tuple[Action, ...]) -> None:
    """Journal alerts and actions of a stop that is new; one that is repeated leaves no more behind."""
    if fresh:
        emergency.log_kill(place.journal, place.badge, since, done, written_time(place))


def _stop_orders(place: Place, cancel: bool) -> tuple[int, Action]:
    waiting = live_at_broker(place.journal.read())
    if not waiting:
        typer.echo("no order is open at the broker")
        return Exit.FINE, _cancelled("no order was open at the broker")
    if not cancel:
        text = f"{count(len(waiting), 'order')} left to the next pass, as --no-cancel asks"
        typer.echo(text)
        return Exit.FINE, _cancelled(text, "warn")
    return _cancel(place)


def _stop_others(place: Place) -> tuple[int, tuple[Action, ...]]:
    """Cancel orders that are not the desk's, where the configuration asks the kill switch to."""
    settings = configured(place).settings
    if settings is None or not settings.emergency_procedures.kill_switch.cancel_external:
        return Exit.FINE, ()
    try:
        desk = desk_of(place)
        done = emergency.cancel_external(desk)
    except MarketdayError as error:
        complain(f"orders that are not the desk's are UNCONFIRMED: {sentence(error)}")
        return exit_code(error), (Action("cancel_external_orders", f"UNCONFIRMED: {error}", "warn"),)
    for action in done:
        typer.echo(f"orders that are not the desk's: {action.evidence}")
    left = any(action.outcome != "ok" for action in done)
    return Exit.UNREACHABLE if left else Exit.FINE, done


def _cancelled(text: str, outcome: str = "ok") -> Action:
    return Action("cancel_pending_orders", text, outcome)


def _not_stopped(place: Place, why: str, code: int) -> int:
    complain(
        f"{place.account} is NOT halted by this command: {why} If it may be trading, end its session "
        "process and cancel its orders on the broker's page."
    )
    return code


def _tell_persisted(place: Place, was: StateChange, fresh: bool) -> None:
    ledger = place.journal.read()
    now = ledger.state.state
    selling = was.state is TradingState.LIQUIDATING or bool(was.targets)
    kept = "; the selling is stopped, what is held stays held" if selling and now is not was.state else ""
    said = f"persisted as record {ledger.seq} of the journal{kept}"
    if not fresh:
        said = f"it was already, by {was.by}: {was.reason}; that you asked again is {said}"
    typer.echo(f"{place.badge} · {place.account} · {now.name}: {said}")


def _veto_held(place: Place, reason: str) -> None:
    """Give up what waits for review: it is at no broker, so the journal alone is enough."""
    given_up = 0
    for life in held_for_review(place.journal.read()):
        try:
            _give_up(place, life, reason)
        except AppendRefused:
            continue  # the guard says that it moved on meanwhile: if it is live, it is cancelled next
        given_up += 1
    if given_up:
        typer.echo(f"{count(given_up, 'held order')} given up")


def _give_up(place: Place, life: OrderLife, reason: str) -> None:
    place.journal.append(Kind.VETOED, {"intent_id": life.intent.id, "reason": reason}, written_time(place))


def _cancel(place: Place) -> tuple[int, Action]:
    """Ask the broker to cancel; the stop stands whatever it answers."""
    try:
        desk = desk_of(place)  # only now is the broker's SDK imported
        done, action = emergency.cancel_pending(desk, desk.clock.now())
        left = _still_open(desk)
    except MarketdayError as error:
        left = len(live_at_broker(place.journal.read()))
        _tell_unconfirmed(left, sentence(error))
        return exit_code(error), _cancelled(f"{count(left, 'cancel')} UNCONFIRMED: {error}", "warn")
    asked = done.asked + done.failed
    typer.echo(f"{count(asked, 'cancel')} asked for, {asked - left} confirmed by the broker")
    if left:
        _tell_unconfirmed(left, "the broker did not confirm yet.")
        return Exit.UNREACHABLE, _cancelled(f"{count(left, 'cancel')} UNCONFIRMED", "warn")
    return Exit.FINE, action


def _still_open(desk: Desk) -> int:
    """Return how many orders the broker does not call final yet.

    One whose acknowledgement nobody heard has no broker's id in the journal: the id found here cancels it.
    """
    left = 0
    for life in live_at_broker(desk.journal.read()):
        order = desk.broker.fetch_order(life.intent.id)
        if order is not None and not order.state.terminal and not life.order_id:
            desk.broker.cancel(order.id)
            order = desk.broker.fetch_order(life.intent.id)
        left += order is not None and not order.state.terminal
    return left


def _tell_unconfirmed(left: int, why: str) -> None:
    complain(
        f"trading is stopped, but {count(left, 'cancel')} {'is' if left == 1 else 'are'} UNCONFIRMED: {why} "
        "Every later pass asks again; `marketday orders` shows them. "
        "If it is urgent, cancel them on the broker's page."
    )


def flatten(reason: Reason = "", home: Home = None, account: Account = None) -> None:
    """Cancel every order, sell every position, then stay halted. With real money it wants a typed phrase."""
    _require(reason)
    place = find_place(home, account)
    confirm(place, "flatten")
    before, was = place.journal.read().seq, place.journal.read().state
    fresh = emergency.flatten(place.journal, reason, who(), written_time(place))
    _tell_persisted(place, was, fresh)
    _veto_held(place, f"flatten: {reason}")
    ledger = place.journal.read()
    if not ledger.closable and not live_at_broker(ledger):
        text = "nothing is held and no order is open; the next pass turns this into HALTED"
        typer.echo(text)
        code, closed = int(Exit.FINE), Action("close_all_positions", text)
    else:
        code, closed = _close_now(place)
    external_code, external = _stop_others(place)
    code = max(code, external_code)
    _log(place, before, fresh, (Action("halt_all_new_orders", "only what sells is sent"), closed, *external))
    if code:
        raise typer.Exit(code)


def _close_now(place: Place) -> tuple[int, Action]:
    from pipeline.operations.liquidating import liquidate
    from pipeline.operations.passes import urgent_pass

    try:
        desk = desk_of(place)
        with urgent_pass(desk, "emergency-stop", "command line") as run:
            done = liquidate(desk, run)
    except LockBusy:
        text = "the running session holds the account: its next pass cancels and sells"
        typer.echo(text)
        return Exit.FINE, Action("close_all_positions", text)
    except MarketdayError as error:
        complain(
            f"it is persisted, but NOTHING IS SOLD YET: {sentence(error)} A running session tries again at "
            "every pass; otherwise run this command again, or close the positions on the broker's page."
        )
        return exit_code(error), Action("close_all_positions", f"nothing is sold yet: {error}", "warn")
    typer.echo(
        f"{count(done.cancelled, 'order')} cancelled, {done.sent} of {count(done.wanted, 'exit')} sent"
    )
    if done.flat:
        typer.echo("flat: nothing is held any more")
    else:
        typer.echo("not flat yet: later passes go on until it is; watch `marketday status --watch`")
    return Exit.FINE, done.action


def veto(
    intent: Annotated[str, typer.Argument(metavar="INTENT", help="Its id, or the beginning of it.")],
    reason: Reason = "",
    home: Home = None,
    account: Account = None,
) -> None:
    """Give up one order that waits for review, before it is sent."""
    _require(reason)
    place = find_place(home, account)
    life = _find(place, intent)
    _give_up(place, life, f"vetoed by {who()}: {reason.strip()}")
    typer.echo(f"{place.badge} · vetoed {life.intent.id}: {order_text(life.intent)} will not be sent")


def _find(place: Place, wanted: str) -> OrderLife:
    lives = place.journal.read().lives
    found = [life for key, life in lives.items() if key.startswith(wanted)]
    held = [life.intent.id for life in held_for_review(place.journal.read())]
    waiting = f"held now: {', '.join(held)}" if held else "nothing is held for review now"
    if len(found) != 1:
        what = "no order begins with" if not found else f"{len(found)} orders begin with"
        raise UsageError(f"{what} {wanted!r}; {waiting}")
    state = found[0].state
    if state.at_broker:
        raise UsageError(
            f"{found[0].intent.id} is at the broker already ({state}): "
            "`marketday halt --reason …` cancels every open order"
        )
    if state not in (IntentState.HELD, IntentState.PLANNED):
        raise UsageError(f"{found[0].intent.id} is {state} already: there is nothing to veto; {waiting}")
    return found[0]


def _require(reason: str) -> None:
    if not reason.strip():
        raise UsageError(_NEEDS_REASON)
