"""``add_details``: puts on the OpenAPI page what FastAPI leaves off it."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from runtime.endpoints.problem import ProblemDetails
from runtime.endpoints.problem_examples import PROBLEM_EXAMPLES
from runtime.exports.example import EXAMPLE

_HEADERS: Final[Mapping[str, Any]] = {
    "RateLimit-Policy": {
        "description": "Your limit, as draft-ietf-httpapi-ratelimit-headers-10 writes it: `q` so many in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"requests";q=600;w=60',
    },
    "RateLimit": {
        "description": "What is left of it (`r`), and in how many seconds all of it is there again (`t`).",
        "schema": {"type": "string"},
        "example": '"requests";r=599;t=1',
    },
    "Retry-After": {
        "description": "Seconds after which it is worth asking again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    },
}
_LIMITS: Final = ("RateLimit-Policy", "RateLimit")
_BEFORE_LIMITS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Answered before anybody's limits are looked at."""
_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def add_details(page: dict[str, Any], models: Iterable[type[BaseModel]]) -> None:
    """Put headers, problems and whole examples on a page, in place.

    Args:
        page: as FastAPI makes it.
        models: that endpoints take and answer with.
    """
    components = page["components"]
    components["schemas"].setdefault(ProblemDetails.__name__, ProblemDetails.model_json_schema())
    components["schemas"]["Analysis"]["example"] = EXAMPLE.model_dump(mode="json")
    components["examples"] = dict(PROBLEM_EXAMPLES)
    components["headers"] = dict(_HEADERS)
    _add_examples(components["schemas"], models)
    for path, operations in page["paths"].items():
        for operation in operations.values() if path.startswith("/v1/") else ():
            _add_headers(operation)


def _add_examples(schemas: dict[str, Any], models: Iterable[type[BaseModel]]) -> None:
    """Examples as the models have them: FastAPI drops every ``null`` of a page, theirs too."""
    for model in models:
        own = model.model_json_schema()
        for name, schema in {**own.get("$defs", {}), model.__name__: own}.items():
            if "example" in schema and name in schemas:
                schemas[name]["example"] = schema["example"]


def _add_headers(operation: Mapping[str, Any]) -> None:
    """Those of limits where a key is asked for, and beyond them; and when to come again."""
    for status, answer in operation["responses"].items():
        number = HTTPStatus(int(status))
        limited = number not in _BEFORE_LIMITS if operation.get("security") else number == HTTPStatus.TOO_MANY_REQUESTS
        names = (*(_LIMITS if limited else ()), *(("Retry-After",) if number in _LATER else ()))
        for name in names:
            answer.setdefault("headers", {}).setdefault(name, {"$ref": f"#/components/headers/{name}"})
