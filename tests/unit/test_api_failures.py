"""What the API's log says of a request that failed for a fault of ours: the id of its answer leads there."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from earmark import log
from earmark.errors import ConfigurationError, Unavailable
from runtime.endpoints.problem import Problem
from tests.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as world:
        yield world


@pytest.fixture
def told() -> Iterator[StringIO]:
    """The log as a process writes it."""
    root, stream = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    log.attach("info", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("error", "status", "kind", "why"),
    [
        (Unavailable("the disk is full; password=hunter2"), 503, "unavailable", "the disk is full; password=********"),
        (Problem(503, "busy", "Too many at once."), 503, "busy", "Too many at once."),
        (ConfigurationError("wrong"), 500, "internal", "ConfigurationError: wrong"),
        (ValueError("nobody foresaw it"), 500, "internal", "ValueError: nobody foresaw it"),
    ],
)
def test_a_failure_of_ours_is_one_line_below_the_id_of_its_answer(
    api: ApiWorld,
    told: StringIO,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    kind: str,
    why: str,
) -> None:
    """With the route's template in place of the path, the cause without secrets, and nothing of it for the customer."""

    def fail(**_: str) -> None:
        raise error

    acme = api.client("acme")
    monkeypatch.setattr(api.parts.access, "record", fail)
    answer = acme.get("/v1/analyses", params={"limit": 7})
    assert answer.status_code == status
    assert kind == "busy" or why not in answer.text
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    [line] = [each for each in lines if each.get("trace_id") == answer.headers["X-Request-Id"]]
    assert {name: line[name] for name in ("event", "level", "method", "route", "status", "kind", "error")} == {
        "event": "request.failed",
        "level": "warning",
        "method": "GET",
        "route": "/v1/analyses",
        "status": status,
        "kind": kind,
        "error": why,
    }


def test_what_a_caller_did_wrong_is_no_line(api: ApiWorld, told: StringIO) -> None:
    """Anybody can cause as many of these as they like."""
    answers = [api.anybody().get("/v1/analyses"), api.client("acme").get("/v1/analyses", params={"limit": "x"})]
    assert [each.status_code for each in answers] == [401, 422]
    assert "request.failed" not in told.getvalue()
