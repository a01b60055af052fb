"""How an answer is spoiled. Pure: JSON in, bytes or JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.exchange.fault_rules import FaultRule

GATEWAY_PAGE = (
    "<html><head><title>{status}</title></head><body><h1>{status} {said}</h1><hr>nginx</body></html>"
)
"""What a proxy in front of the broker answers when the broker does not: not JSON."""

UNKNOWN_STATUS = "quantum_state"

_SAID = {
    400: "bad request",
    401: "unauthorized.",
    403: "forbidden.",
    404: "not found",
    408: "request timeout",
    422: "unprocessable entity",
    429: "too many requests.",
    500: "internal server error occurred",
    502: "bad gateway",
    503: "service unavailable",
    504: "gateway timeout",
}


def error_body(rule: FaultRule, status: int) -> dict[str, Any]:
    """Return the JSON of an error. Without a code, as Alpaca's own 401, 403 and 429, unless one is given."""
    body: dict[str, Any] = {"message": rule.message or _SAID.get(status, "error")}
    return {"code": rule.code, **body} if rule.code else body


def page(status: int) -> str:
    """Return a gateway's HTML."""
    return GATEWAY_PAGE.format(status=status, said=_SAID.get(status, "error"))


def spoil_fields(rule: FaultRule, body: Any) -> Any:
    """Return the JSON with the rule's field spoiled in every object that has it (or lacks an extra one)."""
    *parents, name = rule.field.split(".") if rule.field else ["status"]
    return _each(body, parents, lambda found: _FIELD[rule.kind](found, name, rule.value))


def _each(body: Any, parents: list[str], change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return the JSON with ``change`` applied to its objects, or to those below ``parents`` in them."""
    if isinstance(body, list):
        return [_each(item, parents, change) for item in body]
    if not isinstance(body, dict):
        return body
    if not parents:
        return change(dict(body))
    first, *rest = parents
    return {key: _each(item, rest, change) if key == first else item for key, item in body.items()}


def _drop(found: dict[str, Any], name: str, _value: Any) -> dict[str, Any]:
    found.pop(name, None)
    return found


def _rename(found: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {value if key == name else key: item for key, item in found.items()}


def _replace(found: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return found | {name: value} if name in found else found


def _null(found: dict[str, Any], name: str, _value: Any) -> dict[str, Any]:
    return _replace(found, name, None)


def _retype(found: dict[str, Any], name: str, _value: Any) -> dict[str, Any]:
    return _replace(found, name, _other_type(found.get(name)))


def _other_type(value: Any) -> Any:
    """Return a number for a text that is one, a list around any other text, and a text for the rest."""
    if not isinstance(value, str):
        return str(value)
    try:
        return float(value)
    except ValueError:
        return [value]


def _unknown(found: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return _replace(found, name, value or UNKNOWN_STATUS)


_FIELD: Mapping[str, Callable[[dict[str, Any], str, Any], dict[str, Any]]] = {
    "drop_field": _drop,
    "extra_field": lambda found, name, value: found | {name: value},
    "rename_field": _rename,
    "replace_field": _replace,
    "null_field": _null,
    "wrong_type": _retype,
    "unknown_status": _unknown,
}
