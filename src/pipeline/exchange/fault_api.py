"""The control port's faults and changes: ``/faults`` and ``/changes``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import ConfigurationError
from pipeline.exchange.changes import KINDS, agenda_json
from pipeline.exchange.fault_rules import parse_rule
from pipeline.exchange.fields import Fields, instant, one_of
from pipeline.exchange.orders import Refused, to_instant
from pipeline.exchange.queries import exchange_of, json_body
from pipeline.exchange.wire import moment


async def get_faults(request: Request) -> Response:
    """Answer ``GET /faults``: every fault in force with its counters."""
    return JSONResponse(exchange_of(request).faults.to_json())


async def post_fault(request: Request) -> Response:
    """Answer ``POST /faults`` with the fault and its id."""
    rule = exchange_of(request).add_fault(parse_rule(await json_body(request)))
    return JSONResponse(rule.to_json())


async def delete_faults(request: Request) -> Response:
    """Answer ``DELETE /faults`` and ``DELETE /faults/{id}``."""
    exchange_of(request).remove_fault(request.path_params.get("id", ""))
    return JSONResponse(exchange_of(request).faults.to_json())


async def get_changes(request: Request) -> Response:
    """Answer ``GET /changes``: those to come, soonest first."""
    return JSONResponse(agenda_json(exchange_of(request).engine))


async def post_change(request: Request) -> Response:
    """Answer ``POST /changes {"kind": …, "at": instant, …}``: now without ``at``."""
    exchange, body = exchange_of(request), await json_body(request)
    at, rest = _instant(body)
    if at is not None and to_instant(at) < exchange.engine.now:
        now = moment(exchange.engine.now)
        raise ConfigurationError("change.at", body["at"], f"has passed: it is {now}; leave it out for now")
    return JSONResponse(exchange.change(rest, to_instant(at) if at else 0))


def _instant(body: dict[str, Any]) -> tuple[datetime | None, dict[str, Any]]:
    """Return the instant, and the change without it. Raises ConfigurationError."""
    head = Fields("change", {name: body[name] for name in ("kind", "at") if name in body})
    head.take("kind", one_of(*KINDS))
    at = head.maybe("at", instant)
    return at, {name: value for name, value in body.items() if name != "at"}


async def unreadable(_request: Request, error: Exception) -> Response:
    """Answer what cannot be read: 422, naming key, value and remedy."""
    if not isinstance(error, ConfigurationError):
        raise error
    refused = Refused(422, 42210000, str(error))
    return JSONResponse({"code": refused.code, "message": refused.message}, status_code=refused.status)


ROUTES = [
    Route("/faults", get_faults),
    Route("/faults", post_fault, methods=["POST"]),
    Route("/faults", delete_faults, methods=["DELETE"]),
    Route("/faults/{id}", delete_faults, methods=["DELETE"]),
    Route("/changes", get_changes),
    Route("/changes", post_change, methods=["POST"]),
]
