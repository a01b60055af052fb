"""Failpoints: named places where a test makes a process die, fail or wait. Nothing while it is unset.

``FAILPOINT=after_post:exit`` ends the process there as kill -9 would, ``before_ack:raise`` raises,
``in_recover:sleep=2`` waits two seconds; ``after_sending@3:exit`` means the third time the place is reached.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count

from pipeline.errors import UsageError

VARIABLE = "FAILPOINT"
PLACES = (
    "after_lock",
    "after_lease",
    "before_recover",
    "in_recover",
    "after_recover",
    "after_look",
    "after_decide",
    "before_intent",
    "after_intent",
    "before_sending",
    "after_sending",
    "after_post",
    "after_answer",
    "before_fill",
    "after_fill",
    "before_cancel",
    "after_cancel",
    "after_halt",
    "in_reconcile",
    "before_record",
    "after_tick",
    "before_project",
    "after_project",
)
"""Every place, in the order in which a tick comes by; ``before_record``: before each journal append."""

EXIT_CODE = 137
"""What a shell reports of a process that kill -9 ended."""


class Reached(Exception):
    """A failpoint that was told to raise. Outside the tree of errors: nobody may expect it."""


_armed: Callable[[str], None] | None = None


def reach(place: str) -> None:
    """Do what the environment, or a test, has armed for ``place``: usually nothing."""
    if _armed is not None:
        _armed(place)


def arm(act: Callable[[str], None] | None) -> None:
    """Have ``act`` called with every place reached in this process; None disarms."""
    global _armed  # noqa: PLW0603 - one process, one plan; a test arms and disarms it
    _armed = act


def refuse_with_real_money() -> None:
    """Refuse to go on where real money moves and a place is armed.

    Raises:
        UsageError: ``FAILPOINT`` is set.
    """
    if _armed is not None:
        raise UsageError(
            f"{VARIABLE} is set: it makes processes die. Unset it; it is never used with real money"
        )


def refuse_nonsense() -> None:
    """Refuse to go on where ``FAILPOINT`` says what nobody understands: what arms nothing proves nothing.

    Raises:
        UsageError: no such place, or no such act.
    """
    if _nonsense:
        raise UsageError(_nonsense)


def plan_of(text: str) -> Callable[[str], None]:
    """Return what ``FAILPOINT``'s value asks for.

    Raises:
        UsageError: no such place, or no such act.
    """
    place, _, act = text.partition(":")
    place, _, nth = place.partition("@")
    if place not in PLACES or not (nth or "1").isdigit():
        raise UsageError(f"{VARIABLE}={text}: no such place; there are {', '.join(PLACES)}")
    perform, reached, wanted = _act_of(text, act), count(1), int(nth or "1")

    def at(name: str) -> None:
        if name == place and next(reached) == wanted:
            perform()

    return at


def _act_of(text: str, act: str) -> Callable[[], None]:
    if act == "exit":
        return lambda: os._exit(EXIT_CODE)
    if act == "raise":
        return _raise
    name, _, seconds = act.partition("=")
    if name == "sleep" and seconds.replace(".", "", 1).isdigit():
        return lambda: time.sleep(float(seconds))
    raise UsageError(f"{VARIABLE}={text}: say what to do there: exit, raise, or sleep=SECONDS")


def _raise() -> None:
    raise Reached


_nonsense = ""
if os.environ.get(VARIABLE):
    try:
        arm(plan_of(os.environ[VARIABLE]))
    except UsageError as error:
        _nonsense = str(error)  # told when a desk is opened: a halt must not fail for it
