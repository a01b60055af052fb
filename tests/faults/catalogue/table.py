"""The whole table: which file holds which faults."""

from __future__ import annotations

from importlib import import_module

from tests.faults.catalogue.model import Proof

AREAS: dict[str, tuple[int, ...]] = {
    "orders": tuple(range(1, 35)),
    "broker": tuple(range(35, 62)),
    "data": tuple(range(62, 81)),
    "risk": (*range(81, 89), *range(102, 105)),
    "configuration": tuple(range(89, 102)),
    "storage": tuple(range(105, 115)),
    "emergency": tuple(range(115, 119)),
}
THREATS = "threats"
PARTS = ("Interactive Brokers", "Schwab", "research", "parameter", "phases", "chat", "web", "SMS", "mail")
"""Parts of the product that are not built yet: only a fault that comes with one may wait for its test."""


def load(area: str) -> dict[int, Proof]:
    """Return the rows of one area, by number.

    Raises:
        ModuleNotFoundError: nobody has written them.
    """
    module = import_module(f"tests.faults.catalogue.{area}")
    found: dict[int, Proof] = (
        module.THREATS if area == THREATS and hasattr(module, "THREATS") else module.FAULTS
    )
    return found


def whole() -> dict[str, Proof]:
    """Return every row by its name, F1 … F118 and T1 … T18, in order."""
    faults = {number: proof for area in AREAS for number, proof in load(area).items()}
    threats = load(THREATS)
    rows = {f"F{number}": faults[number] for number in sorted(faults)}
    return rows | {f"T{number}": threats[number] for number in sorted(threats)}
