"""No credential in any log of this process, at any level, from any library, nor in an error that is shown.

Filters on loggers miss what their children log, and handlers come and go: Prefect makes its own. What
every record passes is the factory that makes it. Measured: at DEBUG, websockets logs the frame that
carries a broker's key and secret.
"""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote

HIDDEN = "•••"
_SHORTEST = 8
"""Shorter secrets are words: hiding them would hide words, and guessing them needs no log."""


def redact(secrets: Iterable[str]) -> None:
    """Replace these texts, and their usual encodings, by dots in every log record from now on."""
    long_enough = (secret for secret in secrets if len(secret) >= _SHORTEST)
    _RECORDS.hidden = _RECORDS.hidden.union(*map(forms, long_enough))
    if not isinstance(logging.getLogRecordFactory(), _Redacting):
        _RECORDS.make = logging.getLogRecordFactory()
        logging.setLogRecordFactory(_RECORDS)


def redacted(text: str) -> str:
    """Return ``text`` with dots in the place of every secret."""
    for secret in _RECORDS.hidden:
        text = text.replace(secret, HIDDEN)
    return text


class Hiding:
    """Lets no error leave a block with a secret in its text: flow states and records show what it says."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or redacted(str(error)) == str(error):
            return
        told = redacted(str(error))
        _clean(error)
        if str(error) != redacted(str(error)):
            raise RuntimeError(f"{type(error).__name__}: {told}") from None


def _clean(error: Exception) -> None:
    """Take the secrets out of an error that stays what it is: what it is decides what happens next."""
    error.args = tuple(redacted(each) if isinstance(each, str) else each for each in error.args)
    for name, value in vars(error).items():
        if isinstance(value, str):
            setattr(error, name, redacted(value))


class _Redacting:
    """Makes log records without the texts in ``hidden``; ``make`` is the factory it stands before."""

    def __init__(self) -> None:
        self.hidden: frozenset[str] = frozenset()
        self.make: Callable[..., logging.LogRecord] = logging.LogRecord

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = self.make(*arguments, **named)
        said = _message(record)
        if (shown := redacted(said)) != said:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[1] is not None:
            told = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
            if (shown := redacted(told)) != told:
                record.exc_text, record.exc_info = shown, None
        return record


_RECORDS = _Redacting()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"  # a library's own mistake: its handler would print it whole


def forms(secret: str) -> set[str]:
    """Return a secret as it may be written: as it is, quoted in an address, in base64 at each offset."""
    found = {secret, quote(secret, safe="")}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
        # Its first and last characters hold bits of the neighbours, too.
        found.add(encoded[(0, 2, 3)[offset] : len(encoded) - 4])
    return found
