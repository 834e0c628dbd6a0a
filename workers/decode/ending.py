"""What a file says about its own end, where FFmpeg does not tell."""

import os

_MP3_LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")
"""Marks in the first MP3 frame, within its first 200 bytes, that tell how many frames follow."""
_MP3_TAG_WITHIN_BYTES = 256

_OGG_PAGE_BYTES_MAX = 27 + 255 + 255 * 255
"""A header, 255 lengths and 255 segments of 255 bytes: RFC 3533."""
_OGG_HEADER_BYTES = 27
_OGG_LAST_PAGE = 0x04


def states_length(container: str, start: bytes) -> bool:
    """Whether a file has a length of its own, judging by the bytes after its tags; else FFmpeg makes a guess."""
    if container == "mp3":
        return any(tag in start[:_MP3_TAG_WITHIN_BYTES] for tag in _MP3_LENGTH_TAGS)
    return container not in {"aac", "amr"}


def is_cut_off(container: str, descriptor: int, size_bytes: int) -> bool:
    """Whether a file without a length in its header ends too early: an Ogg file lacks its marked last page."""
    if container != "ogg":
        return False
    tail = os.pread(descriptor, _OGG_PAGE_BYTES_MAX, max(0, size_bytes - _OGG_PAGE_BYTES_MAX))
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_HEADER_BYTES:
        return True
    lengths = page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + page[26]]
    whole = len(page) >= _OGG_HEADER_BYTES + page[26] + sum(lengths)
    return not (whole and page[5] & _OGG_LAST_PAGE)
