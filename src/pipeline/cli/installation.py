"""Checks of the installation: Python, packages, bytecode, disk, ports."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pipeline.cli.loopback import UI_PORT
from pipeline.operations.procedures.finding import Finding, fail, ok, warn
from pipeline.operations.procedures.pre_market import MIN_FREE_BYTES

_SLOW_IMPORTS = ("prefect", "pandas", "alpaca", "duckdb")
"""What takes longest to import: without bytecode Prefect alone costs 2.3 s instead of 0.9 s."""
_LEAST_FREE = 2_000_000_000


def installation_checks(home: Path | None) -> Iterator[tuple[str, Finding]]:
    """Yield each check's name and finding. ``home``: whose disk is looked at; here when None."""
    yield "python", _python()
    yield "packages", _packages()
    yield "bytecode", _bytecode()
    yield "disk", _disk(home if home is not None and home.exists() else Path.cwd())
    yield "ports", _ports()


def _python() -> Finding:
    return ok(f"{platform.python_version()} in {sys.prefix}")  # an older one cannot install Marketday


def _packages() -> Finding:
    """Compare what is installed with what the distribution asks for, pins included."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in metadata.requires("marketday") or ()]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [text for one in needed if (text := _wrong(one.name, one.specifier))]
    if wrong:
        return fail(f"{'; '.join(wrong)}. `make demo` installs the locked versions")
    return ok(f"{len(needed)} packages within their pins")


def _wrong(name: str, allowed: object) -> str:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    fits = found in allowed  # type: ignore[operator]
    return "" if fits else f"{name} {found} is not {allowed}"


def _bytecode() -> Finding:
    slow = [name for name in _SLOW_IMPORTS if not _compiled(name)]
    if slow:
        remedy = f"`{sys.executable} -m compileall -q {sys.prefix}` compiles them once"
        return warn(f"{', '.join(slow)} would be compiled at every start; {remedy}")
    return ok(f"compiled for {', '.join(_SLOW_IMPORTS)}")


def _compiled(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return True  # absent ones are the packages check's matter; extension modules need none
    return Path(importlib.util.cache_from_source(spec.origin)).exists()


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free for {folder}"
    if not os.access(folder, os.W_OK):
        return fail(f"{folder} cannot be written: correct its permissions, or choose another with --home")
    if free < MIN_FREE_BYTES:
        return fail(f"{text}; {MIN_FREE_BYTES / 1e9:.1f} GB are needed")
    return warn(f"{text}; less than {_LEAST_FREE / 1e9:.0f} GB") if free < _LEAST_FREE else ok(text)


def _ports() -> Finding:
    """Loopback must give out a port; Prefect's usual one may be taken: another is used then."""
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
    except OSError as error:
        return fail(f"no port on 127.0.0.1 can be opened: {error}")
    with socket.socket() as usual:
        taken = usual.connect_ex(("127.0.0.1", UI_PORT)) == 0
    return ok(f"loopback works; {UI_PORT} is {'in use, another will be taken' if taken else 'free'}")
