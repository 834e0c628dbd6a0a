"""``BatchResults``: what became of each entry of a batch, in order, read ahead, with memory for some of them."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from earmark.domain import Record
from earmark.errors import Unavailable
from earmark.log import masked
from earmark.ports import ObjectStore, Warehouse
from router.batches.batch import Batch, BatchState
from workers.settle import read_record

PAGE: Final = 2000
"""Entries that one query gives."""
AHEAD: Final = 64
"""Records that are read while others are being sent."""
THREADS: Final = 4
_GONE: Final = ("deleted", "Its analysis was deleted.", "Send the audio again.")
_PENDING: Final = ("pending", "It has not been analysed yet.", "Ask again later.")
_CANCELLED: Final = ("cancelled", "The batch was cancelled before it was analysed.", "Send it in another batch.")

Told = Callable[[str, str, str, str], tuple[str, str, str]]
"""Turns kind, message and remedy of a fault, and what the customer wrote itself, into those that it is shown."""


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What became of one entry."""

    entry: int
    """Number of its line."""
    id: str | None
    """The customer's own name of it."""
    source: str
    """What the line names."""
    status: str
    """``done``, ``failed``, ``rejected``, ``pending``, ``cancelled`` or ``deleted``."""
    job_id: str | None
    duplicate: bool
    """Whether an earlier entry has the same content."""
    record: Record | None
    """``None`` = there is none to show."""
    error: tuple[str, str, str] | None
    """Kind, message and remedy; ``None`` = there is an analysis."""


class BatchResults:
    """Gives results; each iterator has threads of its own, which end with it."""

    def __init__(
        self,
        results: ObjectStore,
        warehouse: Warehouse,
        *,
        told: Told = lambda kind, message, remedy, _: (kind, message, remedy),
    ) -> None:
        """Take the stores; ``told`` says how faults are put to a customer."""
        self._results, self._warehouse, self._told = results, warehouse, told

    def page(self, batch: Batch, *, only: str = "", after: int = 0, most: int = PAGE) -> list[EntryResult]:
        """Some entries, behind one of them.

        Args:
            batch: as it is now.
            only: ``failed`` = what was rejected or failed; empty = all.
            after: number of the last one that was seen.
            most: entries.

        Raises:
            Unavailable: a store cannot be reached.
        """
        rows = self._rows(batch, only, after, most)
        with ThreadPoolExecutor(THREADS, "results") as threads:
            return list(threads.map(lambda row: self._result(batch, row), rows))

    def all(self, batch: Batch, stopping: Callable[[], bool] = lambda: False) -> Iterator[EntryResult]:
        """Every entry in order; close the iterator to end early.

        Raises:
            Unavailable: a store cannot be reached, or whoever serves is ``stopping``.
        """
        with ThreadPoolExecutor(THREADS, "results") as threads:
            ahead: deque[Future[EntryResult]] = deque()
            try:
                for row in self._every_row(batch, stopping):
                    ahead.append(threads.submit(self._result, batch, row))
                    if len(ahead) >= AHEAD:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _every_row(self, batch: Batch, stopping: Callable[[], bool]) -> Iterator[Mapping[str, Any]]:
        after = 0
        while True:
            if stopping():
                message = "The service ends"
                raise Unavailable(message)
            rows = self._rows(batch, "", after, PAGE)
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1]["entry"]

    def _rows(self, batch: Batch, only: str, after: int, most: int) -> list[dict[str, Any]]:
        asked = {"tenant": batch.tenant, "batch": batch.id, "since": batch.made_at}
        return self._warehouse.query("batch_page", {**asked, "only": only, "after": after, "most": most})

    def _result(self, batch: Batch, row: Mapping[str, Any]) -> EntryResult:
        record, error = None, None
        status = str(row["standing"])
        if row["routed"] == "rejected":
            error = self._told(row["error_kind"] or "rejected", row["error"] or "", row["remedy"] or "", row["source"])
        elif status == "pending":
            status, message, remedy = _CANCELLED if batch.state is BatchState.CANCELLED else _PENDING
            error = (status, message, remedy)
        else:
            record = read_record(self._results, batch.tenant, row["job_id"])
            if record is None:
                status, message, remedy = _GONE
                error = (status, message, remedy)
            else:
                status = record.status
                error = self._why(record)
        return EntryResult(
            entry=row["entry"],
            id=row["reference"],
            source=row["source"],
            status=status,
            job_id=row["job_id"],
            duplicate=row["routed"] == "duplicate",
            record=record,
            error=error,
        )

    def _why(self, record: Record) -> tuple[str, str, str] | None:
        if record.status == "done":
            return None
        if not record.failures:
            return self._told(record.status, "It was not said why.", "", "")
        last = record.failures[-1]
        return self._told(last.kind, masked(last.message), last.remedy, "")
