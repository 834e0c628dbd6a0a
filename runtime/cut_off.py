"""``cut_off``: ends a conversation with a server that takes too long over it, however slowly it keeps talking."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_off(after_s: float, connection: socket.socket) -> Iterator[threading.Event]:
    """Shut a connection down unless the context ends in time; whoever reads from it then finds it closed.

    Gives what tells whether that happened, for readers to whom the end of a connection is the end of what was said.

    A time-out of the socket alone bounds the wait for each byte, not the whole.

    Args:
        after_s: seconds for all of it.
        connection: may be replaced by one over TLS meanwhile, as with STARTTLS, where that has the same descriptor.
    """
    watched = socket.socket(connection.family, connection.type, fileno=os.dup(connection.fileno()))

    happened = threading.Event()

    def cut() -> None:
        happened.set()
        with suppress(OSError):  # it ended just now
            watched.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield happened
    finally:
        timer.cancel()
        watched.close()
