"""Spans on their way to a collector: what they are there, and that nobody waits for it."""

import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind as TheirKind
from opentelemetry.trace import StatusCode

from earmark import log
from earmark.errors import ConfigurationError, Unavailable
from earmark.settings import Settings
from earmark.trace import begun
from runtime.tracing.opening import open_spans
from runtime.tracing.otlp import Otlp
from runtime.tracing.span import Span, SpanEvent, SpanKind
from runtime.tracing.span_queue import ATTEMPTS, BATCH, Sent, SpanQueue
from runtime.tracing.spans import Spans

EPOCH = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def make_span(name: str = "step", **fields: object) -> Span:
    """A span of one second."""
    given = {"kind": SpanKind.INTERNAL, "context": begun(1.0), "parent": None, "began_at": EPOCH,
             "ended_at": EPOCH + timedelta(seconds=1), **fields}  # fmt: skip
    return Span(name, **given)  # type: ignore[arg-type]


class Away:
    """Takes spans, or does not."""

    def __init__(self) -> None:
        """Take them."""
        self.taken: list[Sent] = []
        self.attempts = 0
        self.gone = False

    def send(self, spans: Sequence[Sent]) -> None:
        """Take them if it is there."""
        self.attempts += 1
        if self.gone:
            message = "nobody answers"
            raise Unavailable(message)
        self.taken += spans


class Stepped(SpanQueue):
    """A queue without a thread."""

    def add(self, role: str, spans: Sequence[Span]) -> None:
        """Take spans and start nothing."""
        self._thread = self._thread or threading.Thread()
        super().add(role, spans)


def test_a_span_arrives_as_it_was() -> None:
    """Ids, parent, times to the microsecond, attributes, events and the error."""
    memory, parent = InMemorySpanExporter(), begun(1.0)
    event = SpanEvent("moment", EPOCH, {"confidence": 0.5})
    span = make_span(kind=SpanKind.CLIENT, parent=parent, attributes={"a": 1, "b": None, "c": ["x"]}, events=[event],
                     error="timed_out")  # fmt: skip
    Otlp("http://127.0.0.1:1", memory).send([("worker", span)])
    [found] = memory.get_finished_spans()
    assert found.context is not None
    assert found.parent is not None
    assert format(found.context.trace_id, "032x") == span.context.trace_id
    assert format(found.context.span_id, "016x") == span.context.span_id
    assert format(found.parent.span_id, "016x") == parent.span_id
    assert found.kind is TheirKind.CLIENT
    assert found.start_time == 1_767_268_800_250_000_000
    assert found.end_time == 1_767_268_801_250_000_000
    assert dict(found.attributes or {}) == {"a": 1, "c": ["x"], "error.type": "timed_out"}
    assert [(each.name, dict(each.attributes or {})) for each in found.events] == [("moment", {"confidence": 0.5})]
    assert (found.status.status_code, found.status.description) == (StatusCode.ERROR, "timed_out")
    assert found.resource.attributes["service.name"] == "earmark-worker"


def test_the_name_of_the_service_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenTelemetry's own variables, which go before ours."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ears")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
    attributes = Otlp("http://127.0.0.1:1", InMemorySpanExporter()).readable("api", make_span()).resource.attributes
    assert (attributes["service.name"], attributes["deployment.environment.name"]) == ("ears", "prod")
    assert attributes["service.namespace"] == "earmark"


def test_time_does_not_run_backwards() -> None:
    """Clocks of two machines may disagree; a span ends no earlier than it begins."""
    span = make_span(ended_at=EPOCH - timedelta(seconds=5))
    found = Otlp("http://127.0.0.1:1", InMemorySpanExporter()).readable("api", span)
    assert found.start_time == found.end_time


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    """Memory has a limit, whoever is away."""
    queue = Stepped(Away().send, most=3)
    queue.add("api", [make_span(str(number)) for number in range(5)])
    queue.add("api", [make_span()])
    assert queue.dropped == 3


def test_an_absence_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A line when it begins and one when it is over; what waited is sent then."""
    away = Away()
    queue = Stepped(away.send)
    away.gone = True
    queue.add("api", [make_span()])
    with caplog.at_level(logging.INFO, logger="runtime"):
        for _ in range(ATTEMPTS - 1):
            assert not queue.step()
        away.gone = False
        queue.step()
    assert [record.message for record in caplog.records] == ["spans.not_sent", "spans.sent_again"]
    assert len(away.taken) == 1
    assert queue.dropped == 0


def test_what_no_collector_takes_is_given_up() -> None:
    """After some attempts, so that what comes later is not kept by it."""
    away = Away()
    queue = Stepped(away.send)
    away.gone = True
    queue.add("api", [make_span("bad")] * BATCH)
    queue.add("api", [make_span("good")])
    for _ in range(ATTEMPTS):
        queue.step()
    away.gone = False
    queue.step()
    assert [span.name for _, span in away.taken] == ["good"]
    assert queue.dropped == BATCH


def test_the_rest_is_sent_at_the_end() -> None:
    """All that there is, in several requests."""
    away = Away()
    queue = SpanQueue(away.send, every_s=600)
    queue.add("api", [make_span()] * (2 * BATCH + 1))
    queue.close(wait_s=30)
    assert len(away.taken) == 2 * BATCH + 1
    assert away.attempts == 3


def test_an_end_waits_for_nobody_who_is_away() -> None:
    """Neither while it is known to be away nor, for long, while a request hangs."""
    hangs, began = threading.Event(), time.monotonic()
    queue = SpanQueue(lambda _: hangs.wait(30), every_s=0)  # type: ignore[arg-type]
    queue.add("api", [make_span()])
    queue.close(wait_s=0.05)
    hangs.set()
    away = Away()
    away.gone = True
    known = Stepped(away.send)
    known.add("api", [make_span()])
    known.step()
    known.close(wait_s=30)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("answers", [False, True])
def test_a_real_exporter_tells_why_and_floods_no_log(answers: bool) -> None:  # noqa: FBT001
    """A closed port, and a server that is none of OTLP: ``Unavailable`` names the collector, OpenTelemetry is quiet."""
    stream = io.StringIO()
    log.attach("debug", "text", stream)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if answers:
            threading.Thread(target=_refuse, args=(server,), daemon=True).start()
        else:
            server.close()
        otlp = Otlp(f"http://user:secret@127.0.0.1:{port}/")
        otlp._exporter._client._timeout = 0.2  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}/v1/traces does not take them: .+") as raised:
            otlp.send([("api", make_span())])
    assert "secret" not in str(raised.value)
    assert stream.getvalue() == ""


def _refuse(server: socket.socket) -> None:
    """Answer what asks, as a page that is not there."""
    try:
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        return


def test_nothing_is_recorded_unless_it_is_wanted() -> None:
    """Off by default; a share of traces, the same for every role."""
    assert open_spans(Settings(), "api").share == 0
    told: list[str] = []
    spans = Spans("api", 0.5, "test", lambda _, some: told.extend(span.context.trace_id for span in some))
    traces = [begun() for _ in range(200)]
    for trace in traces:
        spans.add(make_span(context=trace))
    assert set(told) == {trace.trace_id for trace in traces if Spans("worker", 0.5).records(trace)}
    assert 50 < len(told) < 150


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, before anything runs."""
    monkeypatch.delitem(sys.modules, "runtime.tracing.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigurationError, match=r"opentelemetry.*\.\[tracing\]"):
        open_spans(Settings(trace_endpoint="http://127.0.0.1:1"), "api")
