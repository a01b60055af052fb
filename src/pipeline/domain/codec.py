"""Domain values to JSON-ready data and back, by their type hints. Lossless for what a record holds."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Value = TypeVar("Value")


def encode(value: object) -> Any:
    """Return ``value`` as dicts, lists, strings, integers, booleans and None.

    Raises:
        TypeError: a value that a record must not hold, floats included: decisions are integers.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(encode(key)): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot stand in a record: {value!r}")


def decode(kind: type[Value], data: Mapping[str, Any]) -> Value:
    """Return the dataclass ``kind`` whose :func:`encode` gave ``data``; unknown keys are ignored.

    Raises:
        TypeError: a field without a default is missing.
    """
    hints = _hints(cast(Any, kind))
    present = {name: _decoded(hint, data[name]) for name, hint in hints.items() if name in data}
    return kind(**present)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _decoded(hint: Any, data: Any) -> Any:
    if data is None:
        return None
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return _decoded(next(arm for arm in get_args(hint) if arm is not type(None)), data)
    if origin is tuple:
        return _decoded_tuple(get_args(hint), data)
    if isinstance(hint, type) and is_dataclass(hint):
        return decode(hint, data)
    if hint is datetime or hint is date:
        return hint.fromisoformat(data)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    return data


def _decoded_tuple(arms: tuple[Any, ...], data: list[Any]) -> tuple[Any, ...]:
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_decoded(arms[0], item) for item in data)
    return tuple(_decoded(arm, item) for arm, item in zip(arms, data, strict=True))
