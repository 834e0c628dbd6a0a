"""``serve``: the API on a port, until it is told to stop."""

import contextlib
import logging
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from earmark.errors import ConfigurationError
from earmark.log import event
from runtime.api.connections import guarded
from runtime.endpoints.parts import ApiParts

_log = logging.getLogger(__name__)
KEEP_ALIVE_S: Final = 30
"""Seconds for which a connection is kept for the next request."""
BACKLOG: Final = 2048
SPARE_FILES: Final = 512
"""Files that a process needs beside its connections, as databases and bodies that come in."""
_NOISE: Final = "Invalid HTTP request received."


def serve(
    app: FastAPI,
    host: str,
    port: int,
    stop: threading.Event,
    *,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until ``stop`` is set; then finish what is under way within ``drain_s``, and end what would go on.

    Args:
        app: of ``make_api``.
        host: address to listen on.
        port: 0 = any that is free.
        stop: ends it.
        ready: called with the address, once connections are taken.

    Raises:
        ConfigurationError: the port is taken, or there is no such address.
    """
    parts: ApiParts = app.state.parts
    settings = parts.settings
    with contextlib.closing(_listening(host, port)) as listener, _quiet():
        most = min(settings.api_connections, _allowed_files(settings.api_connections + SPARE_FILES) - SPARE_FILES)
        config = uvicorn.Config(
            app,
            http=guarded(max(most, 1), settings.api_head_s),  # type: ignore[arg-type]  # makes a protocol
            ws="none",
            lifespan="on",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.api_proxies),
            forwarded_allow_ips=[each.strip() for each in settings.api_proxies.split(",")],
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(settings.drain_s)),
            backlog=BACKLOG,
        )
        bound = listener.getsockname()
        shown = f"[{bound[0]}]" if listener.family == socket.AF_INET6 else bound[0]
        address = f"http://{shown}:{bound[1]}"

        def listening() -> None:
            # Said once connections are taken: who reads the line may connect at once.
            event(_log, "api.listening", address=address, connections=most)
            ready(address)

        _Server(config, parts, stop, listening).run([listener])
        event(_log, "api.ended")


class _Server(uvicorn.Server):
    """Looks for the stop in place of signals, which belong to whoever runs the process."""

    def __init__(
        self, config: uvicorn.Config, parts: ApiParts, stop: threading.Event, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._parts, self._stop, self._ready = parts, stop, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        if self._stop.is_set():
            self.should_exit = True
            self._parts.waiting.close()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.setblocking(False)  # noqa: FBT003  # the standard library's way
        except OSError:
            listener.close()
            raise
    except OSError as error:
        message = f"Cannot listen on {host}:{port}: {error.strerror}.  Set EARMARK_API_PORT to another one."
        raise ConfigurationError(message) from error
    return listener


def _allowed_files(wanted: int) -> int:
    """How many files this process may open, raised as far as it can be and is wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return wanted if soft == resource.RLIM_INFINITY else soft


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what any client can cause out of the log."""

    def is_news(record: logging.LogRecord) -> bool:
        return record.getMessage() != _NOISE

    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(is_news)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeFilter(is_news)
        logger.setLevel(level)
