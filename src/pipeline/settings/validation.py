"""From a document to :class:`Settings`; pydantic's errors become sentences with key, place and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import ConfigurationError
from pipeline.settings.consistency import contradictions
from pipeline.settings.documents import Document, KeyPath, shown
from pipeline.settings.models.base import Block
from pipeline.settings.models.root import Settings
from pipeline.settings.problems import did_you_mean, one_error
from pipeline.settings.values import Expanded, Unset

_SECRET_NAME = re.compile(r"key|secret|token|passw|credential|webhook|sms|url", re.IGNORECASE)

_SENTENCES = {
    "missing": "is required; add it",
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list, as in [a, b]",
    "model_type": "must be a mapping of keys; write them below it, indented, or remove it",
    "model_attributes_type": "must be a mapping of keys; write them below it, indented, or remove it",
    "mapping_type": "must be a mapping of keys; write them below it, indented, or remove it",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def validated(document: Document) -> Settings:
    """Return the settings an expanded document describes.

    Raises:
        ConfigurationError: everything that is wrong with it, at once. Neither secrets nor values that came
            from the environment are in it.
    """
    try:
        settings = Settings.model_validate(document.values)
    except ValidationError as error:
        raise one_error([_sentence(detail, document) for detail in _own(error)]) from None
    found = contradictions(settings)
    if found:
        raise one_error([_placed(error, document) for error in found])
    return settings


def _own(error: ValidationError) -> list[ErrorDetails]:
    """Return the errors but those that follow from one inside: a list whose item is wrong is not empty."""
    details = error.errors(include_url=False)
    places = {detail["loc"][:end] for detail in details for end in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in places]


def _sentence(detail: ErrorDetails, document: Document) -> ConfigurationError:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    value = detail["input"]
    if isinstance(value, Unset):
        return value.error()
    if detail["type"] == "extra_forbidden":
        return ConfigurationError(shown(path), None, _unknown_key(path), document.where(path))
    remedy = _remedy(detail)
    return ConfigurationError(shown(path) or "document", _showable(path, value), remedy, document.where(path))


def _remedy(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"is not one of the words allowed here; {did_you_mean(str(detail['input']), allowed)}"
    return _SENTENCES.get(kind, detail["msg"].replace("Input should", "should"))


def _showable(path: KeyPath, value: object) -> object:
    secret = any(isinstance(part, str) and _SECRET_NAME.search(part) for part in path)
    if secret or isinstance(value, Expanded) or not isinstance(value, str | int | float | bool):
        return None
    return value


def _placed(error: ConfigurationError, document: Document) -> ConfigurationError:
    path: KeyPath = tuple(
        int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", error.key)
    )
    return ConfigurationError(error.key, _showable(path, error.value), error.remedy, document.where(path))


def _unknown_key(path: KeyPath) -> str:
    name = str(path[-1])
    block = _block_at(path[:-1])
    elsewhere = [key for key in _keys(Settings, "") if key.rpartition(".")[2] == name]
    if elsewhere:
        return f"unknown key here; it belongs at {' or '.join(elsewhere[:3])}"
    return f"unknown key; {did_you_mean(name, block.model_fields if block else ())}"


def _block_at(path: KeyPath) -> type[Block] | None:
    """Return the model whose keys stand below ``path``."""
    annotation: Any = Settings
    for part in path:
        block = _block_in(annotation)
        if _is_container(annotation) or block is None:
            annotation = block
        else:
            known = block.model_fields.get(str(part))
            annotation = known.annotation if known else None
    return _block_in(annotation)


def _is_container(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, Mapping)


def _block_in(annotation: Any) -> type[Block] | None:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next((block for inner in get_args(annotation) if (block := _block_in(inner))), None)


def _keys(block: type[Block], prefix: str) -> Iterator[str]:
    for name, known in block.model_fields.items():
        yield f"{prefix}{name}"
        inner = _block_in(known.annotation)
        if inner is not None and not _is_container(known.annotation):
            yield from _keys(inner, f"{prefix}{name}.")
