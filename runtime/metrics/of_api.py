"""Metrics of the API; routes are templates, so that no id is in them."""

from typing import Final

from runtime.metrics.labels import METHOD, ROUTE, STATUS_CLASS
from runtime.metrics.metric import Kind, Metric, Server

_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

API_REQUESTS: Final = Metric(
    "earmark_api_requests_total",
    Kind.COUNTER,
    "requests",
    "Requests that were answered.",
    Server.API,
    (ROUTE, METHOD, STATUS_CLASS),
)
API_SECONDS: Final = Metric(
    "earmark_api_request_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "From the head of a request to the end of its answer.",
    Server.API,
    (ROUTE, METHOD),
    _REQUEST_S,
)
API_BODY_BYTES: Final = Metric(
    "earmark_api_request_body_bytes_total", Kind.COUNTER, "bytes", "Bodies that came.", Server.API
)
API_ACTIVE: Final = Metric("earmark_api_requests_active", Kind.GAUGE, "requests", "Requests under way.", Server.API)
API_WAITING: Final = Metric(
    "earmark_api_waiting", Kind.GAUGE, "requests", "Requests that wait for a job to end.", Server.API
)
API_STREAMS: Final = Metric(
    "earmark_api_streams", Kind.GAUGE, "answers", "Answers that are being streamed.", Server.API
)
API_BODIES: Final = Metric("earmark_api_bodies", Kind.GAUGE, "bodies", "Audio that is coming in.", Server.API)

OF_API: Final = (
    API_REQUESTS,
    API_SECONDS,
    API_BODY_BYTES,
    API_ACTIVE,
    API_WAITING,
    API_STREAMS,
    API_BODIES,
)
