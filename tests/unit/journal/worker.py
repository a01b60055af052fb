"""A second process for the journal tests: ``python -m tests.unit.journal.worker COMMAND PATH …``.

What a command has durably written it prints, one line each: that is what must never be lost.
"""

from __future__ import annotations

import itertools
import resource
import sys
from pathlib import Path

from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.journal import FileJournal
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.errors import AppendRefused
from tests.unit.domain.making import T0, an_intent


def opened(path: Path) -> FileJournal:
    return FileJournal(path, FileLock(path.with_suffix(".lock")))


def append(path: Path, name: str, count: str) -> None:
    """Append ``count`` locks on symbols that carry ``name``; 0 is for ever."""
    journal = opened(path)
    for number in range(int(count)) if int(count) else itertools.count():
        record = journal.append(Kind.LOCK, {"symbol": name, "reason": str(number)}, T0)
        print(f"{record.seq} {name} {number}", flush=True)


def plan(path: Path, name: str) -> None:
    """Plan and send intents under the lease in force until one is refused; print why."""
    journal = opened(path)
    journal.take_lease("trader", "code", "config", T0)
    try:
        for number in itertools.count():
            intent = an_intent(symbol=f"{name}{number}")
            journal.append(Kind.INTENT, encode(intent), T0)
            journal.append(Kind.SENDING, {"intent_id": intent.id, "quantity": intent.quantity}, T0)
            print("sent", number, flush=True)
    except AppendRefused as error:
        print("refused", error.code, flush=True)


def fill_up(path: Path, limit: str) -> None:
    """Append until the file may not grow; then say what was refused and what the ledger still knows."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    journal = opened(path)
    try:
        append_to(journal)
    except AppendRefused as error:
        print("refused", error.code, journal.ledger.seq, len(journal.read().locks), flush=True)


def append_to(journal: FileJournal) -> None:
    for number in itertools.count():
        record = journal.append(Kind.LOCK, {"symbol": f"S{number}", "reason": "x" * 40}, T0)
        print("acked", record.seq, flush=True)


def hold(path: Path) -> None:
    """Hold the journal's lock until the standard input ends."""
    with FileLock(path.with_suffix(".lock")).hold(0.0):
        print("held", flush=True)
        sys.stdin.read()


COMMANDS = {"append": append, "plan": plan, "fill_up": fill_up, "hold": hold}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
