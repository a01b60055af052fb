from __future__ import annotations

import inspect
import pickle
from datetime import date

import pytest

from pipeline import errors
from pipeline.domain.session import OutsideCalendar
from pipeline.errors import MarketdayError, Terminal, Transient

ARGUMENTS: dict[str, object] = {
    "record": 7,
    "late_seconds": 12.5,
    "allowed_seconds": 3.0,
    "sent": False,
    "day": date(2031, 1, 2),
    "first": date(2016, 1, 4),
    "last": date(2027, 12, 31),
}


def every(kind: type[MarketdayError]) -> list[type[MarketdayError]]:
    own = [kind] if kind.__module__ == errors.__name__ or kind is OutsideCalendar else []
    return own + [found for child in kind.__subclasses__() for found in every(child)]


def built(kind: type[MarketdayError]) -> MarketdayError:
    if kind.__init__ is Exception.__init__:
        return kind("said in a sentence")
    names = list(inspect.signature(kind.__init__).parameters)[1:]
    if names == ["args", "kwargs"]:
        return kind("said in a sentence")
    return kind(*(ARGUMENTS.get(name, f"<{name}>") for name in names))


@pytest.mark.parametrize("kind", every(MarketdayError), ids=lambda kind: kind.__name__)
def test_an_error_says_the_same_after_a_trip_through_another_process(kind: type[MarketdayError]) -> None:
    error = built(kind)
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))
    assert str(error)


def test_every_error_says_whether_trying_again_can_help() -> None:
    for kind in every(MarketdayError):
        if kind not in (MarketdayError, Transient, Terminal):
            assert issubclass(kind, Transient) != issubclass(kind, Terminal), kind
