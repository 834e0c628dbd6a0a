"""``IncomingAudio``: a file that is being filled with what a client sends, and must turn out to be audio."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.sniff import SNIFF_BYTES, sniff

SMALLER: Final = "Split it, send it in a smaller format, or put it in place with POST /v1/uploads."


class IncomingAudio:
    """A file being filled and hashed."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Make it, empty, in a folder; it may have so many bytes."""
        self._descriptor, name = tempfile.mkstemp(".body", "", folder)
        self.path, self._most_bytes = Path(name), most_bytes
        self.digest, self.size_bytes = hashlib.sha256(), 0
        self._head, self._known = bytearray(), False
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that are not in the file yet."""
        return len(self._buffer)

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take more of it.

        Raises:
            InputRejected: ``too_large``, or its first bytes are those of no audio.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > self._most_bytes:
            message = f"The audio has more than {self._most_bytes} bytes"
            raise InputRejected(InputFault.TOO_LARGE, message, SMALLER)
        self._buffer += chunk
        if not self._known:
            self._head += chunk[: SNIFF_BYTES - len(self._head)]
            if len(self._head) >= SNIFF_BYTES:
                self._demand_audio()

    def flush(self) -> None:
        """Write and hash what is pending; raises ``Unavailable`` where there is no room."""
        chunk, self._buffer = self._buffer, bytearray()
        self.digest.update(chunk)
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise no_room(error) from error

    def finish(self) -> None:
        """That was all.

        Raises:
            InputRejected: ``empty`` or ``not_audio``.
            Unavailable: there is no room.
        """
        if not self.size_bytes:
            raise InputRejected(InputFault.EMPTY, "There are no bytes of audio in the request")
        self._demand_audio()
        self.flush()

    def remove(self) -> None:
        """Remove the file."""
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)

    def _demand_audio(self) -> None:
        if not self._known and sniff(bytes(self._head)) is None:
            raise InputRejected(InputFault.NOT_AUDIO, "The bytes are those of no audio format that is known")
        self._known = True


def no_room(error: OSError) -> Unavailable:
    """What is ours to mend."""
    return Unavailable(f"There is no room for what clients send: {error.strerror}")
