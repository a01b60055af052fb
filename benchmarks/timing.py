"""Stop-watches: contestants in turn, fresh processes, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Cost:
    """What one fresh process cost, seconds."""

    wall: float
    cpu: float


def in_turn(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run every contestant once a round and return seconds of wall time by name.

    The order is reversed every other round, so that none always runs in another's wake.
    """
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names if number % 2 == 0 else names[::-1]:
            began = time.perf_counter()
            contestants[name]()
            found[name].append(time.perf_counter() - began)
    return found


def fresh(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and return what it cost, its own children included.

    Raises:
        RuntimeError: it failed.
    """
    wanted = {**os.environ, **(environment or {})}
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        out = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), number) for number in (1, 2)]
        pid = os.posix_spawn(command[0], list(command), wanted, file_actions=out)
        _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def fresh_in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Cost]]:
    """Run every command once a round, after a first round that warms the disk's cache and is thrown away."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            cost = fresh(command)
            if number:
                found[name].append(cost)
    return found


def compile_ours() -> None:
    """Leave bytecode of our own modules, as an installation does, whatever has been edited since."""
    folders = [str(ROOT / name) for name in ("src", "flows", "tasks")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=True)


def python(code: str, *flags: str) -> list[str]:
    """Return the command that runs ``code`` in this interpreter."""
    return [sys.executable, *flags, "-c", code]


def median_ms(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(seconds) * 1000


def best_cpu(costs: Sequence[Cost]) -> float:
    """Return the least processor time, milliseconds: what the work takes when nobody disturbs it."""
    return min(cost.cpu for cost in costs) * 1000


def best_wall(costs: Sequence[Cost]) -> float:
    """Return the least wall time, milliseconds."""
    return min(cost.wall for cost in costs) * 1000
