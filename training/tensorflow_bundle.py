"""A reader for TensorFlow checkpoints in the bundle format (version 2), without TensorFlow.

A bundle is two files.  The index is a LevelDB table that maps each variable's name to a small protocol
buffer, `BundleEntryProto`: its dtype, its shape, and where its bytes lie in the data file.  Formats:

- table: https://github.com/google/leveldb/blob/main/doc/table_format.md
- entry: tensorflow/core/protobuf/tensor_bundle.proto
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FOOTER_BYTES = 48
_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
_FLOAT32 = 1
"""`DT_FLOAT` in tensorflow/core/framework/types.proto."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types of the protocol buffer encoding."""


class BundleError(ValueError):
    """The bytes are not a bundle this reader understands."""


def read_bundle(index: bytes, content: bytes) -> dict[str, NDArray[np.float32]]:
    """Read every float32 variable of a bundle with a single data file.

    Args:
        index: the bytes of the `.index` file.
        content: the bytes of the `.data-00000-of-00001` file.

    Returns:
        The variables by name, each with its stored shape.

    Raises:
        BundleError: the index is not such a table, or an entry points outside the data file.
    """
    variables = {}
    for name, entry in _table_entries(index):
        if not name:
            continue  # the empty key holds the bundle's own header
        fields = dict(_message_fields(entry))
        if fields.get(1) != _FLOAT32:
            continue
        start, size = _integer(fields.get(4, 0)), _integer(fields.get(5, 0))
        shape = _shape(fields.get(2, b""))
        if start + size > len(content) or size != 4 * int(np.prod(shape, dtype=np.int64)):
            message = f"variable {name!r}: {size} bytes at {start} do not fit its shape {shape} or the data file"
            raise BundleError(message)
        flat = np.frombuffer(content, dtype="<f4", count=size // 4, offset=start)
        variables[name.decode()] = flat.reshape(shape).astype(np.float32)
    return variables


def _table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a LevelDB table in key order."""
    if len(table) < _FOOTER_BYTES or table[-8:] != _TABLE_MAGIC:
        message = "not a LevelDB table: the magic number at its end is missing"
        raise BundleError(message)
    position = len(table) - _FOOTER_BYTES
    for _ in range(2):  # the metaindex handle, not needed here
        _, position = _varint(table, position)
    index_start, position = _varint(table, position)
    index_size, _ = _varint(table, position)
    for _, handle in _block_entries(_block(table, index_start, index_size)):
        start, position = _varint(handle, 0)
        size, _ = _varint(handle, position)
        yield from _block_entries(_block(table, start, size))


def _block(table: bytes, start: int, size: int) -> bytes:
    """Cut out one block; the byte after it names the compression, which must be none."""
    if start + size >= len(table) or table[start + size] != 0:
        message = "the table has a block that is compressed or lies outside the file"
        raise BundleError(message)
    return table[start : start + size]


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block: each key shares a prefix with the key before it."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        value_size, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + value_size]
        position += value_size


def _varint(encoded: bytes, position: int) -> tuple[int, int]:
    """Decode a base-128 integer; return it and the position after it."""
    value, shift = 0, 0
    while True:
        if position >= len(encoded):
            message = "the table ends inside a number"
            raise BundleError(message)
        byte = encoded[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:  # the continuation bit
            return value, position


def _message_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the field numbers and raw values of a protocol buffer message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(message, position)
        elif wire_type in {_FIXED64, _FIXED32}:
            size = 8 if wire_type == _FIXED64 else 4
        else:
            text = f"unknown wire type {wire_type} in an entry"
            raise BundleError(text)
        yield number, message[position : position + size]
        position += size


def _shape(encoded: int | bytes) -> tuple[int, ...]:
    """Decode a TensorShapeProto: field 2 repeated, each a dimension with its size in field 1."""
    if isinstance(encoded, int):
        message = "an entry's shape is not a message"
        raise BundleError(message)
    sizes = (
        dict(_message_fields(dim)).get(1, 0)
        for number, dim in _message_fields(encoded)
        if number == 2 and isinstance(dim, bytes)
    )  # field number
    return tuple(_integer(size) for size in sizes)


def _integer(value: int | bytes) -> int:
    """Narrow a field to an integer."""
    if isinstance(value, bytes):
        message = "an entry holds bytes where an integer belongs"
        raise BundleError(message)
    return value
