"""``Multipart``: an object on its way up, in one request that can be sent again.

Google's client sends more than 8 MiB in several requests.  On that way it takes a short read for the end of the source,
and where a checksum differs it deletes whatever bears the name by then.  A single ``multipart`` request of the JSON API
may have any size, carries its precondition and its checksum, and is done or not done.
"""

import base64
import io
import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import google_crc32c

from earmark.errors import Unavailable

CHUNK_BYTES: Final = 1 << 20
MEMORY_BYTES: Final = 8 << 20
"""A source that cannot be read twice waits in memory up to this size, above it in a temporary file."""


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes to be stored, that can be read again."""

    file: BinaryIO
    start: int
    """Where in the file they begin."""
    size_bytes: int
    crc32c: str
    """Big-endian and in base 64, as Cloud Storage writes it."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes from their start, exactly as many as were counted.

        Raises:
            Unavailable: the file has become shorter.
        """
        self.file.seek(self.start)
        left = self.size_bytes
        while left:
            chunk = self.file.read(min(CHUNK_BYTES, left))
            if not chunk:
                message = f"A file became {left} bytes shorter while it was stored"
                raise Unavailable(message)
            left -= len(chunk)
            yield chunk


@contextmanager
def source_of(content: bytes | BinaryIO) -> Iterator[Source]:
    """Count and sum what is to be stored; errors of a file pass through unchanged.

    Raises:
        Unavailable: there is no room for what can be read only once.
    """
    if isinstance(content, bytes):
        yield _measured(io.BytesIO(content))
    elif content.seekable():
        yield _measured(content)
    else:
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
            for chunk in _chunks(content):
                try:
                    spool.write(chunk)
                except OSError as error:
                    message = f"No room for a temporary file in {tempfile.gettempdir()}: {error.strerror}"
                    raise Unavailable(message) from error
            spool.seek(0)
            yield _measured(spool)  # type: ignore[arg-type]  # it has what a BinaryIO has


def crc32c_text(checksum: int) -> str:
    """A checksum as Cloud Storage writes it."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


class Multipart:
    """The body of an upload: metadata, then content.  It has a length and may be sent several times."""

    def __init__(self, metadata: Mapping[str, object], source: Source) -> None:
        """Read nothing yet; ``metadata`` is an object resource with its ``contentType``."""
        boundary = uuid.uuid4().hex
        declared = str(metadata.get("contentType", ""))
        part_type = declared if declared.isascii() and declared.isprintable() else "application/octet-stream"
        self._source = source
        self._head = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(metadata)}\r\n"
            f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type: Final = f"multipart/related; boundary={boundary}"

    def body(self) -> "bytes | Multipart":
        """What to send: a small one in one piece."""
        return b"".join(self) if self._source.size_bytes <= CHUNK_BYTES else self

    def __len__(self) -> int:
        """Bytes of the whole body."""
        return len(self._head) + self._source.size_bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        """The body in chunks, from its start."""
        yield self._head
        yield from self._source.chunks()
        yield self._tail


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Everything to the end, of a file that may give less than it is asked for."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _measured(file: BinaryIO) -> Source:
    start = file.tell()
    size_bytes, checksum = 0, 0
    for chunk in _chunks(file):
        checksum = google_crc32c.extend(checksum, chunk)
        size_bytes += len(chunk)
    return Source(file, start, size_bytes, crc32c_text(checksum))
