"""The keeper: extends the leases a worker holds for as long as it works on them.

It is a thread of the worker process, and the worker process computes nothing: models and decoders run in
children, so no inference can starve it.  A stopped or dead worker stops extending, as it must.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from earmark.domain import Lease
from earmark.errors import EarmarkError
from earmark.log import event
from earmark.ports import Queue
from earmark.trace import trace_id_of
from earmark.vocabulary import Lane
from workers.lane_picker import by_lane

_log = logging.getLogger(__name__)


class Keeper:
    """Extends every held lease when a third of it is used, and remembers the lost ones."""

    def __init__(
        self, lanes: Mapping[Lane, Queue], *, lease_s: float, alive: Callable[[], None] = lambda: None
    ) -> None:
        """Take the queues the leases come from, how long a lease lasts, and who hears when a queue has answered."""
        self._lanes = lanes
        self._lease_s = lease_s
        self._alive = alive
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        """Start extending."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop extending; leases still held run out by themselves."""
        self._stop.set()
        self._thread.join()

    def hold(self, leases: list[Lease]) -> None:
        """Begin to extend leases."""
        with self._lock:
            self._held.update((lease.token, lease) for lease in leases)

    def let_go(self, lease: Lease) -> bool:
        """Stop extending a lease; False when it was lost in the meantime."""
        with self._lock:
            return self._held.pop(lease.token, None) is not None

    def holds(self, lease: Lease) -> bool:
        """Whether the lease is ours as far as is known."""
        with self._lock:
            return lease.token in self._held

    def extend_all(self) -> None:
        """Extend every held lease once; what the queue calls lost is let go."""
        with self._lock:
            held = list(self._held.values())
        for lane, leases in by_lane(self._lanes, held).items():
            if not leases:
                continue
            try:
                lost = self._lanes[lane].extend(leases, self._lease_s)
            except EarmarkError as error:
                event(_log, "lease.extend_failed", level=logging.WARNING, lane=lane, error=error.kind)
                continue
            self._alive()
            for lease in lost:
                # Between the copy above and here the worker may have settled the job itself: not lost then.
                if self.let_go(lease):
                    event(_log, "lease.lost", level=logging.WARNING, job_id=lease.job.id, try_number=lease.try_number,
                          trace_id=trace_id_of(lease.job.upload.trace))  # fmt: skip

    def _run(self) -> None:
        while not self._stop.wait(self._lease_s / 3 * random.uniform(0.8, 1.0)):  # noqa: S311  # jitter, no secret
            self.extend_all()
