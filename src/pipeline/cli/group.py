"""The root command: verbs that are imported when they are typed, and one place where errors become words."""

from __future__ import annotations

import errno
import shutil
import sys
import textwrap
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pipeline.cli.exits import Exit, disk_sentence, exit_code, sentence
from pipeline.errors import MarketdayError

_DEBUG = "--debug"
_WIDEST = 100


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: ``module:function`` (or a Typer of its own), one line of help, the help's panel."""

    target: str
    help: str
    panel: str


VERBS: dict[str, Verb] = {}
"""Every verb by name, in the order of the help; ``pipeline.cli.main`` fills it."""


class Commands(TyperGroup):
    """Imports a verb's module only when that verb is run: `status` and `halt` must not wait for Prefect."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept --debug anywhere: people add it at the end of the line that failed."""
        end = args.index("--") if "--" in args else len(args)
        if _DEBUG in args[:end]:
            args = [_DEBUG, *(word for word in args[:end] if word != _DEBUG), *args[end:]]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the real command in the place of the one that only stands in the help."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found if name is None else load(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; an error becomes one paragraph and an exit code, unless --debug asks for it whole."""
        if ctx.params.get("debug"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except MarketdayError as error:
            complain(sentence(error))
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt as error:
            complain("stopped by Ctrl-C. What was journalled stays; the same command continues from there.")
            raise typer.Exit(Exit.INTERRUPTED) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of a pipe went away: the frame around us ends quietly
            complain(disk_sentence(error))
            raise typer.Exit(Exit.UNREACHABLE) from error


def load(name: str) -> Any:
    """Return the command behind a verb, importing its module."""
    verb = VERBS[name]
    module, _, attribute = verb.target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    single = typer.Typer(add_completion=False)
    single.command(name)(found)
    return get_command(single)


def complain(text: str) -> None:
    """Write a paragraph to stderr, as wide as the terminal allows."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = f"marketday: {text}".splitlines()
    filled = "\n".join(
        textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )
    typer.echo(filled, err=True)


def tell_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what nobody foresaw, without a traceback unless it was asked for; for ``sys.excepthook``."""
    if _DEBUG in sys.argv:
        sys.__excepthook__(kind, error, trace)
        return
    complain(
        f"an unexpected error, which should be reported: {kind.__name__}: {error}. "
        "Run the same command with --debug for the traceback."
    )
