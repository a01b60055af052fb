"""Reads JSON strictly: every key is asked for, every error names key, value and remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ConfigurationError

T = TypeVar("T")


def read_json(path: Path, key: str) -> object:
    """Return the JSON document at ``path``. Raises ConfigurationError, which names ``key``."""
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(key, str(path), f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(key, str(path), f"is not JSON: {error}") from error


class Fields:
    """The keys of one JSON object, taken one by one; what is left over is an error."""

    def __init__(self, where: str, values: object) -> None:
        if not isinstance(values, dict):
            raise ConfigurationError(where, values, "must be a JSON object")
        self._where = where
        self._left: dict[str, Any] = dict(values)
        self._known: list[str] = []

    def take(self, key: str, read: Callable[[Any], T], default: T | None = None) -> T:
        """Return ``read(value)``; an absent key yields ``default``, or is refused without one."""
        self._known.append(key)
        name = f"{self._where}.{key}"
        if key not in self._left:
            if default is None:
                raise ConfigurationError(name, None, "is missing; add it")
            return default
        value = self._left.pop(key)
        try:
            return read(value)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(name, value, str(error)) from error

    def maybe(self, key: str, read: Callable[[Any], T]) -> T | None:
        """Return ``read(value)``, or None for an absent or null key."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            self._known.append(key)
            return None
        return self.take(key, read)

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        for key, value in self._left.items():
            near = difflib.get_close_matches(key, self._known, 1)
            remedy = f"unknown key; did you mean {near[0]!r}?" if near else "unknown key; remove it"
            raise ConfigurationError(f"{self._where}.{key}", value, remedy)


def whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def fraction(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not low <= float(value) <= high:
            raise ValueError(f"must be a number from {low} to {high}")
        return float(value)

    return read


def positive(convert: Callable[[Any], int], least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        units = convert(value)
        if units < least:
            raise ValueError("must not be negative" if least == 0 else "must be above zero")
        return units

    return read


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text that is not empty")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return read


def instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(text(value))
    if instant.tzinfo is None:
        raise ValueError("needs a time zone, as in '2026-11-20T13:00:00Z'")
    return instant
