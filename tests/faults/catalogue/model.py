"""One row of the table of faults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """A fault and what shows that it does no harm.

    Attributes:
        title: the fault, in a few words.
        tests: pytest ids without parameters, as in ``tests/faults/test_sweep.py::test_a_crash``.
        awaits: the part of the product that is not built yet and brings the fault with it, "" when shown.
    """

    title: str
    tests: tuple[str, ...]
    awaits: str = ""


def shown(title: str, *tests: str) -> Proof:
    """Return the row of a fault that tests provoke.

    Raises:
        ValueError: no test is named.
    """
    if not tests:
        raise ValueError(f"{title}: name the test that provokes it")
    return Proof(title, tests)


def later(title: str, awaits: str) -> Proof:
    """Return the row of a fault that comes with a part of the product not built yet."""
    return Proof(title, (), awaits)
