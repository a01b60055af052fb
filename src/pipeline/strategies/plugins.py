"""Strategies that users install beside ours, as entry points of the group ``marketday.strategies``.

Installed packages are looked through only when a configuration names a strategy that is not ours, and a
plug-in is imported only when it is used: a broken one hurts nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.signals import Strategy
from pipeline.errors import ConfigurationError
from pipeline.strategies.parameters import Kind, Parameters

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "marketday.strategies"

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,39}$")
"""What a configuration can write as a strategy's ``type``."""

FOREIGN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What code that nobody here has read may raise; our own errors are not among them."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A strategy somebody offers.

    Attributes:
        name: what a configuration writes as its ``type``.
        package: the distribution that brings it; version: of that.
        target: ``module:attribute``, a :class:`Kind` or any callable ``(name, params) -> Strategy``.
    """

    name: str
    package: str
    version: str
    target: str
    entry: EntryPoint

    def __str__(self) -> str:
        return f"the plug-in {self.target} of {self.package} {self.version}"

    def load(self) -> Loaded:
        """Import it.

        Raises:
            ConfigurationError: it cannot be imported, or is nothing that builds a strategy.
        """
        try:
            found = self.entry.load()
        except FOREIGN as error:
            raise self.broken(f"cannot be loaded: {type(error).__name__}: {error}") from error
        if not callable(found):
            raise self.broken(f"is a {type(found).__name__}, not a Kind or a function (name, params)")
        return Loaded(self, found)

    def broken(self, what: str) -> ConfigurationError:
        """Return the error that names the plug-in, what is wrong with it and the remedy."""
        remedy = f"{self} {what}. Repair it, or `pip uninstall {self.package}`"
        return ConfigurationError("strategies.type", self.name, remedy)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plug-in that is imported; calling it builds a strategy and looks at what came."""

    plugin: Plugin
    build: Callable[[str, Parameters], Strategy]

    @property
    def kind(self) -> Kind | None:
        """Its parameters and examples, when it declares them."""
        return self.build if isinstance(self.build, Kind) else None

    def __call__(self, name: str, params: Parameters) -> Strategy:
        """Return the strategy.

        Raises:
            ConfigurationError: refused parameters, or a plug-in that is broken.
            ValueError: as its author says that parameters are wrong.
        """
        try:
            made = self.build(name, params)
            problem = _problem(made, name)
        except ValueError:
            raise
        except FOREIGN as error:
            raise self.plugin.broken(f"failed on {dict(params)}: {type(error).__name__}: {error}") from error
        if problem:
            raise self.plugin.broken(problem)
        return made


def _problem(made: object, name: str) -> str:
    """Return how ``made`` is no strategy called ``name``; "" when it is one."""
    lookback = getattr(made, "lookback", None)
    if not callable(getattr(made, "decide", None)):
        return f"made a {type(made).__name__} without decide(bars)"
    if not isinstance(lookback, int) or isinstance(lookback, bool) or lookback < 1:
        return f"made a strategy whose lookback is {lookback!r}, not a number of bars"
    called = getattr(made, "name", None)
    return "" if called == name else f"made a strategy called {called!r} instead of {name!r}"


def plugins() -> tuple[Plugin, ...]:
    """Return every plug-in that is installed, by name. None is imported."""
    from importlib.metadata import entry_points

    found = (_described(entry) for entry in entry_points(group=GROUP))
    return tuple(sorted(found, key=lambda plugin: (plugin.name, plugin.package, plugin.target)))


def _described(entry: EntryPoint) -> Plugin:
    package = entry.dist.name if entry.dist else "an unknown package"
    return Plugin(entry.name, package, entry.dist.version if entry.dist else "", entry.value, entry)


def find_plugin(name: str) -> Plugin | None:
    """Return the plug-in that offers ``name``.

    Raises:
        ConfigurationError: two do: which one trades must not depend on the order of a folder.
    """
    offers = [plugin for plugin in plugins() if plugin.name == name]
    if len(offers) > 1:
        both = " and ".join(str(plugin) for plugin in offers)
        remedy = f"{both} have this name. Uninstall one: `pip uninstall {offers[-1].package}`"
        raise ConfigurationError("strategies.type", name, remedy)
    return offers[0] if offers else None
