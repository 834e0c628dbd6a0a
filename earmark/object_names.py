"""Which names an object may have."""

import unicodedata
from typing import Final

from earmark.errors import InvalidName

MAX_NAME_BYTES: Final = 1024
_SHOWN_CHARS: Final = 80


def checked_name(name: str) -> bytes:
    """The UTF-8 bytes of a name that any store can hold.

    Raises:
        InvalidName: says what is wrong with it.
    """
    fault = _fault(name)
    if fault is not None:
        shown = name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "…"
        message = f"{shown!r} cannot name an object: {fault}"
        raise InvalidName(message)
    return name.encode()


def _fault(name: str) -> str | None:
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return "it is not Unicode text"
    if not 1 <= size_bytes <= MAX_NAME_BYTES:
        return f"it has {size_bytes} bytes, where 1 to {MAX_NAME_BYTES} are allowed"
    if not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name):
        return "it holds a control character"
    segments = name.split("/")
    if "" in segments:
        return "it has an empty segment: a slash at its start or end, or two in a row"
    if "." in segments or ".." in segments:
        return 'it has a segment "." or ".."'
    return None
