"""YAML as people mean it: times stay text, only true and false are booleans, no key twice.

PyYAML implements YAML 1.1, in which ``16:00`` is 960, ``on:`` is the key True and ``010`` is 8. Here a
plain scalar is null, true, false, a decimal number, or the text that stands in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigurationError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 40

KeyPath = tuple[str | int, ...]


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader whose plain scalars are null, boolean, decimal number, or text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own protocol


_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]{0,30})$"), list("-+0123456789")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)$"
    ),
    list("-+0123456789."),
)

_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": lambda text: int(text.replace("_", "")),
    "tag:yaml.org,2002:float": lambda text: float(re.sub(r"\.(inf|nan)$", r"\1", text)),
}


@dataclass(frozen=True, slots=True)
class Document:
    """Nested mappings, lists and scalars, and where each key stands ("file.yaml:12")."""

    values: Mapping[str, Any]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Return the place of ``path``, or of the nearest key around it that is in a file."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return ""


def shown(path: KeyPath) -> str:
    """Return a key path as people write it: ``strategies[0].params.fast_period``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_document(path: Path) -> Document:
    """Return the YAML file ``path``.

    Raises:
        ConfigurationError: missing, unreadable, too large, or not YAML as this module defines it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(
                str(path), None, f"is larger than {MAX_BYTES} bytes; no configuration is"
            )
        return read_text(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError as error:
        raise ConfigurationError(str(path), None, _missing(path)) from error
    except IsADirectoryError as error:
        raise ConfigurationError(str(path), None, "is a folder; name a file in it") from error
    except OSError as error:
        remedy = f"cannot be read ({error.strerror}); check its permissions"
        raise ConfigurationError(str(path), None, remedy) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), None, "is not UTF-8 text; save it as UTF-8") from error


def read_text(text: str, source: str) -> Document:
    """Return the YAML ``text``; ``source`` is the file's name in errors. An empty text is an empty mapping.

    Raises:
        ConfigurationError: as :func:`read_document`.
    """
    reading = _Reading(source)
    try:
        node = yaml.compose(text, _PlainLoader)
        values = {} if node is None else reading.value(node, ())
    except RecursionError as error:
        raise ConfigurationError(source, None, f"is nested deeper than {MAX_DEPTH} levels") from error
    except yaml.MarkedYAMLError as error:
        # Not chained: the cause quotes the line, which may hold a secret.
        raise _syntax_error(error, source) from None
    except yaml.YAMLError as error:
        raise ConfigurationError(source, None, f"is not YAML text: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(source, None, "must be a mapping of keys, as in `risk_management: …`")
    return Document(values, reading.origins)


class _Reading:
    """Turns YAML nodes into values, remembers places, and counts what aliases repeat."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.origins: dict[KeyPath, str] = {}
        self._nodes = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        # Ten aliases of ten aliases … are small in the file and endless in memory.
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise self._error(node, path, "its anchors and aliases unfold without end; write the values out")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self._at(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return _SCALARS[node.tag](node.value)
        raise self._error(node, path, f"the tag {node.tag} is not allowed; write plain values")

    def _at(self, node: yaml.Node, path: KeyPath) -> Any:
        self.origins[path] = self._place(node)
        return self.value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, path)
            if not isinstance(key, str):
                raise self._error(key_node, path, f"the key {key!r} is not text; put it in quotes")
            if key == "<<":
                raise self._error(
                    key_node, path, "merge keys are not read; name several files, which are merged"
                )
            if key in result:
                first = self.origins[(*path, key)].rpartition(":")[2]
                remedy = f"stands twice, first in line {first}; remove one"
                raise self._error(key_node, (*path, key), remedy)
            self.origins[(*path, key)] = self._place(key_node)
            result[key] = self.value(value_node, (*path, key))
        return result

    def _place(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}"

    def _error(self, node: yaml.Node, path: KeyPath, remedy: str) -> ConfigurationError:
        return ConfigurationError(shown(path) or "document", None, remedy, self._place(node))


def _syntax_error(error: yaml.MarkedYAMLError, source: str) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    where = f"{source}:{mark.line + 1}" if mark else source
    problem = " ".join(str(error.problem or error.context).split())
    remedy = "indent with spaces, never with tabs" if "\\t" in problem else f"is not valid YAML: {problem}"
    return ConfigurationError("document", None, remedy, where)


def _missing(path: Path) -> str:
    beside = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    if beside:
        return f"there is no such file; in {path.parent} there are: {', '.join(beside[:12])}"
    return "there is no such file; name an existing one, as in deployments/config/rehearsal.yaml"
