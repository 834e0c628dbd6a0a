"""``earmark analyze``: route inputs, work on them here, and give their results in input order."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from earmark.domain import Job, Record, Upload, record_name
from earmark.errors import InputRejected
from earmark.ports import ObjectStore
from router.intake import display
from router.router import Known, Router
from runtime.analyzing.inputs import Found
from runtime.analyzing.result import Result, of_record, of_rejection
from workers.settle import read_record

ROUTED_AT_ONCE = 32
"""Inputs routed in one durable write."""
PENDING_MAX = 1000
"""Inputs under way at once, so that memory stays flat however many there are."""
LOOK_S = 0.5
"""Seconds between looks at the store for jobs that another process settled."""


@dataclass(slots=True)
class Progress:
    """Counts so far; shown by the command line while it waits."""

    found: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Files and folders that are no input, by reason."""
    done: int = 0
    known: int = 0
    rejected: int = 0
    failed: int = 0
    walking: bool = True

    @property
    def ended(self) -> int:
        """Inputs that have a result."""
        return self.done + self.known + self.rejected + self.failed

    def count(self, result: Result) -> None:
        """Add a result."""
        if result.status == "rejected":
            self.rejected += 1
        elif result.status == "failed":
            self.failed += 1
        elif result.known:
            self.known += 1
        else:
            self.done += 1


@dataclass(slots=True)
class _Entry:
    source: str
    result: Result | None = None
    job: Job | None = None
    generation: int | None = None
    """Of the record there was before the job was queued; a settled job leaves another."""


class Analyzer:
    """Sees inputs through: every input gets exactly one result, also when another process does the work."""

    def __init__(
        self,
        *,
        router: Router,
        results: ObjectStore,
        upload: Callable[[Path], Upload],
        working: Callable[[], None],
    ) -> None:
        """Take the router, the results store and ``upload``, which reads a file.

        ``working`` is called now and then while waiting; it raises when the worker has ended in error.
        """
        self._router = router
        self._results = results
        self._upload = upload
        self._working = working
        self._settled: dict[str, Record] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self.progress = Progress()

    def settled(self, record: Record) -> None:
        """Hear of a job that this process settled; called from the worker's thread."""
        with self._lock:
            self._settled[record.job_id] = record
        self._news.set()

    def run(self, inputs: Iterable[Found]) -> Iterator[Result]:
        """Results in input order, each as soon as it and all before it are known."""
        entries: deque[_Entry] = deque()
        walk = iter(inputs)
        while self.progress.walking or entries:
            if self.progress.walking and len(entries) < PENDING_MAX:
                entries.extend(self._route(walk))
            else:
                self._news.wait(LOOK_S)
                self._working()
            self._news.clear()
            self._look(entries)
            while entries and (result := entries[0].result) is not None:
                entries.popleft()
                yield result

    def _route(self, walk: Iterator[Found]) -> list[_Entry]:
        """Turn the next inputs into entries and queue their jobs."""
        entries: list[_Entry] = []
        uploads: list[tuple[_Entry, Upload]] = []
        while len(entries) < ROUTED_AT_ONCE:
            found = next(walk, None)
            if found is None:
                self.progress.walking = False
                break
            if found.skipped:
                self.progress.skipped[found.skipped] += 1
                continue
            self.progress.found += 1
            entry = _Entry(display(found.path))
            entries.append(entry)
            try:
                uploads.append((entry, self._upload(found.path)))
            except InputRejected as rejection:
                self._end(entry, of_rejection(entry.source, rejection))
        for entry, upload in uploads:
            before = self._results.stat(record_name(upload.tenant, self._router.identity(upload)))
            entry.generation = before.generation if before else None
        for (entry, _), routed in zip(uploads, self._router.route([upload for _, upload in uploads]), strict=True):
            if isinstance(routed, Known):
                self._end(entry, of_record(entry.source, routed.record, known=True))
            else:
                entry.job = routed.job
        return entries

    def _look(self, entries: deque[_Entry]) -> None:
        """Match entries with records: those this process settled, and those found in the store."""
        with self._lock:
            settled, self._settled = self._settled, {}
        for entry in entries:
            if entry.result is not None or entry.job is None:
                continue
            record = settled.get(entry.job.id)
            if record is None:
                info = self._results.stat(record_name(entry.job.upload.tenant, entry.job.id))
                if info is None or info.generation == entry.generation:
                    continue
                record = read_record(self._results, entry.job.upload.tenant, entry.job.id)
            if record is not None:
                self._end(entry, of_record(entry.source, record, known=False))

    def _end(self, entry: _Entry, result: Result) -> None:
        entry.result = result
        self.progress.count(result)
