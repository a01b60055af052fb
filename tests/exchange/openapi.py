"""Checks answers against Alpaca's own OpenAPI documents."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker

DATA = Path(os.environ.get("MARKETDAY_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
FILES = ("trading-api.json", "market-data-api.json")


def data_file(name: str) -> Path:
    """Return a file of the test data; skip the test when it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent: set MARKETDAY_TEST_DATA to the folder of recorded data")
    return path


AMBIGUOUS = "/v2/account/activities/{activity_type}"
"""Its document says ``oneOf`` two schemas without required fields: every fill matches both.

The operation without the type says ``anyOf`` for the same two, which is what can be meant.
"""


class Conformance:
    """Both specifications, and which operations were seen."""

    def __init__(self) -> None:
        self._documents = [
            json.loads(data_file(f"alpaca_openapi/{name}").read_text("utf-8")) for name in FILES
        ]
        self.seen: set[tuple[str, str, int]] = set()

    def check(self, method: str, path: str, status: int, body: Any) -> None:
        """Fail unless the body is what the operation documents for the status.

        Operations outside the specifications fail; undocumented error statuses need only a message.
        """
        document, template = self._operation(method, path)
        self.seen.add((method, template, status))
        documented = document["paths"][template][method.lower()]["responses"].get(str(status))
        if documented is None:
            assert status >= 400, f"{method} {path} answered {status}, which is not documented"
            assert isinstance(body["message"], str)
            return
        if "$ref" in documented:
            documented = document["components"]["responses"][documented["$ref"].rsplit("/", 1)[1]]
        schema = documented.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return
        if template == AMBIGUOUS:
            schema = json.loads(json.dumps(schema).replace('"oneOf"', '"anyOf"'))
        validator = OAS30Validator(
            {**schema, "components": document["components"]}, format_checker=oas30_format_checker
        )
        problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(body)]
        assert not problems, f"{method} {path} {status}: {problems[:3]}"

    def _operation(self, method: str, path: str) -> tuple[dict[str, Any], str]:
        """Return the document and path template that match best: literal segments before parameters."""
        matches = [
            (template.count("{"), document, template)
            for document in self._documents
            for template, operations in document["paths"].items()
            if method.lower() in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        assert matches, f"{method} {path} is not an operation of Alpaca's"
        _, document, template = min(matches, key=lambda match: match[0])
        return document, template
