"""``Proxy``: a network between a client and a server that loses, holds back and damages what a test wants it to."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

METHODS: Final = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"PATCH ")
PIECE_BYTES: Final = 65536
STOP_S: Final = 5.0


class Proxy:
    """Passes HTTP on to a server, through two hooks that may change it, or cut the connection by giving None."""

    def __init__(self, server_url: str) -> None:
        """Listen on a free port."""
        parts = urlsplit(server_url)
        self._server: Final = (str(parts.hostname), int(parts.port or 80))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url: Final = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        """First lines of all requests, in order: ``GET /storage/v1/b/…``."""
        self.connections = 0
        self.on_request: Callable[[str, bytes], bytes | None] = lambda _line, piece: piece
        """Given the first line of the request and a piece of it."""
        self.on_answer: Callable[[str, bytes], bytes | None] = lambda _line, piece: piece
        """Given the first line of the request and a piece of its answer."""
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answers(self, method: str, count: int = 1) -> None:
        """Let the server do what the next requests of a method ask for, and cut the connection instead of answering."""
        left = count

        def lose(line: str, piece: bytes) -> bytes | None:
            nonlocal left
            if left and line.startswith(method):
                left -= 1
                return None
            return piece

        self.on_answer = lose

    def sent(self, method: str) -> list[str]:
        """First lines of the requests of a method."""
        return [line for line in self.requests if line.startswith(method)]

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close everything."""
        _end(self._listener)
        self._listener.close()
        for each in self._open:
            _end(each)
        for thread in self._threads:
            thread.join(STOP_S)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._server, timeout=30) as server:
            self._open += (client, server)
            line = [""]
            answers = threading.Thread(
                target=_pump, args=(server, client, lambda piece: self.on_answer(line[0], piece)), daemon=True
            )
            answers.start()
            _pump(client, server, lambda piece: self._requested(line, piece))
            answers.join()

    def _requested(self, line: list[str], piece: bytes) -> bytes | None:
        if piece.startswith(METHODS):
            line[0] = piece.split(b"\r\n", 1)[0].decode()
            self.requests.append(line[0])
        return self.on_request(line[0], piece)


def _pump(source: socket.socket, target: socket.socket, hook: Callable[[bytes], bytes | None]) -> None:
    """Pass on until either side ends, or the hook says so; then end both."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            passed = hook(piece)
            if passed is None:
                break
            target.sendall(passed)
    _end(source)
    _end(target)


def _end(each: socket.socket) -> None:
    """Wake whoever waits for it; it is closed only when nobody does, lest its number belong to another one."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
