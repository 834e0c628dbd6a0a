"""A collector of traces: a real server that takes OTLP over HTTP and reads it with OpenTelemetry's own definitions."""

import gzip
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from tests.servers.receiver import Call, Receiver

PATH = "/v1/traces"


class Told(NamedTuple):
    """A span as it arrived."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began_s: float
    """Since 1970."""
    ended_s: float
    attributes: dict[str, Any]
    events: list[tuple[str, float, dict[str, Any]]]
    error: str


class Collector(Receiver):
    """Takes spans; for as long as the context lasts."""

    def __init__(self, status: Callable[[Call], int] = lambda _: 200) -> None:
        """Take what says which status a call is answered with."""
        super().__init__(status)

    @property
    def endpoint(self) -> str:
        """What the setting ``trace_endpoint`` is."""
        return self.url.removesuffix("/hooks")

    @property
    def spans(self) -> list[Told]:
        """All that came and was taken."""
        return [span for call in list(self.calls) for span in _spans(call)]

    def spans_once(self, found: Callable[[list[Told]], bool], seconds: float = 20.0) -> list[Told]:
        """All spans, once they are as they should be."""
        ends = time.monotonic() + seconds
        while not found(spans := self.spans):
            assert time.monotonic() < ends, [span.name for span in spans]
            time.sleep(0.02)
        return spans


def _spans(call: Call) -> list[Told]:
    assert call.path == PATH
    body = gzip.decompress(call.body) if call.headers.get("content-encoding") == "gzip" else call.body
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _told(span, str(_attributes(part.resource.attributes).get("service.name")))
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
    ]


def _told(span: Any, service: str) -> Told:
    return Told(
        service,
        span.name,
        ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        _attributes(span.attributes),
        [(each.name, each.time_unix_nano / 1e9, _attributes(each.attributes)) for each in span.events],
        span.status.message if span.status.code == 2 else "",
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
