"""``EntryRouting``: some entries of a batch become jobs, and rows that say what became of each."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected
from earmark.named_file import printable
from earmark.ports import Clock, Warehouse
from earmark.rows import BatchEntryRow
from router.batches.audio import BatchAudio, Opened
from router.batches.batch import Batch
from router.batches.entry import Entry
from router.batches.seen import SeenContents
from router.router import Known, Routed, Router
from router.tenant import Tenant

THREADS: Final = 8
"""Entries that are read and hashed at the same time."""
_SOURCE_CHARS: Final = 1000
_MESSAGE_CHARS: Final = 500
_ERASED: Final = "(erased)"
"""In place of the name of what was erased at its owner's request."""

Looked = tuple[Entry, Opened | InputRejected]
"""An entry and its audio, or why there is none."""


class EntryRouting:
    """Reads, routes and writes down entries; ``close`` ends its threads."""

    def __init__(
        self,
        *,
        audio: BatchAudio,
        router: Router,
        warehouse: Warehouse,
        clock: Clock,
        came: Callable[[Sequence[tuple[Opened, str]]], None] = lambda _: None,
        slices: int = 1,
    ) -> None:
        """Take the parts.

        ``came`` hears of audio in the upload bucket and the ids of its jobs, before these are queued; ``slices`` is in
        how many parts entries are routed side by side, where stores and queues are far away.
        """
        self._audio, self._router, self._warehouse, self._clock = audio, router, warehouse, clock
        self._came, self._slices = came, slices
        self._width = max(THREADS, slices)
        self._threads = ThreadPoolExecutor(self._width, "batch")

    @property
    def audio(self) -> BatchAudio:
        """What finds the audio."""
        return self._audio

    def look(self, batch: Batch, tenant: Tenant, entries: Iterable[Entry]) -> list[Looked]:
        """Read the audio of entries side by side, in their order.

        Raises:
            Unavailable: a store cannot be reached.
        """
        return list(self.looking(batch, tenant, entries))

    def looking(self, batch: Batch, tenant: Tenant, entries: Iterable[Entry]) -> Iterator[Looked]:
        """The same one after another; the next entry is taken when a thread is free, so that they can end early.

        Raises:
            Unavailable: a store cannot be reached.
        """

        def look(entry: Entry) -> Looked:
            try:
                return entry, self._audio.open(entry, batch, tenant)
            except InputRejected as rejection:
                return entry, rejection.with_traceback(None)  # its frames would hold what they looked at

        ahead: deque[Future[Looked]] = deque()
        try:
            for entry in entries:
                ahead.append(self._threads.submit(look, entry))
                if len(ahead) >= self._width:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for each in ahead:
                each.cancel()

    def route(self, batch: Batch, looked: Sequence[Looked], seen: SeenContents) -> dict[str, int]:
        """Queue jobs for what is new, and write a row an entry; doing it again changes nothing.

        Args:
            batch: whose entries they are.
            looked: entries with their audio.
            seen: what the batch has had; these are added.

        Returns:
            How many were ``queued``, ``known``, ``duplicate`` and ``rejected``.

        Raises:
            Unavailable: a queue, store or the warehouse cannot be reached; do it again.
        """
        at = self._clock()  # before anything is queued, so that no job ends before its entry was routed
        found = [(entry, opened) for entry, opened in looked if isinstance(opened, Opened)]
        jobs = {entry.number: self._router.identity(opened.upload) for entry, opened in found}
        seen.add((job, number) for number, job in jobs.items())
        first = seen.first(list(set(jobs.values())))
        fresh = [(entry, opened) for entry, opened in found if first[jobs[entry.number]] == entry.number]
        self._came([(opened, jobs[entry.number]) for entry, opened in fresh])
        routed = self._routed([opened.upload for _, opened in fresh])
        ways = {entry.number: _way(each) for (entry, _), each in zip(fresh, routed, strict=True)}
        rows = [
            _row(batch, entry, at=at, job=jobs[entry.number], routed=ways.get(entry.number, "duplicate"))
            if isinstance(opened, Opened)
            else _row(batch, entry, at=at, rejection=opened)
            for entry, opened in looked
        ]
        self._warehouse.append(rows)
        return {way: sum(row.routed == way for row in rows) for way in ("queued", "known", "duplicate", "rejected")}

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _routed(self, uploads: list[Upload]) -> list[Routed]:
        size = max(1, -(-len(uploads) // self._slices))
        parts = [uploads[start : start + size] for start in range(0, len(uploads), size)]
        if len(parts) < 2:  # noqa: PLR2004  # one needs no thread
            return [each for part in parts for each in self._router.route(part)]
        return [each for part in self._threads.map(self._router.route, parts) for each in part]


def _way(routed: Routed) -> str:
    return "known" if isinstance(routed, Known) else "queued"


def _row(
    batch: Batch,
    entry: Entry,
    *,
    at: object,
    job: str | None = None,
    routed: str = "rejected",
    rejection: InputRejected | None = None,
) -> BatchEntryRow:
    erased = rejection is not None and rejection.fault is InputFault.ERASED
    return BatchEntryRow.model_validate(
        {
            "row_id": row_id(batch.id, entry.number),
            "tenant": batch.tenant,
            "at": at,
            "batch": batch.id,
            "entry": entry.number,
            "source": _ERASED if erased else printable(entry.source[:_SOURCE_CHARS]),
            "reference": entry.reference and entry.reference.encode("utf-8", "replace").decode(),
            "job_id": job,
            "routed": routed,
            "error_kind": rejection.fault if rejection else None,
            "error": printable(rejection.message[:_MESSAGE_CHARS]) if rejection else None,
            "remedy": rejection.remedy if rejection else None,
        }
    )


def row_id(batch_id: str, entry: int) -> str:
    """Identity of the row of an entry."""
    return f"{batch_id}:{entry}"
