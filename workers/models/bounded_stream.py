"""``BoundedStream``: the body of an answer, cut off where it takes too long or grows too large.

A client's timeouts hold for each piece, and start anew with it: a server that sends a byte a minute is never given up.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx2

MOST_BYTES: Final = 8 * 1024**2
"""An answer that is larger is none."""


class BoundedStream(httpx2.SyncByteStream):
    """Another stream, with bounds."""

    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request, limit_s: float) -> None:
        """Take the stream, the request it answers, and the seconds it may take from now."""
        self._stream = stream
        self._request = request
        self._ends_s = time.monotonic() + limit_s

    def __iter__(self) -> Iterator[bytes]:
        """The pieces.

        Raises:
            httpx2.ReadTimeout: the time is up.
            httpx2.ReadError: it is too large.
        """
        received = 0
        for piece in self._stream:
            received += len(piece)
            if received > MOST_BYTES:
                message = f"more than {MOST_BYTES} bytes"
                raise httpx2.ReadError(message, request=self._request)
            if time.monotonic() > self._ends_s:
                message = "the time for the whole answer is up"
                raise httpx2.ReadTimeout(message, request=self._request)
            yield piece

    def close(self) -> None:
        """Hang up."""
        self._stream.close()


def bounded(limit_s: float) -> Callable[[httpx2.Response], None]:
    """A hook that bounds every answer of a client, those with an error too."""

    def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = BoundedStream(response.stream, response.request, limit_s)

    return bound
