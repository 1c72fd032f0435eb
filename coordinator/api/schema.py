"""The JSON API as OpenAPI: made from the routes, for people who write a client and for tools that test one."""

from __future__ import annotations

import copy
from typing import Any

from fastapi import FastAPI

from coordinator.api.door import endpoints
from trustquery.access import ACTIONS
from trustquery.errors.catalogue import CATALOGUE

__all__ = ["api_schema"]

PREFIX = "/v1/"
_REFUSED = {
    "description": "Refused: each problem with its code, place, reason and fix. The first decides the status.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problems"}}},
}
_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "required": ["code", "place", "fields", "reason", "fix"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string", "enum": sorted(CATALOGUE)},
        "place": _TEXT,
        "fields": {"type": "object", "additionalProperties": _TEXT},
        "reason": _TEXT,
        "fix": _TEXT,
    },
}
_PROBLEMS = {
    "type": "object",
    "required": ["problems"],
    "additionalProperties": False,
    "properties": {"problems": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Problem"}}},
}


def api_schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of everything below ``/v1``.

    Each operation names its action (``x-trustquery-action``), whose row of the table of roles says who may do it, and
    needs a session's token where that row is not open to anybody.
    """
    document = copy.deepcopy(app.openapi())
    actions = {(path, method.lower()): ACTIONS[action] for method, path, action in endpoints(app)}
    paths = {path: found for path, found in document["paths"].items() if path.startswith(PREFIX)}
    for path, operations in paths.items():
        for method, operation in operations.items():
            action = actions[path, method]
            operation["x-trustquery-action"] = action.name
            operation["security"] = [] if action.open_to in ("anybody", "code") else [{"session": []}]
            # What is malformed is refused like everything else.
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = operation["responses"]["503"] = _REFUSED
    kept = document.get("components", {}).get("schemas", {})
    schemas = {name: schema for name, schema in kept.items() if name not in ("HTTPValidationError", "ValidationError")}
    return document | {
        "paths": paths,
        "components": {
            "schemas": schemas | {"Problem": _PROBLEM, "Problems": _PROBLEMS},
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
    }
