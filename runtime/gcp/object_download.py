"""``Download``: the bytes of one generation of an object.

One response is read to its end, for Cloud Storage goes on sending a generation that is overwritten meanwhile, while a
second request would no longer find it.  Only where the connection breaks is there another request, for the rest.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Self

import google_crc32c
from google.api_core import exceptions

from earmark.errors import Unavailable
from runtime.gcp.object_upload import CHUNK_BYTES, crc32c_text
from runtime.gcp.vendor_errors import calling

_CRC32C: Final = re.compile(r"crc32c=([A-Za-z0-9+/=]+)")


class Download(Iterator[bytes]):
    """Chunks of at most one MiB; the last one is given only after the checksum of all of them was right."""

    def __init__(self, what: str, request: Callable[[int | None, int], Any]) -> None:
        """Begin at once.

        Args:
            what: is read, for messages.
            request: gives the streamed response for a generation (None = the present one) from a byte on, or raises
                Google's errors or ours.
        """
        self._what = what
        self._request = request
        self._response: Any = None
        self._generation: int | None = None
        self._size: int | None = None
        self._crc32c: str | None = None
        self._position = 0
        self._checksum = 0
        self._done = False
        calling(what, self._open)

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> bytes:
        """The next chunk.

        Raises:
            Unavailable: the connection broke and the rest cannot be had, or the bytes are not those that were stored.
        """
        if self._done:
            raise StopIteration
        try:
            chunk = calling(self._what, self._read)
        except BaseException:
            self.close()
            raise
        self._position += len(chunk)
        self._checksum = google_crc32c.extend(self._checksum, chunk)
        if not chunk or self._position == self._size:
            self._check()
            self.close()
        if not chunk:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Let go of the connection."""
        self._done = True
        self._drop()

    def __del__(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(Exception):
            self.close()

    def _open(self) -> None:
        try:
            response = self._request(self._generation, self._position)
        except exceptions.NotFound as error:
            if self._generation is None:
                raise
            message = f"{self._what} was overwritten while it was read, and the connection broke"
            raise Unavailable(message) from error
        headers = response.headers
        if self._generation is None:
            size = headers.get("X-Goog-Stored-Content-Length") or headers.get("Content-Length")
            found = _CRC32C.search(headers.get("X-Goog-Hash", ""))
            self._generation = int(headers["X-Goog-Generation"])
            self._size = None if size is None else int(size)
            self._crc32c = None if found is None else found[1]
        self._response = response

    def _read(self) -> bytes:
        if self._response is None:
            self._open()
        try:
            # As it is stored: the checksum is that of the compressed bytes, if somebody compressed them.
            chunk: bytes = self._response.raw.read(CHUNK_BYTES, decode_content=False)
        except BaseException:
            self._drop()
            raise
        if not chunk and self._size is not None and self._position < self._size:
            self._drop()
            message = f"the connection ended after {self._position} of {self._size} bytes"
            raise ConnectionError(message)
        return chunk

    def _check(self) -> None:
        found = crc32c_text(self._checksum)
        if self._crc32c is not None and found != self._crc32c:
            self.close()
            message = f"{self._what} arrived damaged: its crc32c is {found}, not {self._crc32c}"
            raise Unavailable(message)

    def _drop(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
