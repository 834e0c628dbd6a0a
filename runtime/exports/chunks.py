"""The chunks of WAV and AIFF files: found one after another, and put between others.

WAV is RIFF (IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991), whose numbers
have the least byte first; AIFF (Apple, "Audio Interchange File Format 1.3", 1989) has the greatest first.  In both a
chunk is four letters, a length of 32 bits, so many bytes, and one more where that is odd; one chunk is the whole file.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

HEAD_BYTES: Final = 8
RIFF: Final = "<"
AIFF: Final = ">"
"""Orders of bytes, as ``struct`` has them."""
_FIRST: Final = 12
"""Where the first chunk is: after the head of the file's chunk and the four letters of its kind."""
_MOST_BYTES: Final = 2**32 - 1
_BLOCK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a chunk is."""

    name: bytes
    start: int
    """Offset of its four letters."""
    size_bytes: int
    """Without head and padding."""

    @property
    def end(self) -> int:
        """Offset of what comes after it and its padding."""
        return self.start + HEAD_BYTES + self.size_bytes + self.size_bytes % 2


def pack(order: str, name: bytes, content: bytes) -> bytes:
    """A chunk with its head and padding."""
    return struct.pack(f"{order}4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def unpack(content: bytes, order: str) -> list[tuple[bytes, bytes]] | None:
    """Names and contents of the chunks within one; ``None`` = they do not fill it."""
    found, at = [], 0
    while at < len(content):
        name, rest = content[at : at + 4], content[at + 4 :]
        size_bytes = struct.unpack(f"{order}I", rest[:4])[0] if len(rest) >= 4 else _MOST_BYTES  # noqa: PLR2004
        if size_bytes > len(rest) - 4:
            return None
        found.append((name, rest[4 : 4 + size_bytes]))
        at += HEAD_BYTES + size_bytes + size_bytes % 2
    return found


def chunks_of(file: Any, order: str) -> Sequence[Chunk] | None:
    """The chunks of a file; ``None`` = they do not fill it as its head says, so that nothing can be put among them."""
    found, end = _walk(file, order)
    return found if found and found[-1].end == end else None


def pad_last(file: Any, order: str) -> None:
    """Give the last chunk the padding that many programs forget, or forget to count; else nothing fits behind it."""
    found, end = _walk(file, order)
    if not found or found[-1].end != end + 1:
        return
    file.seek(end)
    if file.read(1) in {b"", b"\0"}:
        file.seek(end)
        file.write(b"\0")
        _say_size(file, order, end + 1 - HEAD_BYTES)


def content_of(file: Any, chunk: Chunk, most_bytes: int | None = None) -> bytes:
    """What is in a chunk, or no more than its first bytes."""
    file.seek(chunk.start + HEAD_BYTES)
    return bytes(file.read(chunk.size_bytes if most_bytes is None else min(most_bytes, chunk.size_bytes)))


def put(file: Any, order: str, start: int, end: int, chunk: bytes) -> None:
    """Put a whole chunk where ``start`` to ``end`` are now, if the file's length can still be told afterwards."""
    shift = len(chunk) - (end - start)
    size_bytes = _size_bytes(file, order) + shift
    if size_bytes > _MOST_BYTES:
        return
    _move(file, end, shift)
    file.seek(start)
    file.write(chunk)
    _say_size(file, order, size_bytes)


def _walk(file: Any, order: str) -> tuple[list[Chunk], int]:
    """The chunks as far as there are any, and where the file ends as its head says."""
    length, at = file.seek(0, 2), _FIRST
    found: list[Chunk] = []
    end = HEAD_BYTES + _size_bytes(file, order)
    while at + HEAD_BYTES <= end <= length:
        file.seek(at)
        name, size_bytes = struct.unpack(f"{order}4sI", file.read(HEAD_BYTES))
        found.append(Chunk(name, at, size_bytes))
        at = found[-1].end
    return found, end


def _size_bytes(file: Any, order: str) -> int:
    """What the head says; 0 = it is cut off."""
    file.seek(4)
    head = file.read(4)
    return int.from_bytes(head, "little" if order == RIFF else "big") if len(head) == 4 else 0  # noqa: PLR2004


def _say_size(file: Any, order: str, size_bytes: int) -> None:
    file.seek(4)
    file.write(struct.pack(f"{order}I", size_bytes))


def _move(file: Any, start: int, shift: int) -> None:
    """Move everything from an offset on, whichever way; a block at a time, the last first where the file grows."""
    length = file.seek(0, 2)
    blocks = range(start, length, _BLOCK_BYTES) if shift else ()
    for at in reversed(blocks) if shift > 0 else blocks:
        file.seek(at)
        block = file.read(min(_BLOCK_BYTES, length - at))
        file.seek(at + shift)
        file.write(block)
    file.truncate(max(length + shift, start + shift))
