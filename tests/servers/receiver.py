"""A customer's server: takes webhooks and answers as it is told."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Call(NamedTuple):
    """What it got."""

    path: str
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes


class Receiver:
    """A real server on this machine, for as long as the context lasts."""

    def __init__(self, status: Callable[[Call], int] = lambda _: 204) -> None:
        """Take what says which status a call is answered with; it may take its time."""
        self.calls: list[Call] = []
        self.status = status
        """May be replaced while it runs."""
        self.at_once = 0
        """Most calls that were under way at the same time."""
        self._under_way = 0
        self._changed = threading.Condition()
        receiver = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver._took(call, 1)
                try:
                    status = receiver.status(call)
                finally:
                    receiver._took(call, -1)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the library's name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """The other side may leave early."""

        self._server = Server(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    def _took(self, call: Call, change: int) -> None:
        with self._changed:
            self._under_way += change
            self.at_once = max(self.at_once, self._under_way)
            if change > 0:
                self.calls.append(call)
            self._changed.notify_all()

    def wait_for(self, calls: int, timeout_s: float = 10.0) -> bool:
        """Wait until it got so many; whether it did."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.calls) >= calls, timeout_s)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
