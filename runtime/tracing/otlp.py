"""``Otlp``: sends spans by OTLP over HTTP; the only module that needs OpenTelemetry's packages."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from earmark.errors import Unavailable
from earmark.log import masked
from earmark.trace import TraceContext
from runtime.tracing.span import Attribute, Span
from runtime.tracing.span_queue import Sent
from runtime.worker_name import own_name

TIMEOUT_S: Final = 5.0
"""Of one request, with what the exporter itself tries again."""
TRACES: Final = "/v1/traces"
NAME: Final = "earmark"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VENDOR: Final = logging.getLogger("opentelemetry")


class _LastWord(logging.Handler):
    """Remembers what the exporter said last, for it logs why it failed and does not tell its caller."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class Otlp:
    """One collector."""

    def __init__(self, endpoint: str, exporter: SpanExporter | None = None) -> None:
        """Connect to nothing yet.

        Args:
            endpoint: Address of the collector, with or without ``/v1/traces``.
            exporter: sends; None = OpenTelemetry's own, which takes headers, certificates and compression from
                ``OTEL_EXPORTER_OTLP_*``.
        """
        self._endpoint = endpoint if endpoint.rstrip("/").endswith(TRACES) else endpoint.rstrip("/") + TRACES
        self._exporter = exporter or OTLPSpanExporter(endpoint=self._endpoint, timeout=TIMEOUT_S)
        self._said = _LastWord()
        _VENDOR.addHandler(self._said)
        _VENDOR.propagate = False  # it says each time what the queue says once
        self._resources: dict[str, Resource] = {}
        self._scope = InstrumentationScope(NAME, version("earmark"))

    def send(self, spans: Sequence[Sent]) -> None:
        """Send spans in one request.

        Raises:
            Unavailable: the collector cannot be reached, or does not take them.
        """
        self._said.text = ""
        if self._exporter.export([self.readable(role, span) for role, span in spans]) is not SpanExportResult.SUCCESS:
            message = f"The collector of traces at {masked(self._endpoint)} does not take them: {self._said.text}"
            raise Unavailable(message)

    def readable(self, role: str, span: Span) -> ReadableSpan:
        """A span as OpenTelemetry has it."""
        attributes = span.attributes if not span.error else {**span.attributes, "error.type": span.error}
        return ReadableSpan(
            span.name,
            context=_context(span.context),
            parent=_context(span.parent, remote=True) if span.parent else None,
            resource=self._resource(role),
            attributes=_known(attributes),
            events=[Event(each.name, _known(each.attributes), _nanoseconds(each.at)) for each in span.events],
            kind=SpanKind[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=_nanoseconds(span.began_at),
            end_time=_nanoseconds(max(span.began_at, span.ended_at)),
            instrumentation_scope=self._scope,
        )

    def _resource(self, role: str) -> Resource:
        """What sent it; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` go before what we say."""
        if role not in self._resources:
            ours = Resource(
                {
                    SERVICE_NAME: f"{NAME}-{role}",
                    SERVICE_NAMESPACE: NAME,
                    SERVICE_VERSION: version("earmark"),
                    SERVICE_INSTANCE_ID: own_name(),
                }
            )
            told = Resource.create()
            if str(told.attributes[SERVICE_NAME]).startswith("unknown_service"):
                told = Resource({name: value for name, value in told.attributes.items() if name != SERVICE_NAME})
            self._resources[role] = ours.merge(told)
        return self._resources[role]


def _context(context: TraceContext, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)  # or it would not be sent
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=remote, trace_flags=flags)


def _known(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if value is not None}


def _nanoseconds(at: datetime) -> int:
    """Since 1970, exact to the microsecond."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
