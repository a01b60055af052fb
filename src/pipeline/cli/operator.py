"""A rehearsed person: does what a fault script has its operator do, with the commands that anybody types."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pipeline.cli.exits import Exit

_TRIES = 10
"""A command refused, as a resume is while the books do not agree, is typed again at the next instants."""

Told = Callable[[str, datetime, dict[str, int | str]], None]


class Act(Protocol):
    """What a script has a person do: a verb of the command line, its arguments, and why."""

    @property
    def at(self) -> datetime: ...

    @property
    def verb(self) -> str: ...

    @property
    def arguments(self) -> tuple[str, ...]: ...

    @property
    def reason(self) -> str: ...


class Operator:
    """Carries out acts at their instants, each once, over restarts as well."""

    def __init__(self, acts: Sequence[Act], home: Path, told: Told) -> None:
        self._acts = sorted(acts, key=lambda act: act.at)
        self._home = home
        self._told = told
        self._marker = home / "operator.done"
        self._tries = 0

    async def until(self, instant: datetime) -> AsyncIterator[datetime]:
        """Yield the instant of each act due by ``instant``, and carry it out once the caller let it come."""
        for act in self._acts[self._done() :]:
            if act.at > instant:
                return
            yield act.at
            if not await self._carry_out(act):
                return

    def _done(self) -> int:
        return int(self._marker.read_text()) if self._marker.exists() else 0

    async def _carry_out(self, act: Act) -> bool:
        """Type one command; return whether the next one may follow: it was taken, or tried often enough."""
        code, said = await self._type(act)
        self._tries += 1
        over = code == Exit.FINE or self._tries >= _TRIES
        if over:
            self._tries = 0
            self._marker.write_text(f"{self._done() + 1}\n")
            outcome: dict[str, int | str] = {"verdict" if code == Exit.FINE else "failed": said}
            self._told(f"operator: {' '.join((act.verb, *act.arguments))}", act.at, outcome)
        return over

    async def _type(self, act: Act) -> tuple[int, str]:
        words = [act.verb, *act.arguments, "--reason", act.reason, "--home", str(self._home)]
        main = "from pipeline.cli.main import main; main()"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", main, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        text = said.decode(errors="replace").strip()
        with (self._home / "logs" / "operator.log").open("a", encoding="utf-8") as log:
            log.write(f"{act.at:%Y-%m-%d %H:%M:%S}Z $ marketday {' '.join(words)}\n{text}\n")
        return process.returncode or Exit.FINE, text
