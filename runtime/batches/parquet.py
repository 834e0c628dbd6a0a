"""Results of a batch as Parquet, written while it is sent: a row group at a time is in memory."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from runtime.batches.results import EntryResult
from runtime.exports.columns import Cell, Kind

ROWS: Final = 2000
"""Rows of a group."""
_PIECES: Final = 16
"""That wait to be sent."""
_SOON_S: Final = 0.5


def as_parquet(
    results: Iterable[EntryResult],
    columns: Mapping[str, Kind],
    row_of: Callable[[EntryResult], Mapping[str, Cell]],
) -> Iterator[bytes]:
    """A Parquet file in pieces; close the iterator to end early.

    Raises:
        ConfigurationError: the package is not installed.
    """
    try:
        from arro3 import core, io  # noqa: PLC0415  # an extra package
    except ImportError as error:
        message = (
            "Parquet needs the package of arro3.  Install it in Earmark's folder: pip install --editable '.[parquet]'."
        )
        raise ConfigurationError(message) from error
    table = _Table(core, columns)
    rows = map(row_of, results)

    def write(file: "_Pipe") -> None:
        reader = core.RecordBatchReader.from_batches(table.schema, table.batches(rows))
        io.write_parquet(reader, file, compression="zstd(3)", max_row_group_size=ROWS)  # type: ignore[arg-type]

    return _streamed(write)


class _Table:
    """Rows as Arrow's batches."""

    def __init__(self, core: Any, columns: Mapping[str, Kind]) -> None:
        self._core, self._columns = core, columns
        types = core.DataType
        self._words = types.list(core.Field("item", types.utf8(), nullable=True))
        self._types = {
            Kind.TEXT: types.utf8(),
            Kind.NUMBER: types.float64(),
            Kind.COUNT: types.int64(),
            Kind.FLAG: types.bool(),
            Kind.MOMENT: types.timestamp("us", tz="UTC"),
            Kind.WORDS: self._words,
        }
        self.schema = core.Schema(
            [core.Field(name, self._types[kind], nullable=True) for name, kind in columns.items()]
        )

    def batches(self, rows: Iterator[Mapping[str, Cell]]) -> Iterator[Any]:
        """A batch a group of rows; one without rows if there are none."""
        some = list(islice(rows, ROWS))
        while True:
            arrays = [self._array(kind, [row[name] for row in some]) for name, kind in self._columns.items()]
            yield self._core.RecordBatch.from_arrays(arrays, schema=self.schema)
            some = list(islice(rows, ROWS))
            if not some:
                return

    def _array(self, kind: Kind, values: list[Any]) -> Any:
        core, types = self._core, self._core.DataType
        if kind is Kind.WORDS:
            offsets = [0]
            for words in values:
                offsets.append(offsets[-1] + len(words))
            flat = core.Array([_sound(word) for words in values for word in words], types.utf8())
            return core.list_array(core.Array(offsets, types.int32()), flat, type=self._words)
        if kind is Kind.MOMENT:
            moments = [None if each is None else round(each.timestamp() * 1_000_000) for each in values]
            return core.Array(moments, types.int64()).cast(self._types[kind])
        if kind is Kind.TEXT:
            values = [None if each is None else _sound(each) for each in values]
        if kind is Kind.NUMBER:
            values = [None if each is None else float(each) for each in values]
        return core.Array(values, self._types[kind])


def _sound(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


class _Pipe:
    """The end of a pipe that is written to: as much of a file as a writer of Parquet needs."""

    def __init__(self) -> None:
        self.pieces: queue.Queue[bytes | None] = queue.Queue(_PIECES)
        self.ended = threading.Event()
        self._size = 0

    def write(self, piece: bytes) -> int:
        self.put(bytes(piece))
        self._size += len(piece)
        return len(piece)

    def put(self, piece: bytes | None) -> None:
        while not self.ended.is_set():
            with suppress(queue.Full):
                self.pieces.put(piece, timeout=_SOON_S)
                return
        message = "Nobody reads any more"
        raise BrokenPipeError(message)

    def flush(self) -> None:
        """Everything is on its way already."""

    def tell(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = 0) -> int:
        if (offset, whence) != (0, 1):  # a look at where it stands
            message = "A pipe does not go back"
            raise OSError(message)
        return self._size


def _streamed(write: Callable[[_Pipe], None]) -> Iterator[bytes]:
    """What a function writes on a thread of its own."""
    pipe, failed = _Pipe(), list[BaseException]()

    def run() -> None:
        try:
            write(pipe)
        except BaseException as error:  # noqa: BLE001  # raised again where it is read
            failed.append(error)
        with suppress(BrokenPipeError):
            pipe.put(None)

    thread = threading.Thread(target=run, name="parquet")
    thread.start()
    try:
        while (piece := pipe.pieces.get()) is not None:
            yield piece
    finally:
        pipe.ended.set()
        thread.join()
    if failed:
        error = failed[0]
        message = f"The results could not be written: {error}"
        raise error if isinstance(error, EarmarkError) else Unavailable(message)
