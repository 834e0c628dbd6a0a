"""``survey``: what became of the pages of an Ogg file, since FFmpeg drops damaged ones without a word.

RFC 3533: a page has a checksum, a number in its stream, and a flag when it is the last.
"""

import os
import zlib
from dataclasses import dataclass
from typing import Final

_CAPTURE: Final = b"OggS"
_HEADER_BYTES: Final = 27
_PAGE_BYTES_MAX: Final = 27 + 255 + 255 * 255
_FIRST, _LAST = 0x02, 0x04
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL: Final = 0xFFFFFFFF
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of an Ogg file."""

    good_share: float
    """Share of its bytes in pages whose checksum holds."""
    damaged: bool
    """A page is missing, or does not match its checksum, or there is something between two pages."""
    cut_off: bool
    """It ends without the last page of its last stream."""


def survey(descriptor: int, size_bytes: int) -> Survey:
    """Walk through all pages; takes about as long as hashing the file."""
    position = good_bytes = 0
    damaged = False
    ended = False
    numbers: dict[bytes, int] = {}
    while position < size_bytes:
        page = _page(descriptor, position)
        if page is None:
            following = _next_capture(descriptor, position + 1)
            if following is None:
                ended = ended and size_bytes - position < len(_CAPTURE)  # a page that was begun; stray zeros do no harm
                damaged |= not _is_page_start(descriptor, position)
                break
            damaged, position = True, following
            continue
        flags, serial, number = page[5], page[14:18], int.from_bytes(page[18:22], "little")
        if checksum(page) == int.from_bytes(page[22:26], "little"):
            good_bytes += len(page)
            damaged |= not flags & _FIRST and numbers.get(serial, number - 1) != number - 1
            numbers[serial] = number
            ended = bool(flags & _LAST)
        else:
            damaged = True
            ended = bool(flags & _LAST)
        position += len(page)
    return Survey(good_bytes / max(1, size_bytes), damaged, not ended)


def checksum(page: bytes) -> int:
    """The CRC of a page with its own field taken as zero: polynomial 0x04c11db7, neither inverted nor reflected.

    zlib's is the same polynomial reflected and inverted, so it is fed with reversed bits and undone.
    """
    content = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(content, _ALL) ^ _ALL:032b}"[::-1], 2)


def _page(descriptor: int, position: int) -> bytes | None:
    """The whole page that begins here; None where there is none."""
    head = os.pread(descriptor, _HEADER_BYTES + 255, position)
    if not head.startswith(_CAPTURE) or len(head) < _HEADER_BYTES:
        return None
    lengths = head[_HEADER_BYTES : _HEADER_BYTES + head[26]]
    size = _HEADER_BYTES + head[26] + sum(lengths)
    page = head[:size] if len(head) >= size else os.pread(descriptor, size, position)
    return page if len(lengths) == head[26] and len(page) == size else None


def _is_page_start(descriptor: int, position: int) -> bool:
    return os.pread(descriptor, len(_CAPTURE), position) == _CAPTURE


def _next_capture(descriptor: int, position: int) -> int | None:
    """Where the next page may begin."""
    while chunk := os.pread(descriptor, _READ_BYTES, position):
        found = chunk.find(_CAPTURE)
        if found >= 0:
            return position + found
        position += max(1, len(chunk) - len(_CAPTURE) + 1)
        if len(chunk) < len(_CAPTURE):
            return None
    return None
