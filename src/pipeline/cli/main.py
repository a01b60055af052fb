"""The `marketday` command. Importing this module costs Typer and nothing else of weight."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.main import get_command

from pipeline.cli.group import VERBS, Commands, Verb, tell_unexpected

_DAY, _LOOK, _ACT, _KEEP = "The market day", "Look", "Stop and go", "Set up and repair"

VERBS.update(
    {
        "demo": Verb("pipeline.cli.day:demo", "Trade whole sessions on the rehearsal exchange.", _DAY),
        "up": Verb(
            "pipeline.cli.day:up", "Start the desk: server, session driver, rehearsal exchange.", _DAY
        ),
        "down": Verb("pipeline.cli.day:down", "Stop what `up` started.", _DAY),
        "run": Verb("pipeline.cli.procedure:run", "Run one procedure now, as in `run pre-market`.", _DAY),
        "report": Verb("pipeline.cli.reports:report", "Show a session's report.", _DAY),
        "status": Verb(
            "pipeline.cli.status:status", "State, session, equity, positions, orders: now.", _LOOK
        ),
        "positions": Verb("pipeline.cli.status:positions", "What is held, with profit and stop.", _LOOK),
        "orders": Verb("pipeline.cli.orders:orders", "Orders under way; --all for those that ended.", _LOOK),
        "trades": Verb("pipeline.cli.orders:trades", "What was executed, at which price.", _LOOK),
        "pnl": Verb("pipeline.cli.history:pnl", "Profit and loss of the last sessions.", _LOOK),
        "risk": Verb("pipeline.cli.risk:risk", "Every limit, and how much of it is used.", _LOOK),
        "incidents": Verb("pipeline.cli.history:incidents", "What a person should have looked at.", _LOOK),
        "halt": Verb("pipeline.cli.stopping:halt", "Stop: nothing new is sent until `resume`.", _ACT),
        "flatten": Verb("pipeline.cli.stopping:flatten", "Cancel all, sell all, then stop.", _ACT),
        "resume": Verb("pipeline.cli.resuming:resume", "Trade again, after five recovery steps.", _ACT),
        "veto": Verb("pipeline.cli.stopping:veto", "Give up an order that waits for review.", _ACT),
        "reconcile": Verb("pipeline.cli.books:reconcile", "Compare the ledger with the broker.", _ACT),
        "adopt": Verb("pipeline.cli.books:adopt", "Make ours what somebody else traded in a symbol.", _ACT),
        "balance": Verb("pipeline.cli.books:balance", "Set the ledger to what the broker holds.", _ACT),
        "lock": Verb("pipeline.cli.books:lock", "Keep a symbol from being entered.", _ACT),
        "unlock": Verb("pipeline.cli.books:unlock", "Let a locked symbol be entered again.", _ACT),
        "accept": Verb("pipeline.cli.accepting:accept", "Accept what changed in mid-session.", _ACT),
        "env": Verb("pipeline.cli.shell:env", "Shell lines that let `prefect` talk to the desk.", _KEEP),
        "watchdog": Verb(
            "pipeline.cli.watchdog:watchdog", "Watch a desk from outside; tell when nobody trades.", _LOOK
        ),
        "strategy": Verb("pipeline.cli.strategies:app", "List strategies, and check how they decide.", _KEEP),
        "config": Verb("pipeline.cli.config:app", "Check and show configurations.", _KEEP),
        "doctor": Verb("pipeline.cli.doctor:doctor", "Check this installation and its desk.", _KEEP),
        "backtest": Verb("pipeline.cli.backtest:backtest", "Trade a configuration over history.", _KEEP),
        "store": Verb("pipeline.cli.storing:app", "Verify, rebuild and query the store.", _KEEP),
    }
)

app = typer.Typer(
    name="marketday",
    cls=Commands,
    help="Operates trading strategies through the market day.",
    epilog="Exit codes: 0 fine · 1 NO-GO · 2 usage or configuration · 3 unreachable · 4 halted",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import version

    typer.echo(f"marketday {version('marketday')}")
    raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Operates trading strategies through the market day."""


def _stands_in_the_help() -> None:
    """A verb's place in the help; ``Commands`` puts the real one there when it is run."""


for _name, _verb in VERBS.items():
    app.command(_name, help=_verb.help, rich_help_panel=_verb.panel)(_stands_in_the_help)


def main() -> None:
    """Run the command line of this process; see :mod:`pipeline.cli.exits` for its exit codes."""
    sys.excepthook = tell_unexpected
    get_command(app)(prog_name="marketday")  # calling the app itself would install Typer's own hook
