"""``ApiMetrics``: what Prometheus is told of the API; no customer is named in it."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.metrics import of_api
from runtime.metrics.router_metrics import RouterMetrics

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_CLASSES: Final = ("2xx", "4xx", "5xx")
"""Classes of answers that each route is known to have before its first."""


class ApiMetrics:
    """One registry per application."""

    def __init__(self) -> None:
        """Register the figures, those of the router among them: the API routes what it takes."""
        self.registry = CollectorRegistry()
        self.router = RouterMetrics(self.registry)
        self.requests = of_api.API_REQUESTS.counter(self.registry)
        self.seconds = of_api.API_SECONDS.histogram(self.registry)
        self.body_bytes = of_api.API_BODY_BYTES.counter(self.registry)
        self.active = of_api.API_ACTIVE.gauge(self.registry)
        self._waiting = of_api.API_WAITING.gauge(self.registry)
        self._streams = of_api.API_STREAMS.gauge(self.registry)
        self._bodies = of_api.API_BODIES.gauge(self.registry)

    def watch(self, *, waiting: Callable[[], int], streams: Callable[[], int], bodies: Callable[[], int]) -> None:
        """Ask these with each scrape; none of them may take long."""
        self._waiting.set_function(waiting)
        self._streams.set_function(streams)
        self._bodies.set_function(bodies)

    def foresee(self, routes: Iterable[tuple[str, str]]) -> None:
        """Have zeros for these templates and methods, so that a first error is an increase and not a new series."""
        for route, method in routes:
            for each in _CLASSES:
                self.requests.labels(route, method, each)
            self.seconds.labels(route, method)

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


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
