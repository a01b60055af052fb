"""The credentials in a configuration, so that logs can leave them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from pipeline.settings.values import Secret


def secret_values(value: object) -> Iterator[str]:
    """Yield every credential in settings, or in any part of them, that has a value."""
    if isinstance(value, Secret):
        if value.unset is None:
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _name, inner in value:
            yield from secret_values(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secret_values(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from secret_values(inner)
