"""The log: structured, one line an event, no secret, no escape."""

import io
import json
import logging
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark import log
from earmark.trace import begun, following


def logged(**fields: object) -> str:
    """What one event prints as JSON."""
    stream = io.StringIO()
    log.attach("info", "json", stream)
    log.event(logging.getLogger("workers.test"), "job.tested", **fields)
    return stream.getvalue()


def test_an_event_is_one_line_of_json() -> None:
    """Name, time, level and fields."""
    line = json.loads(logged(job_id="1", seconds=0.5))
    assert (line["event"], line["job_id"], line["seconds"], line["level"]) == ("job.tested", "1", 0.5, "info")


def test_secrets_are_blotted_out() -> None:
    """Whatever looks like a key, token or password does not reach the log."""
    text = logged(
        error="Authorization: Bearer abc.def-123 and api_key=sk-live-q9zq and password: hunter2 sk-proj-AAAA",
        deep={"token": "token=xyz"},
        told="the key em_live_VBGvWMEjSPUq_Yanoet was sent, and whsec_c2VjcmV0 too",
    )
    for secret in ("abc.def-123", "q9zq", "hunter2", "AAAA", "xyz", "Yanoet", "c2VjcmV0"):
        assert secret not in text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_no_text_breaks_the_line(text: str) -> None:
    """Control characters, newlines and terminal escapes in a field stay inside it."""
    printed = logged(name=text)
    assert printed.count("\n") == 1
    assert not any(ord(char) < 32 for char in printed.rstrip("\n"))
    json.loads(printed)


@pytest.mark.parametrize("style", ["json", "text"])
def test_secrets_are_blotted_out_of_either_style_and_of_tracebacks(style: Literal["json", "text"]) -> None:
    """A person's log hides what a machine's does, also where an exception carries it."""
    stream = io.StringIO()
    log.attach("info", style, stream)
    logger = logging.getLogger("workers.test")
    log.event(logger, "job.tested", error="password: hunter2 \x1b[31m")
    logger.error("job.internal_error", exc_info=RuntimeError("token=xyz123 \x1b[31m"))
    text = stream.getvalue()
    assert "RuntimeError" in text
    for secret in ("hunter2", "xyz123", "\x1b"):
        assert secret not in text


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_field_named_after_a_secret_is_blotted_out(style: Literal["json", "text"]) -> None:
    """The name of a field says what its value is, at any depth; an address keeps its host and loses its password."""
    stream = io.StringIO()
    log.attach("info", style, stream)
    log.event(
        logging.getLogger("workers.test"),
        "job.tested",
        token="hunter1",  # noqa: S106  # no secret
        deep={"api_key": "hunter2", "openai_api_key": "hunter3", "tokens": 5},
        address="https://user:hunter4@host/path",
    )
    assert "hunter" not in stream.getvalue()
    assert "host/path" in stream.getvalue()
    assert "5" in stream.getvalue()


def test_what_happens_while_a_trace_is_followed_has_its_id() -> None:
    """Unless the line says itself which trace it is about."""
    context = begun()
    with following(context):
        assert json.loads(logged(job_id="1"))["trace_id"] == context.trace_id
        assert json.loads(logged(trace_id="another"))["trace_id"] == "another"
    assert "trace_id" not in json.loads(logged(job_id="1"))


def test_cloud_logging_understands_a_line() -> None:
    """Severity, time, text and trace by the names it knows, beside our own; nothing of it elsewhere."""
    stream, context = io.StringIO(), begun()
    log.attach("info", "json", stream, project="acme-audio")
    with following(context):
        log.event(logging.getLogger("workers.test"), "job.tested", level=logging.WARNING, job_id="1")
    line = json.loads(stream.getvalue())
    assert (line["severity"], line["message"], line["time"]) == ("WARNING", "job.tested", line["at"])
    assert line["logging.googleapis.com/trace"] == f"projects/acme-audio/traces/{context.trace_id}"
    assert (line["event"], line["level"], line["job_id"]) == ("job.tested", "warning", "1")
    assert not {"severity", "message", "logging.googleapis.com/trace"} & set(json.loads(logged()))


@pytest.mark.parametrize("project", ["", "acme-audio"])
def test_another_process_can_log_alike(project: str) -> None:
    """What is attached is told as it was asked for."""
    log.attach("warning", "json", io.StringIO(), project=project)
    told = log.attached()
    assert told == ("WARNING", "json", project)
    told.again()
    assert log.attached() == told
