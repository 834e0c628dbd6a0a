"""``BatchProgress``: how far a batch has come, how quickly it goes on, and how long that will take."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from earmark.ports import Clock, Warehouse
from router.batches.batch import OPEN, Batch, BatchState

RECENT: Final = timedelta(minutes=5)
"""Jobs that ended within it say how quickly a batch goes on."""
FRESH_S: Final = 0.5
SHARE: Final = 0.05
"""Of the time that may go into counting: who counts for a second does not count again for 20."""
KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Entries, each one of ``pending``, ``done``, ``failed``, ``rejected``, ``duplicate`` and ``cancelled``."""

    entries: int
    """That were routed so far."""
    pending: int
    """Whose jobs have not ended."""
    done: int
    """With an answer, those that were known before among them."""
    known: int
    """Answered from the store at once."""
    failed: int
    """Every try failed."""
    rejected: int
    """The line or the audio is at fault."""
    duplicate: int
    """With the same content as an earlier entry, whose result is theirs."""
    cancelled: int = 0
    """Whose jobs had not ended when the batch was cancelled, and have not since."""
    recent: int = 0
    """Jobs that ended within the last minutes."""
    rate_per_s: float = 0.0
    """Of these, jobs a second."""
    left_s: float | None = None
    """Seconds until all will have ended if it goes on so; ``None`` = nobody can tell."""
    latest: str = ""
    """When the last job ended, in ISO 8601; empty = none has."""

    @property
    def ended(self) -> int:
        """Entries with a result, or without hope of one."""
        return self.entries - self.pending - self.cancelled


class _Seen(NamedTuple):
    progress: BatchProgress
    stand: tuple[BatchState, int]
    """State and entries of the batch then."""
    until: float
    """While neither has changed."""
    rests_until: float
    """While more entries have come."""

    def good_until(self, stand: tuple[BatchState, int]) -> float:
        """When it is to be counted again."""
        if self.stand == stand:
            return self.until
        return self.rests_until if self.stand[0] is stand[0] else float("-inf")


class BatchCounting:
    """Counts, and remembers for some seconds; safe to use from several threads."""

    def __init__(
        self,
        warehouse: Warehouse,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        fresh_s: float = FRESH_S,
    ) -> None:
        """Take the warehouse, the present, and the seconds for which a count is good."""
        self._warehouse, self._clock, self._monotonic = warehouse, clock, monotonic
        self._lock = threading.Lock()
        self._fresh_s = fresh_s
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def count(self, batch: Batch, *, now: bool = False) -> BatchProgress:
        """How far a batch has come, as of some seconds ago, or ``now``.

        Raises:
            Unavailable: the warehouse cannot be reached.
        """
        began, stand = self._monotonic(), (batch.state, batch.entries)
        with self._lock:
            seen = self._seen.get(batch.id)
        if seen is not None and not now and began < seen.good_until(stand):
            return seen.progress
        progress = self._counted(batch)
        took_s = self._monotonic() - began
        with self._lock:
            rests_s = took_s / SHARE
            self._seen[batch.id] = _Seen(progress, stand, began + max(self._fresh_s, rests_s), began + rests_s)
            self._seen.move_to_end(batch.id)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return progress

    def _counted(self, batch: Batch) -> BatchProgress:
        now = self._clock()
        since = max(batch.made_at, now - RECENT)
        rows: list[dict[str, Any]] = self._warehouse.query(
            "batch_counts",
            {"tenant": batch.tenant, "batch": batch.id, "since": batch.made_at, "recent": since},
        )
        of: dict[str, int] = {}
        for row in rows:
            way = "duplicate" if row["routed"] == "duplicate" else row["standing"]
            of[way] = of.get(way, 0) + row["entries"]
        recent = sum(row["recent"] or 0 for row in rows)
        entries, pending, cancelled = sum(of.values()), of.get("pending", 0), 0
        if batch.state is BatchState.CANCELLED:
            pending, cancelled = 0, pending
        rate = recent / max((now - since).total_seconds(), 1.0)
        to_come = entries / batch.fed_share - entries if batch.fed_share else 0.0
        left_s = 0.0 if batch.state not in OPEN else (pending + to_come) / rate if rate else None
        return BatchProgress(
            entries=entries,
            pending=pending,
            done=of.get("done", 0),
            known=sum(row["entries"] for row in rows if row["routed"] == "known"),
            failed=of.get("failed", 0),
            rejected=of.get("rejected", 0),
            duplicate=of.get("duplicate", 0),
            cancelled=cancelled,
            recent=recent,
            rate_per_s=rate,
            left_s=left_s,
            latest=max((row["latest"] or "" for row in rows), default=""),
        )
