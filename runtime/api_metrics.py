"""``ApiMetrics``: what Prometheus is told of the API; no customer is named in it."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earmark.errors import EarmarkError
from runtime.backend import QueueDepth

DEPTHS_FRESH_S: Final = 5.0
"""Seconds for which a look at the queues stands."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the histogram of answers, in seconds; 1 s is the promise of the high lane."""


class ApiMetrics:
    """One registry per application."""

    def __init__(self, depths: Mapping[str, Callable[[], QueueDepth]]) -> None:
        """Take what tells how full the queues are."""
        self._depths = depths
        self._lock, self._looked_at = threading.Lock(), float("-inf")
        self.registry = CollectorRegistry()
        route = ("route", "method")
        self.requests = Counter(
            "earmark_api_requests", "Requests that were answered.", (*route, "status_class"), registry=self.registry
        )
        self.seconds = Histogram(
            "earmark_api_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            route,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.body_bytes = Counter(
            "earmark_api_request_body_bytes", "Bytes of bodies that came.", registry=self.registry
        )
        self.active = Gauge("earmark_api_requests_active", "Requests under way.", registry=self.registry)
        self.waiting = Gauge("earmark_api_waiting", "Requests that wait for a job to end.", registry=self.registry)
        self.streams = Gauge("earmark_api_streams", "Answers that are being streamed.", registry=self.registry)
        self.bodies = Gauge("earmark_api_bodies", "Audio that is coming in.", registry=self.registry)
        queue = ("queue",)
        self.queue_waiting = Gauge(
            "earmark_queue_waiting", "Jobs that could be leased now.", queue, registry=self.registry
        )
        self.queue_leased = Gauge("earmark_queue_leased", "Jobs in hand.", queue, registry=self.registry)
        self.queue_age = Gauge(
            "earmark_queue_oldest_seconds",
            "Seconds for which the longest waiting job has waited.",
            queue,
            registry=self.registry,
        )

    def page(self) -> bytes:
        """Everything, as Prometheus reads it; looks at the queues unless that was done a moment ago."""
        with self._lock:
            if time.monotonic() - self._looked_at >= DEPTHS_FRESH_S:
                self._looked_at = time.monotonic()
                for name, look in self._depths.items():
                    self._tell(name, look)
        return generate_latest(self.registry)

    def _tell(self, name: str, look: Callable[[], QueueDepth]) -> None:
        try:
            depth = look()
        except EarmarkError:
            depth = QueueDepth(waiting=None, delayed=None, leased=0, oldest_age_s=None)
        for gauge, value in (
            (self.queue_waiting, depth.waiting),
            (self.queue_leased, depth.leased),
            (self.queue_age, depth.oldest_age_s),
        ):
            gauge.labels(name).set(float("nan") if value is None else value)


class Measured:
    """Counts every request of an application, by the template of its route."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        """Stand around an application."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics, began, status = self._metrics, time.perf_counter(), 500

        async def receive_counted() -> Message:
            message = await receive()
            metrics.body_bytes.inc(len(message.get("body", b"")))
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        metrics.active.inc()
        try:
            await self._app(scope, receive_counted, send_noted)
        finally:
            metrics.active.dec()
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(route, method, f"{status // 100}xx").inc()
            metrics.seconds.labels(route, method).observe(time.perf_counter() - began)
