"""``HandBack``: leases given back without spending a try, also while the queue cannot take them."""

import logging
import time
from collections.abc import Callable, Mapping

from earmark.domain import Lease
from earmark.errors import Unavailable
from earmark.log import event
from earmark.ports import Queue
from earmark.trace import trace_id_of
from earmark.vocabulary import Lane
from workers.keeper import Keeper
from workers.outage import Outage

_log = logging.getLogger(__name__)


class HandBack:
    """Gives leases back; those a queue could not take stay ours until it can.

    A lease that only ran out would count as the try of a worker that died.
    """

    def __init__(
        self, lanes: Mapping[Lane, Queue], keeper: Keeper, queue: Outage, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the queues, who keeps the leases, whether the queues can be reached, and seconds on a steady clock."""
        self._lanes = lanes
        self._keeper = keeper
        self._queue = queue
        self._now = now
        self._waiting: list[tuple[Lease, float]] = []
        self._last_due = 0.0

    @property
    def waiting(self) -> bool:
        """Whether a lease could not be given back yet."""
        return bool(self._waiting)

    @property
    def due_later(self) -> bool:
        """Whether a job given back may not be offered again yet."""
        return self.waiting or self._now() < self._last_due

    def expect(self, after_s: float) -> None:
        """Note that a job comes back in so many seconds."""
        self._last_due = max(self._last_due, self._now() + after_s)

    def release(self, lease: Lease, after_s: float = 0.0) -> None:
        """Give a lease back, its job to be offered again after ``after_s`` seconds."""
        self.expect(after_s)
        self._waiting.append((lease, self._now() + after_s))
        self.try_again()

    def try_again(self) -> None:
        """Give back what could not be, unless it is too early to ask."""
        waiting, self._waiting = self._waiting, []
        for position, (lease, due) in enumerate(waiting):
            if self._queue.resting or not self._released(lease, due):
                self._waiting += waiting[position:]
                self._keeper.hold([lease for lease, _ in self._waiting])
                return

    def give_up(self) -> None:
        """Try once more and leave the rest to run out: the worker ends."""
        for lease, due in self._waiting:
            if not self._released(lease, due):
                trace_id = trace_id_of(lease.job.upload.trace)
                event(_log, "job.release_failed", level=logging.WARNING, job_id=lease.job.id, trace_id=trace_id)
        self._waiting = []

    def _released(self, lease: Lease, due: float) -> bool:
        try:
            self._lanes[lease.job.lane].release(lease, after_s=max(0.0, due - self._now()))
        except Unavailable as error:
            self._queue.failed(error)
            return False
        self._keeper.let_go(lease)
        return True
