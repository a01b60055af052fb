"""``marketday env``: what a shell needs to use the `prefect` command with the running desk."""

from __future__ import annotations

import typer

from pipeline.cli.access import shell_file
from pipeline.cli.options import Home
from pipeline.errors import UsageError
from pipeline.wiring.spec import current_home


def env(home: Home = None) -> None:
    """Print shell lines that let `prefect` talk to the desk's server: eval "$(marketday env)".

    The password is not printed: the lines read it from its file when the shell runs them.
    """
    folder = current_home(home)
    try:
        text = shell_file(folder).read_text()
    except FileNotFoundError:
        remedy = "start it with `marketday up`, or name its folder with --home"
        raise UsageError(f"no Prefect server has run in {folder}: {remedy}") from None
    typer.echo(text, nl=False)
