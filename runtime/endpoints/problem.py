"""``Problem``: every error of the API as problem details (RFC 9457), with what a client can do about it."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from earmark.errors import ConfigurationError, InputFault, InputRejected, Unavailable
from earmark.log import event, masked
from earmark.trace import current
from runtime.endpoints.customer_words import for_customer, remedy_for
from runtime.endpoints.problem_examples import example_of

_log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
RETRY_S: Final = 5
"""Seconds after which a client may ask again when a part of the system is away."""
_CHARS: Final = 500
_STATUS: Final[Mapping[InputFault, int]] = {
    InputFault.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    InputFault.ERASED: HTTPStatus.GONE,
    InputFault.REGION: HTTPStatus.CONFLICT,
}
"""Of rejected audio; whatever is not listed answers 422."""


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:earmark:problem:not_audio",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "It is no audio: the first bytes are those of a PDF.",
                "remedy": "Send WAV, FLAC, MP3, Ogg, M4A or another format that FFmpeg decodes.",
            }
        },
    )
    type: str = Field(description="Which problem: `urn:earmark:problem:` and a closed word.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, for a person.")
    remedy: str | None = Field(default=None, description="What to do about it.")
    errors: list[dict[str, Any]] | None = Field(default=None, description="Each fault of a request that is malformed.")


class Problem(Exception):
    """Ends a request with problem details."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        remedy: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Take the HTTP status, a word of the closed set, and what a person reads.

        Args:
            status: HTTP status.
            kind: last part of ``type``.
            detail: what is wrong; no secrets, no paths of ours.
            remedy: what to do about it.
            headers: of the answer.
            errors: each fault, where there are several.
        """
        super().__init__(detail)
        self.status, self.kind, self.detail, self.remedy = int(status), kind, detail, remedy
        self.headers, self.errors = dict(headers or {}), [dict(each) for each in errors]

    def response(self) -> JSONResponse:
        """The answer."""
        content: dict[str, Any] = {
            "type": f"urn:earmark:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail[:_CHARS],
        }
        content |= {"remedy": self.remedy[:_CHARS]} if self.remedy else {}
        content |= {"errors": self.errors} if self.errors else {}
        return JSONResponse(content, self.status, self.headers, MEDIA_TYPE)


def not_found(what: str = "analysis") -> Problem:
    """What is not there, or is another customer's: nobody can tell which."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", f"There is no such {what}.")


def of_rejection(rejection: InputRejected) -> Problem:
    """Audio that cannot be taken."""
    status = _STATUS.get(rejection.fault, HTTPStatus.UNPROCESSABLE_ENTITY)
    message = for_customer(rejection.message, rejection.own)
    return Problem(status, rejection.fault, message, remedy_for(rejection.fault, rejection.remedy))


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of an endpoint: which problems it can answer with."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema, "examples": {"problem": {"$ref": example_of(status)}}}},
        }
        for status in statuses
    }


def add_problems(app: FastAPI) -> None:
    """Have every error that an endpoint lets out answered as problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(InputRejected, _rejected)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(ConfigurationError, _broken)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101  # registered for it alone, as are those below
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _tell(request, error, error.detail)
    return _answer(request, error)


def _rejected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InputRejected)  # noqa: S101
    return _answer(request, of_rejection(error))


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    detail = "A part of the service cannot be reached at the moment."
    headers = {"Retry-After": str(RETRY_S)}
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, "Try again in a moment.", headers=headers)
    _tell(request, problem, str(error))  # which part it is, and why, is ours to know
    return _answer(request, problem)


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        {"at": ".".join(str(part)[:80] for part in each["loc"]), "message": masked(str(each["msg"]))[:_CHARS]}
        for each in error.errors()[:20]
    ]
    first = f"{errors[0]['at']}: {errors[0]['message']}" if errors else "It is malformed."
    return _answer(request, Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", first, errors=errors))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
    return Problem(error.status_code, kind, str(error.detail), headers=headers).response()


def _methods(request: Request) -> list[str]:
    """All methods of an address; the framework names those of the first route alone."""
    paths = request.app.openapi()["paths"]
    found = (item for path, item in paths.items() if compile_path(path)[0].match(request.scope["path"]))
    return sorted({method.upper() for item in found for method in item})


def _broken(request: Request, error: Exception) -> JSONResponse:
    detail = "Something went wrong here; it was logged."
    problem = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)
    _tell(request, problem, f"{type(error).__name__}: {error}")
    return _answer(request, problem)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """The same for what nobody foresaw; the server ends the connection after it, and whoever uses it must know."""
    response = _broken(request, error)
    response.headers["Connection"] = "close"
    context = current()
    if context is not None:
        response.headers["X-Request-Id"] = context.trace_id  # it is answered outside of what names it
    return response


def _tell(request: Request, problem: Problem, error: str) -> None:
    """One line of the log for a request that failed for a fault of ours, below the id that its answer has."""
    event(
        _log,
        "request.failed",
        level=logging.WARNING,
        method=request.method,
        route=getattr(request.scope.get("route"), "path", "unmatched"),
        status=problem.status,
        kind=problem.kind,
        error=error[:_CHARS],
    )


def _answer(request: Request, problem: Problem) -> JSONResponse:
    """The answer, with what is left of the caller's limits where there was a caller."""
    response = problem.response()
    for name, value in getattr(request.state, "limit_headers", {}).items():
        response.headers.setdefault(name, value)
    return response
