"""What may be written for a strategy's parameters. What is accepted becomes integers; the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Protocol

from pipeline.domain.money import fraction_decimal, to_ppm
from pipeline.domain.signals import Strategy
from pipeline.errors import ConfigurationError

Parameters = Mapping[str, object]
"""As written in a configuration."""

Values = Mapping[str, int]
"""As a strategy computes with them: bars, parts per million, 0 or 1."""


class Span(Protocol):
    """The values one parameter accepts; its ``str`` says so to people."""

    def read(self, value: object) -> int:
        """Return ``value`` as an integer. Raises ValueError, whose text is the remedy."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A whole number of bars, both ends included."""

    low: int = 1
    high: int = 10_000

    def read(self, value: object) -> int:
        """Return the number of bars. Raises ValueError."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError(f"give a whole number of bars, {self.low} to {self.high}")
        return value

    def __str__(self) -> str:
        return f"{self.low} to {self.high:,} bars"


@dataclass(frozen=True, slots=True)
class Number:
    """A number in ``[low, below)`` with at most six decimals, so that as parts per million it is exact."""

    noun: str
    low: int = 0
    below: int = 1

    def read(self, value: object) -> int:
        """Return the number in ppm. Raises ValueError."""
        written = isinstance(value, int | float) and not isinstance(value, bool)
        if not written or not self.low <= value < self.below:  # type: ignore[operator]
            raise ValueError(f"give a {self.noun}, {self.low} to below {self.below}")
        ppm = to_ppm(value)  # type: ignore[arg-type]
        if fraction_decimal(ppm) != Decimal(repr(value)):
            raise ValueError(f"give a {self.noun} with at most six decimals, as in {fraction_decimal(ppm)}")
        return ppm

    def __str__(self) -> str:
        return f"{self.noun}, {self.low} to below {self.below}"


@dataclass(frozen=True, slots=True)
class Off:
    """A switch that this version can only leave off; ``why`` is the remedy when it is on."""

    why: str

    def read(self, value: object) -> int:
        """Return 0. Raises ValueError."""
        if value is False:
            return 0
        raise ValueError(self.why if value is True else "write true or false")

    def __str__(self) -> str:
        return "false"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        example: what ``marketday strategy check`` uses when nothing is given.
        default: used when a configuration leaves it out; None means that it must be given.
    """

    name: str
    meaning: str
    span: Span
    example: float
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of strategy: what it does, what may be written for it, and how one is made.

    Attributes:
        summary: one line for people.
        make: takes the configured name and the values of all ``parameters``. A ValueError or a
            ConfigurationError of it says which of them do not go together.
    """

    summary: str
    parameters: tuple[Parameter, ...]
    make: Callable[[str, Values], Strategy]

    def __call__(self, name: str, params: Parameters) -> Strategy:
        """Return the strategy ``name``. Raises ConfigurationError, which names key, value and remedy."""
        return self.make(name, self.read(name, params))

    @property
    def examples(self) -> dict[str, float]:
        """Parameters that make a plausible strategy, as one would write them."""
        return {parameter.name: parameter.example for parameter in self.parameters}

    def read(self, name: str, params: Parameters) -> dict[str, int]:
        """Return every parameter as an integer. Raises ConfigurationError."""
        known = [parameter.name for parameter in self.parameters]
        for key in params:
            if key not in known:
                raise refused(name, key, params[key], did_you_mean(key, known))
        return {parameter.name: _read(name, parameter, params) for parameter in self.parameters}


def _read(name: str, parameter: Parameter, params: Parameters) -> int:
    value = params.get(parameter.name, parameter.default)
    try:
        return parameter.span.read(value)
    except ValueError as error:
        raise refused(name, parameter.name, value, str(error)) from error


def refused(name: str, key: str, value: object, remedy: str) -> ConfigurationError:
    """Return the error that names a parameter of the strategy ``name``, its value and the remedy."""
    return ConfigurationError(f"strategies.{name}.params.{key}", value, remedy)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return a remedy for a misspelt word: the nearest known one, or all of them."""
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
