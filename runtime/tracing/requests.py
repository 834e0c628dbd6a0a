"""``Traced``: gives every request to the API a place in a trace, of its caller's or a new one.

The id of the trace goes back with the answer, tracing on or off, for a customer to name when something was odd.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earmark.ports import Clock
from earmark.trace import TraceContext, begun, follow, parsed
from runtime.tracing.span import Span, SpanKind
from runtime.tracing.spans import Spans

PREFIX: Final = "/v1/"
"""Pages below it have spans; probes and metrics are asked for every few seconds, and have none."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Traced:
    """Stands around an application."""

    def __init__(self, app: ASGIApp, spans: Spans, clock: Clock) -> None:
        """Take the application, where spans go, and the present."""
        self._app, self._spans, self._clock = app, spans, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = _caller(Headers(scope=scope))
        context = (parent.child() if parent else begun()).within(self._spans.share)
        began_at, status = self._clock(), 500

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["traceresponse"] = context.header
                headers["X-Request-Id"] = context.trace_id
            await send(message)

        follow(context)  # a request has a task of its own, whose last lines in the log are written after this returns
        try:
            await self._app(scope, receive, send_named)
        finally:
            if context.sampled and scope["path"].startswith(PREFIX):
                self._spans.add(self._span(scope, context, parent, began_at, status))

    def _span(
        self, scope: Scope, context: TraceContext, parent: TraceContext | None, began_at: datetime, status: int
    ) -> Span:
        route = getattr(scope.get("route"), "path", None)
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        return Span(
            f"{method} {route}" if route else method,
            SpanKind.SERVER,
            context,
            parent,
            began_at,
            self._clock(),
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "url.scheme": scope.get("scheme"),
            },
            error=str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
        )


def _caller(headers: Headers) -> TraceContext | None:
    """What the caller is at; two of them say nothing."""
    found = headers.getlist("traceparent")
    return parsed(found[0]) if len(found) == 1 else None
