"""``Told``: which objects a notice told of, and until when, packed so that a million of them take 24 MB."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from retention.catalogue import object_id

_ID_BYTES: Final = 16
_RECORD_BYTES: Final = _ID_BYTES + 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Told:
    """The objects of one notice; a question costs as many steps as their number has bits."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines of the list, each a ``NoticedObject``."""
        self._records = b"".join(sorted(_record(line) for line in lines))

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        return len(self._records)

    def expires_at(self, object_id: str) -> datetime | None:
        """When the notice said that an object reaches its end; ``None`` = it does not tell of that one."""
        wanted = bytes.fromhex(object_id)
        low, high = 0, len(self._records) // _RECORD_BYTES
        while low < high:
            middle = (low + high) // 2
            if self._id(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low * _RECORD_BYTES >= len(self._records) or self._id(low) != wanted:
            return None
        start = low * _RECORD_BYTES + _ID_BYTES
        return _EPOCH + _MICROSECOND * int.from_bytes(self._records[start : start + 8], "big", signed=True)

    def _id(self, index: int) -> bytes:
        return self._records[index * _RECORD_BYTES : index * _RECORD_BYTES + _ID_BYTES]


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines from chunks of bytes, without their ends; empty ones are left out."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest


def _record(line: bytes) -> bytes:
    found = json.loads(line)
    row = found["row"]
    identity = bytes.fromhex(object_id(row["bucket"], row["name"], row["generation"]))
    microseconds = (datetime.fromisoformat(found["expires_at"]) - _EPOCH) // _MICROSECOND
    return identity + microseconds.to_bytes(8, "big", signed=True)
