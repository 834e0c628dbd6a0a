"""``BatchFollowing``: sees batches through to their end, once all their entries were fed.

The end is saved first, which one of several followers does, then told as it was saved, and then the batch loses its
mark.  Whoever finds one that has ended and is marked tells of it again, in the same words.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Final

from earmark.errors import ConfigurationError, ObjectMissing, Unavailable
from earmark.log import event
from earmark.ports import Clock, Warehouse
from router.batches.batch import Batch, BatchState
from router.batches.batches import Batches, Found
from router.batches.entry import Entry
from router.batches.manifest import Cursor, entries_of
from router.batches.routing import EntryRouting
from router.batches.seen import SeenContents
from router.tenant import Tenant
from runtime.batches.progress import BatchCounting, BatchProgress

_log = logging.getLogger(__name__)
STUCK: Final = timedelta(minutes=10)
"""Without any job of a batch ending, after which those that wait are routed again; doubled each time it was no use."""
DOUBLINGS_MAX: Final = 8
SWEEP_EVERY: Final = timedelta(hours=1)
PAGE: Final = 500
"""Entries routed again in one step."""


class BatchFollowing:
    """Ends batches, and looks after jobs that vanished; not for several threads.

    A job can vanish: somebody cancelled the batch that queued it first, or a queue was lost.  Routing it again changes
    nothing where it still waits.
    """

    def __init__(
        self,
        *,
        batches: Batches,
        counting: BatchCounting,
        routing: EntryRouting,
        warehouse: Warehouse,
        find_tenant: Callable[[str], Tenant],
        clock: Clock,
        on_ended: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        """Take the parts; ``on_ended`` hears of each batch that ended, at least once, always of the same."""
        self._batches, self._counting, self._routing, self._warehouse = batches, counting, routing, warehouse
        self._find_tenant, self._clock, self._on_ended = find_tenant, clock, on_ended
        self._again: dict[str, Iterator[int]] = {}
        """Batches whose entries are being routed again."""
        self._swept_at: datetime | None = None

    def follow_once(self) -> int:
        """Look at every batch that was fed; returns how many ended, and entries that were routed again.

        Raises:
            Unavailable: the register cannot be reached.
        """
        if self._swept_at is None or self._clock() - self._swept_at > SWEEP_EVERY:
            self._batches.sweep()
            self._swept_at = self._clock()
        places = list(self._batches.open())
        self._again = {batch: pages for batch, pages in self._again.items() if any(batch == each for _, each in places)}
        return sum(self.follow(tenant, batch_id) for tenant, batch_id in places)

    def follow(self, tenant: str, batch_id: str) -> int:
        """The same for one batch; what is away now is asked again next time."""
        try:
            found = self._batches.find(tenant, batch_id)
            if found is not None and found.batch.state is BatchState.FED:
                return self._follow(found)
            if (
                found is not None
                and found.batch.state is BatchState.ENDED
                and self._batches.is_marked(tenant, batch_id)
            ):
                return self._tell(found.batch)
        except (Unavailable, ConfigurationError, ObjectMissing) as error:
            event(_log, "batch.not_followed", level=logging.WARNING, batch=batch_id, error=str(error))
        return 0

    def close(self) -> None:
        """End the threads."""
        self._routing.close()

    def _follow(self, found: Found) -> int:
        batch = found.batch
        progress = self._counting.count(batch)
        if not progress.pending:
            return self._end(found)
        if batch.id not in self._again and self._is_stuck(batch, progress):
            self._again[batch.id] = self._pages(batch)
        if batch.id not in self._again:
            return 0
        routed = next(self._again[batch.id], None)
        if routed is None:
            del self._again[batch.id]
            change = {"rerouted": batch.rerouted + 1, "rerouted_at": self._clock()}
            self._batches.save(found, batch.model_copy(update=change))
        return routed or 0

    def _end(self, found: Found) -> int:
        progress = self._counting.count(found.batch, now=True)
        if progress.pending:
            return 0
        ended = found.batch.model_copy(update={"state": BatchState.ENDED, "ended_at": self._clock()})
        if self._batches.save(found, ended, marked=True) is None:
            return 0
        event(_log, "batch.ended", batch=ended.id, tenant=ended.tenant, entries=progress.entries, done=progress.done,
              failed=progress.failed, rejected=progress.rejected, duplicate=progress.duplicate)  # fmt: skip
        return self._tell(ended)

    def _tell(self, ended: Batch) -> int:
        self._on_ended(ended)
        self._batches.close(ended.tenant, ended.id)
        return 1

    def _is_stuck(self, batch: Batch, progress: BatchProgress) -> bool:
        moved = [batch.fed_at, batch.rerouted_at, datetime.fromisoformat(progress.latest) if progress.latest else None]
        last = max((each for each in moved if each is not None), default=batch.made_at)
        patience: timedelta = STUCK * 2 ** min(batch.rerouted, DOUBLINGS_MAX)
        return self._clock() - last > patience

    def _pages(self, batch: Batch) -> Iterator[int]:
        """Route entries again whose jobs have not ended, a page at a time; gives how many each page had."""
        if batch.form is None or not self._routing.audio.serves(batch):
            return
        event(_log, "batch.stuck", level=logging.WARNING, batch=batch.id, tenant=batch.tenant)
        tenant = self._find_tenant(batch.tenant)
        lines = entries_of(self._batches.manifest(batch), batch.form)
        after = 0
        while True:
            asked = {"tenant": batch.tenant, "batch": batch.id, "since": batch.made_at, "only": "waiting"}
            rows: list[dict[str, Any]] = self._warehouse.query("batch_page", {**asked, "after": after, "most": PAGE})
            if not rows:
                return
            after = rows[-1]["entry"]
            entries = list(_these(lines, {row["entry"] for row in rows}))
            with closing(SeenContents()) as seen:
                self._routing.route(batch, self._routing.look(batch, tenant, entries), seen)
            yield len(entries)


def _these(lines: Iterator[tuple[Cursor, Entry | None]], numbers: set[int]) -> Iterator[Entry]:
    """The entries of these numbers, and no line read beyond the last of them."""
    last = max(numbers)
    for cursor, entry in lines:
        if entry is not None and entry.number in numbers:
            yield entry
        if cursor.line >= last:
            return
