"""P11: are the installed packages compiled, and what does it save?"""

from __future__ import annotations

import sysconfig
import tempfile
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

from benchmarks.results import Row, Scale, at_least, note
from benchmarks.timing import ROOT, best_cpu, compile_ours, fresh_in_turn, python

TITLE = "bytecode (P11): compiled at install"
IMPORT = "import flows.intraday_tick"


def measure(scale: Scale) -> list[Row]:
    """Count the modules with current bytecode, and import with it and without it."""
    packages = Path(sysconfig.get_path("purelib"))
    ours = [path for folder in ("src", "flows", "tasks") for path in (ROOT / folder).rglob("*.py")]
    compile_ours()
    with tempfile.TemporaryDirectory() as empty:
        # An empty cache that is not written to: every module is compiled from its source.
        without = python(IMPORT, "-B", "-X", f"pycache_prefix={empty}")
        found = fresh_in_turn({"with": python(IMPORT), "without": without}, scale.pick(1, 5))
    compiled, uncompiled = best_cpu(found["with"]), best_cpu(found["without"])
    installed = _share(list(packages.rglob("*.py")))
    return [
        scale.absolute("installed modules with current bytecode", installed, "%", at_least(99)),
        note("our own modules with current bytecode", _share(ours), "%"),
        scale.versus(IMPORT, compiled, uncompiled, "ms CPU", ("without bytecode", at_least(1.5))),
    ]


def _share(sources: list[Path]) -> float:
    return 100 * sum(_current(source) for source in sources) / len(sources)


def _current(source: Path) -> bool:
    """Tell whether Python would use this module's bytecode: made by this version, from this very source."""
    compiled = Path(cache_from_source(str(source)))
    try:
        with compiled.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        return False
    if head[:4] != MAGIC_NUMBER:
        return False
    if int.from_bytes(head[4:8], "little"):
        return True  # checked by hash, or not at all
    found = source.stat()
    made = (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    return made == (int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little"))
