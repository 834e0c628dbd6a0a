"""``RowStreams``: rows sent through the Storage Write API's default streams.

A stream is one long call that takes a request and answers it before it takes the next.  Opening one costs more than a
request, so each is kept and used again; several threads use several.  Every stream has a deadline as a whole and is
replaced when half of that is over, so that no request waits for longer than ``STREAM_S``.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, Final

import grpc
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport
from google.protobuf.descriptor_pb2 import DescriptorProto  # type: ignore[import-untyped,unused-ignore]

from earmark.errors import Unavailable
from runtime.gcp.vendor_errors import calling

STORAGE_WRITE_EMULATOR: Final = "BIGQUERY_STORAGE_EMULATOR_HOST"
"""Host and port of an emulator of the Storage Write API.  Google's client reads no variable of its own for it."""
STREAM_S: Final = 40.0
REQUEST_ROWS_MAX: Final = 10_000
REQUEST_BYTES_MAX: Final = 9_000_000
"""BigQuery takes 10 MB a request, with everything around the rows."""
_EXTRA_FIELDS: Final = int(types.StorageError.StorageErrorCode.SCHEMA_MISMATCH_EXTRA_FIELDS)
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),  # the default, two minutes, would outlast most outages
)


def write_client() -> BigQueryWriteClient:
    """A client of the Storage Write API, or of the emulator that ``STORAGE_WRITE_EMULATOR`` names."""
    host = os.environ.get(STORAGE_WRITE_EMULATOR)
    if host:
        channel = grpc.insecure_channel(host, options=_CHANNEL_OPTIONS)
        return BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))  # type: ignore[no-untyped-call]

    def connect(*arguments: Any, options: Sequence[tuple[str, object]] = (), **more: Any) -> grpc.Channel:
        more["options"] = [*options, *_CHANNEL_OPTIONS]
        return BigQueryWriteGrpcTransport.create_channel(*arguments, **more)

    return BigQueryWriteClient(  # type: ignore[no-untyped-call]
        transport=lambda **more: BigQueryWriteGrpcTransport(**{**more, "channel": connect})
    )


class RowStreams:
    """Sends rows; safe to use from several threads."""

    def __init__(
        self,
        client: Callable[[], BigQueryWriteClient],
        tables: Mapping[str, tuple[str, DescriptorProto]],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            client: gives the client, in the process that uses it.
            tables: by name, the table's full name (``projects/P/datasets/D/tables/T``) and its rows' message type.
            now: seconds on a clock that never goes back.
        """
        self._client = client
        self._tables = tables
        self._now = now
        self._idle: dict[str, list[_Stream]] = defaultdict(list)
        self._lock = threading.Lock()

    def append(self, table: str, rows: Sequence[bytes]) -> None:
        """Send rows within the limits of one request; they are durable and visible afterwards.

        Raises:
            Unavailable: BigQuery cannot be reached, or does not know a new column yet; some rows may be there.
            ConfigurationError: there is no such table, or this process may not write to it.
        """
        calling(f"The table {self._tables[table][0]}", lambda: self._attempt(table, rows))

    def close(self) -> None:
        """End the streams."""
        with self._lock:
            idle, self._idle = self._idle, defaultdict(list)
        for stream in (each for streams in idle.values() for each in streams):
            stream.close()

    def __del__(self) -> None:
        """End the threads that wait for requests."""
        if hasattr(self, "_lock"):
            self.close()

    def _attempt(self, table: str, rows: Sequence[bytes]) -> None:
        stream = self._take(table)
        try:
            stream.send(rows)
        except BaseException:
            stream.close()
            raise
        with self._lock:
            self._idle[table].append(stream)

    def _take(self, table: str) -> "_Stream":
        with self._lock:
            idle = self._idle[table]
            old = [each for each in idle if each.ends_at - self._now() < STREAM_S / 2]
            idle[:] = [each for each in idle if each not in old]
            fresh = idle.pop() if idle else None
        for each in old:
            each.close()
        name, descriptor = self._tables[table]
        return fresh or _Stream(self._client(), f"{name}/streams/_default", descriptor, self._now() + STREAM_S)


class _Stream:
    """One open call."""

    def __init__(self, client: BigQueryWriteClient, name: str, descriptor: DescriptorProto, ends_at: float) -> None:
        self._client = client
        self._name = name
        self._descriptor = descriptor
        self.ends_at = ends_at
        self._requests: SimpleQueue[types.AppendRowsRequest | None] = SimpleQueue()
        self._answers: Iterator[types.AppendRowsResponse] | None = None

    def send(self, rows: Sequence[bytes]) -> None:
        """Send rows and wait for the answer."""
        content = types.AppendRowsRequest.ProtoData(rows=types.ProtoRows(serialized_rows=rows))
        if self._answers is None:
            content.writer_schema = types.ProtoSchema(proto_descriptor=self._descriptor)
        self._requests.put(types.AppendRowsRequest(write_stream=self._name, proto_rows=content))
        if self._answers is None:
            self._answers = iter(
                self._client.append_rows(
                    iter(self._requests.get, None),
                    retry=None,
                    timeout=STREAM_S,
                    metadata=[("x-goog-request-params", f"write_stream={self._name}")],
                )
            )
        answer = next(self._answers, None)
        if answer is None:
            message = "the stream ended without an answer"
            raise exceptions.ServiceUnavailable(message)  # type: ignore[no-untyped-call]
        _check(answer)

    def close(self) -> None:
        """End the call, and the thread that waits for its requests."""
        self._requests.put(None)
        cancel = getattr(self._answers, "cancel", None)
        if cancel is not None:
            cancel()


def _check(answer: types.AppendRowsResponse) -> None:
    """Raise unless the rows were taken."""
    if not answer.error.code:
        return
    message = "; ".join([answer.error.message, *(f"row {each.index}: {each.message}" for each in answer.row_errors)])
    for detail in answer.error.details:
        fault = types.StorageError.pb(types.StorageError())
        if detail.Unpack(fault) and fault.code == _EXTRA_FIELDS:
            # A column that `earmark init` has just added is known to the streams some minutes later.
            text = f"The stream {answer.write_stream} does not know a column yet: {message}"
            raise Unavailable(text)
    raise exceptions.from_grpc_status(answer.error.code, message)  # type: ignore[no-untyped-call]
