"""The place of a request to the API in a trace, with tracing off: ids are there all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.trace import begun, parsed, trace_id_of
from earmark.vocabulary import Lane
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as world:
        yield world


def test_the_callers_trace_goes_on_with_the_job(api: ApiWorld) -> None:
    """The answer names it, and the job that waits carries it, with a span of its own and nothing recorded."""
    caller = begun(1.0)
    files = {"file": ("a.wav", wav())}
    answer = api.client("acme").post("/v1/analyses", files=files, headers={"traceparent": caller.header})
    told = parsed(answer.headers["traceresponse"])
    assert told is not None
    assert answer.headers["X-Request-Id"] == told.trace_id == caller.trace_id
    assert told.span_id != caller.span_id
    assert not told.sampled
    [job] = api.waiting(Lane.HIGH)
    assert trace_id_of(job.upload.trace) == caller.trace_id


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-x\x01-y-01"}, {"traceparent": "00-" + "0" * 32 + "-1-00"}])
def test_a_request_without_a_trace_begins_one(api: ApiWorld, headers: dict[str, str]) -> None:
    """So does one whose header says nothing; each request has another."""
    client = api.client("acme")
    ids = {client.get("/v1/analyses", headers=headers).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(each) == 32 for each in ids)


def test_two_headers_say_nothing(api: ApiWorld) -> None:
    """Nobody can tell which is meant."""
    one, other = begun(), begun()
    headers = [("traceparent", one.header), ("traceparent", other.header)]
    told = api.client("acme").get("/v1/analyses", headers=headers).headers["X-Request-Id"]  # type: ignore[arg-type]
    assert told not in {one.trace_id, other.trace_id}


def test_errors_have_it_too(api: ApiWorld) -> None:
    """A customer names it when it asks what was odd."""
    answer = api.anybody().get("/v1/analyses")
    assert answer.status_code == 401
    assert parsed(answer.headers["traceresponse"])


def test_a_trace_is_no_part_of_what_a_job_is(api: ApiWorld) -> None:
    """The same audio under another trace is the same job, and is known once it was heard."""
    client, files = api.client("acme"), {"file": ("a.wav", wav())}
    first, again = (client.post("/v1/analyses", files=files).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert len(api.waiting(Lane.HIGH)) == 1
    end(api)
    known = client.post("/v1/analyses", files=files)
    assert (known.status_code, known.json()["id"]) == (200, first["id"])
