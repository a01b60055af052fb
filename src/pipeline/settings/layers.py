"""Layers of a configuration: merging, overrides from the command line, environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.settings.documents import Document, KeyPath, read_text, shown
from pipeline.settings.values import Expanded, Unset

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{[^}]*\}?")


def process_environment() -> Mapping[str, str]:
    """Return this process's environment variables. The one place of the product that reads them."""
    return dict(os.environ)


def merged(base: Document, over: Document) -> Document:
    """Return ``base`` with ``over`` on top: mappings merge key by key, everything else is replaced."""
    values, replaced = _merge(base.values, over.values, ())
    kept = {path: place for path, place in base.origins.items() if not _below(path, replaced)}
    return Document(values, kept | dict(over.origins))


def _merge(
    base: Mapping[str, Any], over: Mapping[str, Any], path: KeyPath
) -> tuple[dict[str, Any], set[KeyPath]]:
    values, replaced = dict(base), set[KeyPath]()
    for key, value in over.items():
        here = (*path, key)
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping):
            values[key], inner = _merge(values[key], value, here)
            replaced |= inner
        else:
            values[key] = value
            replaced.add(here)
    return values, replaced


def _below(path: KeyPath, roots: set[KeyPath]) -> bool:
    return any(path[:end] in roots for end in range(1, len(path) + 1))


def overridden(document: Document, override: str) -> Document:
    """Return ``document`` with one ``a.b.0.c=value`` applied; the value is read as YAML.

    Raises:
        ConfigurationError: no "=", no key, a list index that does not exist, or a value that is not YAML.
    """
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigurationError("--set", override, "write it as risk_management.position_size_pct=0.01")
    value = read_text(f"value: {text}", "--set").values.get("value")
    path: KeyPath = tuple(int(name) if name.isdecimal() else name for name in names)
    values = _placed(dict(document.values), path, value, path)
    kept = {at: place for at, place in document.origins.items() if at[: len(path)] != path}
    made = {path[:end]: "--set" for end in range(1, len(path)) if path[:end] not in kept}
    return Document(values, kept | made | {path: "--set"})


def _placed(container: Any, rest: KeyPath, value: Any, path: KeyPath) -> Any:
    if not rest:
        return value
    head, tail = rest[0], rest[1:]
    if isinstance(container, list):
        if not isinstance(head, int) or head >= len(container):
            remedy = f"{head!r} is not an item of a list of {len(container)}; count from 0"
            raise ConfigurationError(shown(path), None, remedy, "--set")
        return [
            _placed(item, tail, value, path) if index == head else item
            for index, item in enumerate(container)
        ]
    inner = container if isinstance(container, Mapping) else {}
    return {**inner, str(head): _placed(inner.get(str(head), {}), tail, value, path)}


def expanded(document: Document, environ: Mapping[str, str]) -> Document:
    """Return ``document`` with ``${VAR}``, ``${VAR:-default}`` and ``$$`` replaced in its values.

    This happens after parsing, so that a variable's value is always one scalar and never YAML. A variable
    that is missing or blank, without a default, leaves :class:`Unset` in the place of the whole value.

    Raises:
        ConfigurationError: a reference that cannot be read, as in ``${1X}`` or ``${X``, or a variable that
            holds a reference.
    """
    return Document(_expand(document.values, (), document, environ), document.origins)


def _expand(value: Any, path: KeyPath, document: Document, environ: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand(inner, (*path, key), document, environ) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_expand(inner, (*path, index), document, environ) for index, inner in enumerate(value)]
    if isinstance(value, str) and "$" in value:
        return _expand_text(value, path, document.where(path), environ)
    return value


def _expand_text(text: str, path: KeyPath, where: str, environ: Mapping[str, str]) -> str | Unset:
    parts: list[str] = []
    last, from_environment = 0, False
    for match in _REFERENCE.finditer(text):
        parts.append(text[last : match.start()])
        last = match.end()
        if match.group() == "$$":
            parts.append("$")
            continue
        name = match["name"]
        if name is None:
            remedy = (
                f"{match.group()} is not a reference; write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar"
            )
            raise ConfigurationError(shown(path), None, remedy, where)
        found = environ.get(name, "").strip() or (match["default"] or "").strip()
        if not found:
            return Unset(name, shown(path), where)
        if "${" in found:
            remedy = f"the environment variable {name} holds a reference itself; set it to the value"
            raise ConfigurationError(shown(path), None, remedy, where)
        from_environment = True
        parts.append(found)
    result = "".join([*parts, text[last:]])
    return Expanded(result) if from_environment else result
