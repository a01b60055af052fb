"""Packages that a user might install: written to a folder as `pip` would leave them."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

BREAKOUT = """
    from dataclasses import dataclass

    from pipeline.domain.signals import Signal
    from pipeline.strategies.parameters import Bars, Kind, Parameter


    @dataclass(frozen=True, slots=True)
    class Breakout:
        name: str
        channel: int

        @property
        def lookback(self):
            return self.channel + 1

        def decide(self, bars):
            *earlier, last = bars[-self.lookback :]
            above = last.close > max(bar.high for bar in earlier)
            below = last.close < min(bar.low for bar in earlier)
            return Signal(last.symbol, self.name, above - below, 0, last.close)


    def _make(name, values):
        return Breakout(name, values["channel"])


    KIND = Kind("Buys a new high.", (Parameter("channel", "bars", Bars(2), 20),), _make)


    def plain(name, params):
        return Breakout(name, params["channel"])


    def renamed(name, params):
        return Breakout("other", 3)


    def refusing(name, params):
        raise ValueError("channel must be odd")


    def nothing(name, params):
        return None


    class Everlasting(Breakout):
        lookback = 0


    def everlasting(name, params):
        return Everlasting(name, 3)


    class Peeking(Breakout):
        seen = []

        def decide(self, bars):
            self.seen.append(bars[-1].close)
            return Signal(bars[-1].symbol, self.name, int(max(self.seen) > bars[-1].close), 0, bars[-1].close)


    def peeking(name, params):
        return Peeking(name, 3)


    class Hashing(Breakout):
        def decide(self, bars):
            return Signal(bars[-1].symbol, self.name, 0, abs(hash("breakout")), bars[-1].close)


    def hashing(name, params):
        return Hashing(name, 3)


    NOTHING = 3
"""


class Shelf:
    """A folder from which packages are imported, gone after the test, here and in child processes."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder))

    def put(self, package: str, entries: dict[str, str], source: str = BREAKOUT) -> None:
        """Install ``package`` 1.2, a module of its name, with entry points name → attribute."""
        self._patch.delitem(sys.modules, package, raising=False)
        (self._folder / f"{package}.py").write_text(dedent(source), "utf-8")
        about = self._folder / f"{package}-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", "utf-8")
        lines = [f"{name} = {package}:{attribute}" for name, attribute in entries.items()]
        text = "\n".join(["[marketday.strategies]", *lines, ""])
        (about / "entry_points.txt").write_text(text, "utf-8")
