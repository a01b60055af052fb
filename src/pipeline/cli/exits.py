"""Exit codes, and what an error says to the person who typed the command.

====  ==========================================================================
0     fine, GO
1     NO-GO: a check failed, ledger and broker differ, or an unexpected error
2     the command or the configuration cannot be used as written
3     broker, market data, journal or store cannot be reached or read
4     refused because trading is halted; a read verb says so only with --exit-code
130   stopped with Ctrl-C
====  ==========================================================================
"""

from __future__ import annotations

import errno
from enum import IntEnum

from pipeline.domain.session import OutsideCalendar
from pipeline.errors import (
    AccountMismatch,
    AppendRefused,
    BrokerRefused,
    ConfigurationError,
    DataInvalid,
    JournalCorrupt,
    LockBusy,
    MarketdayError,
    StoreUnavailable,
    Transient,
    UsageError,
)


class Exit(IntEnum):
    """What a command's exit code means."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    HALTED = 4
    INTERRUPTED = 130


_REFUSED = {"halted": Exit.HALTED, "reducing": Exit.HALTED, "disk": Exit.UNREACHABLE}
"""Codes of the journal's guard; every other one is a check that failed."""

_DISK_REMEDIES = {
    errno.EROFS: "The disk is read-only: remount it, or choose another folder with --home",
    errno.EACCES: "This user may not use it: correct its owner or permissions, or choose another with --home",
    errno.EPERM: "This user may not use it: correct its owner or permissions, or choose another with --home",
    errno.ENOSPC: "The disk is full: free some space and run the command again",
    errno.ENOENT: "Check the path",
    errno.EADDRINUSE: "Another program uses that port: end it, or choose another port",
}


def exit_code(error: MarketdayError) -> Exit:
    """Return the exit code that tells a script what kind of trouble this is."""
    if isinstance(error, AppendRefused):
        return _REFUSED.get(error.code, Exit.FAILED)
    if isinstance(error, UsageError | ConfigurationError | AccountMismatch | OutsideCalendar):
        return Exit.USAGE
    if isinstance(error, Transient | JournalCorrupt | DataInvalid | BrokerRefused):
        return Exit.UNREACHABLE
    return Exit.FAILED


def sentence(error: MarketdayError) -> str:
    """Return what happened and what to do about it, as one paragraph."""
    text = str(error).strip()
    remedy = _remedy(error)
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return f"{ended} {remedy}".strip()


def _remedy(error: MarketdayError) -> str:
    if isinstance(error, StoreUnavailable):
        return "Trading goes on without the store: try again in a moment, or run `marketday doctor`."
    if isinstance(error, LockBusy):
        return "Another run is at work there: try again in a moment."
    if isinstance(error, BrokerRefused):
        return "Check the credentials and the account at the broker, then run `marketday doctor`."
    if isinstance(error, AccountMismatch):
        return "Correct data.source.environment, or the credentials."
    if isinstance(error, AppendRefused) and error.code in ("halted", "reducing"):
        return "`marketday status` says why; `marketday resume --reason …` when that is understood."
    if isinstance(error, AppendRefused) and error.code == "unreconciled":
        return "`marketday reconcile` shows what differs."
    if isinstance(error, AppendRefused) and error.code == "unresolved":
        return "It is looked up at every pass; `marketday orders` shows it. Resume when it is known."
    return ""


def disk_sentence(error: OSError) -> str:
    """Return what the operating system refused, with a remedy, as one paragraph."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = _DISK_REMEDIES.get(error.errno or 0, "Run `marketday doctor`")
    return f"{where}{error.strerror or error}. {remedy}."
