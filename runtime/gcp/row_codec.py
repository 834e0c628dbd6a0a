"""``RowCodec``: a row as BigQuery takes it (protocol buffers), and on the way there as a line of JSON.

In between a row is a plain dictionary of its columns: text, numbers, booleans, None, times as microseconds since 1970.
No row is refused for what is in it: BigQuery limits the size of a request, so text is cut at ``TEXT_MAX_BYTES``, and
"not a number", which would spoil every sum it is part of, becomes NULL as in SQLite.
"""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf import (  # type: ignore[import-untyped,unused-ignore]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

from earmark.errors import ConfigurationError
from earmark.rows import Row
from runtime.gcp.warehouse_schema import APPENDED_AT, columns_of

Stored = dict[str, str | int | float | bool | None]
"""A row's columns."""

TEXT_MAX_BYTES: Final = 262_144
"""More than any text we write; a row with that much in every column still fits in a request."""
_CUT: Final = "…"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PROTO: Final = {
    "STRING": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "INT64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "FLOAT64": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "BOOL": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "TIMESTAMP": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
}
"""BigQuery takes a TIMESTAMP as microseconds since 1970."""


class RowCodec:
    """Writes and reads the rows of one type."""

    def __init__(self, row: type[Row]) -> None:
        """Derive the message type; raises ``ConfigurationError`` for a row type that no table can hold."""
        self.table = row.table
        self._row = row
        self._types = {column.name: column.type for column in columns_of(row)}
        self.descriptor = descriptor_pb2.DescriptorProto(name="Row")
        for number, (name, kind) in enumerate(self._types.items(), 1):
            self.descriptor.field.add(
                name=name, number=number, type=_PROTO[kind], label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
            )
        file = descriptor_pb2.FileDescriptorProto(name=f"{row.table}.proto", syntax="proto2")
        file.message_type.add().CopyFrom(self.descriptor)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._message = message_factory.GetMessageClass(pool.FindMessageTypeByName("Row"))

    def stored(self, row: Row, appended_us: int) -> Stored:
        """The columns of a row.

        Raises:
            ConfigurationError: it is a row of another type.
        """
        if not isinstance(row, self._row):
            message = f"The warehouse has no table {row.table!r} for a {type(row).__name__}"
            raise ConfigurationError(message)
        values = {name: _stored(getattr(row, name)) for name in self._row.model_fields}
        return {**values, APPENDED_AT: appended_us}

    def encoded(self, stored: Stored) -> bytes:
        """A row as BigQuery takes it; a column it lacks is NULL.

        Raises:
            ConfigurationError: it has a column that this code does not know, or a value of another type.
        """
        try:
            message = self._message(**{name: value for name, value in stored.items() if value is not None})
            return bytes(message.SerializeToString())
        except (ValueError, TypeError, OverflowError) as error:
            text = f"A row of {self.table} does not fit its table: {error}"
            raise ConfigurationError(text) from error


def line_of(stored: Stored) -> bytes:
    """A row as one line of JSON."""
    return json.dumps(stored, separators=(",", ":")).encode() + b"\n"


def row_of(line: bytes) -> Stored:
    """A row from its line.

    Raises:
        ValueError: the line is no JSON object.
    """
    content = json.loads(line)
    if not isinstance(content, dict):
        message = "the line holds no row"
        raise ValueError(message)  # noqa: TRY004  # as the decoder does for other faults of the text
    return content


def chunks(sizes: Sequence[int], *, rows_max: int, bytes_max: int) -> list[slice]:
    """Cut rows of these sizes into runs within both limits; a row above the limit makes a run alone."""
    cuts, start, total = [], 0, 0
    for position, size in enumerate(sizes):
        if position > start and (position - start >= rows_max or total + size > bytes_max):
            cuts.append(slice(start, position))
            start, total = position, 0
        total += size
    return [*cuts, slice(start, len(sizes))] if sizes else []


def microseconds(at: datetime) -> int:
    """A time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def is_older(
    stored: Mapping[str, object], before_us: int, tenant: str | None, only: Mapping[str, Collection[str]] | None = None
) -> bool:
    """Whether a purge removes the row."""
    at = stored.get("at")
    if not isinstance(at, int) or at >= before_us or tenant not in {None, stored.get("tenant")}:
        return False
    return all(stored.get(column) in values for column, values in (only or {}).items())


def _stored(value: object) -> str | int | float | bool | None:
    match value:
        case None | bool() | int():
            return value
        case float():
            return None if math.isnan(value) else value
        case datetime():
            return microseconds(value)
        case str():
            return _cut(value)
    message = f"No column holds a {type(value).__name__}"
    raise ConfigurationError(message)


def _cut(text: str) -> str:
    """A text of at most ``TEXT_MAX_BYTES`` bytes, with a mark where something was left away."""
    encoded = text.encode()
    if len(encoded) <= TEXT_MAX_BYTES:
        return str(text)
    return encoded[: TEXT_MAX_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
