"""``serving_metrics``: a process's figures at an address of their own, which is noted so that Prometheus finds it."""

import contextlib
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from earmark.errors import ConfigurationError
from earmark.log import event
from earmark.settings import Settings
from runtime.chores import Chore, do_all, doing
from runtime.metrics.metric import Server
from runtime.worker_name import own_name

_log = logging.getLogger(__name__)

FOLDER: Final = "metrics"
"""Where addresses are noted, below the data folder."""
PATH: Final = "/metrics"
SAMPLE_S: Final = 5.0
"""Seconds between looks at what is sampled: no scrape waits for any of it."""
NO_PORT: Final = 0
_END_S: Final = 0.1
"""Seconds between looks at whether it should end."""
_REQUEST_S: Final = 10.0
"""Seconds in which a request must have come."""
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # compared only


def is_shown(settings: Settings) -> bool:
    """Whether processes that last serve their figures: all that nobody has told not to."""
    return settings.metrics_port != NO_PORT


@contextmanager
def serving_metrics(
    settings: Settings, role: Server, registry: CollectorRegistry, sample: Sequence[Chore] = ()
) -> Iterator[None]:
    """Serve a registry's figures for as long as the context lasts, unless the settings forbid it.

    Args:
        settings: port, address and data folder.
        role: what the process is.
        registry: its figures.
        sample: what to do every few seconds, and once at the start; a slow one keeps no scrape waiting.

    Raises:
        ConfigurationError: the port is taken.
    """
    if not is_shown(settings):
        yield
        return
    host, port = settings.metrics_host, max(0, settings.metrics_port)
    try:
        server = make_server(
            host, port, _only_metrics(registry), _ServerOfIPv6 if ":" in host else _Server, handler_class=_Quiet
        )
    except OSError as error:
        reason = error.strerror or error
        message = f"Cannot serve metrics at {host}:{port}: {reason}.  Choose another metrics_port: -1 = any, 0 = none."
        raise ConfigurationError(message) from error
    thread = threading.Thread(target=server.serve_forever, args=(_END_S,), name="metrics", daemon=True)
    thread.start()
    note = Note(Path(settings.data), role, address_of(host, server.server_port))
    try:
        note.begin()
        event(_log, "metrics.served", role=role, address=note.address)
        threading.Thread(target=do_all, args=(sample,), name="first-sample", daemon=True).start()
        with doing([note.touch, *sample], every_s=SAMPLE_S):
            yield
    finally:
        note.remove()
        server.shutdown()
        server.server_close()
        thread.join()


def address_of(host: str, port: int) -> str:
    """Where this machine reaches what listens on a host and a port, as ``127.0.0.1:9100``."""
    host = _EVERYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Note:
    """The file that tells where a process serves its figures."""

    def __init__(self, data: Path, role: Server, address: str) -> None:
        """Take the data folder and what to note."""
        self.address = address
        self._path = data / FOLDER / quote(own_name(), safe="")
        self._content = json.dumps({"role": role, "address": address})
        self._failed = False

    def begin(self) -> None:
        """Write it for the first time, which makes the data folder on a backend that keeps nothing else in it."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self) -> None:
        """Write it whole or not at all; a disk that cannot be written costs nothing but being found."""
        part = self._path.with_name(f".{self._path.name}")
        try:
            # Not the data folder, which may be gone with its disk: a new one in its place would hide that.
            self._path.parent.mkdir(exist_ok=True)
            part.write_text(self._content, encoding="utf-8")
            part.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:  # once, or a disk that is away fills another with that
                event(_log, "metrics.not_noted", level=logging.WARNING, error=str(error))
            self._failed = True

    def touch(self) -> None:
        """Say that it still holds."""
        try:
            os.utime(self._path)
        except OSError:
            self.write()

    def remove(self) -> None:
        """Take it back."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


class _Quiet(WSGIRequestHandler):
    timeout = _REQUEST_S

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape is no event."""


class _Server(ThreadingWSGIServer):
    """A thread for each request."""

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called, which can take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what the usual one prints, as of a client that says nothing within its time."""
        del request, client_address
        event(_log, "metrics.request_failed", level=logging.DEBUG, error=repr(sys.exc_info()[1]))


class _ServerOfIPv6(_Server):
    address_family = socket.AF_INET6


def _only_metrics(registry: CollectorRegistry) -> Any:
    """The application: one path, and 404 for all others."""
    page = make_wsgi_app(registry)

    def answer(environment: dict[str, Any], start: Any) -> Any:
        if environment["PATH_INFO"] == PATH:
            return page(environment, start)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [f"Metrics are at {PATH}.\n".encode()]

    return answer
