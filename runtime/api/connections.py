"""``guarded``: HTTP connections that no client can keep from others by being slow, silent or endless.

uvicorn waits for a request on a new connection for ever, for one that comes byte by byte too, and goes on reading the
body of a request that was answered long ago.  Here each of these has its time.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LINGER_S: Final = 2.0
"""Seconds for which the rest of a body is read that nobody wants, so that the client reads our answer first."""
STALLED_S: Final = 60.0
"""Seconds for which a client may leave an answer unread that is ready for it."""
HEAD_BYTES: Final = 32 * 1024
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#@]+)(.*)", re.IGNORECASE | re.DOTALL)
"""RFC 9112, 3.2.2."""


@dataclass(slots=True)
class Connections:
    """What all connections of a server share."""

    most: int
    head_s: float
    """Seconds in which the head of a request must have come."""
    idle: "dict[Guarded, None]" = field(default_factory=dict)
    """Those without a request under way, longest first."""


class Parsing(h11.Connection):
    """Reads requests, and is stricter than h11 about where one ends."""

    def next_event(self) -> Any:
        """The next part of a request.

        Raises:
            h11.RemoteProtocolError: it is no HTTP, or has two lengths, so that a proxy before us may take for the body
                what we would take for the next request (RFC 9112, 6.1).
        """
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        names = {name for name, _ in event.headers}
        if {b"content-length", b"transfer-encoding"} <= names:
            message = "Both Content-Length and Transfer-Encoding"
            raise h11.RemoteProtocolError(message)
        return _in_origin_form(event)


def _in_origin_form(request: h11.Request) -> h11.Request:
    """A request whose target has its host in it, as proxies send them, with the host where all others have it."""
    found = _ABSOLUTE.fullmatch(request.target)
    if found is None:
        return request
    headers = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=found[2] if found[2].startswith(b"/") else b"/" + found[2],
        headers=[(b"host", found[1]), *headers],
        http_version=request.http_version,
    )


class Guarded(H11Protocol):
    """One connection."""

    shared: ClassVar[Connections]
    _limit: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives each connection."""
        super().__init__(*arguments, **named)
        self.conn = Parsing(h11.SERVER, HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take its place; beyond the limit the one goes that has been without a request for longest."""
        super().connection_made(transport)
        self.shared.idle[self] = None
        self._close_after(self.shared.head_s)
        if len(self.connections) > self.shared.most:
            oldest = next(iter(self.shared.idle))
            self.shared.idle.pop(oldest)  # it is told of its end only after the next ones have come
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give it back."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; with the first byte of a head its time begins."""
        if self.conn.their_state is h11.IDLE and self._limit is None:
            self._close_after(self.shared.head_s)
        super().data_received(data)

    def handle_events(self) -> None:
        """See what came; a head that is whole ends its time."""
        super().handle_events()
        if self._is_busy():
            self.shared.idle.pop(self, None)
            self._unlimit()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of the body of this one."""
        self.shared.idle.pop(self, None)
        if not self.transport.is_closing():
            self.shared.idle[self] = None
        super().on_response_complete()
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY and not self._is_busy():
            self._close_after(LINGER_S)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        status = HTTPStatus.BAD_REQUEST
        told = {"type": "urn:earmark:problem:bad_request", "title": status.phrase, "status": status, "detail": msg}
        head = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        try:
            for event in (
                h11.Response(status_code=status, headers=head, reason=status.phrase.encode()),
                h11.Data(data=json.dumps(told).encode()),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer was under way
            self.transport.abort()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        self._unstall()
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Nobody needs to know."""

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _close_after(self, seconds: float) -> None:
        self._unlimit()
        self._limit = self.loop.call_later(seconds, self.transport.abort)

    def _unlimit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _forget(self) -> None:
        self.shared.idle.pop(self, None)
        self._unlimit()
        self._unstall()


def guarded(most: int, head_s: float) -> Callable[..., asyncio.Protocol]:
    """The protocol of one server's connections.

    Args:
        most: connections at the same time.
        head_s: seconds in which the head of a request must have come.
    """
    return type("GuardedConnection", (Guarded,), {"shared": Connections(most, head_s)})
