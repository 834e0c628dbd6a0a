"""``Observer``: hears what happens in a worker and decides nothing; metrics and traces are observers."""

import logging
from collections.abc import Callable

from earmark.domain import Failure, Lease, Record, Settlement
from earmark.log import event
from earmark.rows import JobRow
from earmark.vocabulary import Lane

_log = logging.getLogger(__name__)


class Observer:
    """What there is to hear; whoever derives from it hears only what it overrides.

    All but ``model_loaded`` and ``queue_answered``, which come from other threads too, are called by the worker's own
    loop: what takes long here keeps jobs waiting.  What is raised is logged and costs no job (see ``Observers``).
    """

    def settled(self, settlement: Settlement, record: Record, row: JobRow) -> None:
        """A job has ended, and its queue knows: its record, and its row in the warehouse.  Shadows are not told of."""

    def retried(self, lease: Lease, failure: Failure) -> None:
        """A try failed and the job is back in its queue.  Shadows are not told of."""

    def ended(self, lease: Lease) -> None:
        """A try has come to its end, whichever: also one of a shadow, or of a job whose lease was lost meanwhile."""

    def held(self, count: int) -> None:
        """So many jobs are held now; heard with every step of the worker, also of an idle one."""

    def batch_begun(self, lane: Lane, jobs: int, audio_s: float) -> None:
        """A model has begun with a batch of so many jobs and seconds of audio."""

    def model_loaded(self, model: str, seconds: float, pid: int) -> None:
        """The process of a model became ready, after so many seconds."""

    def queue_answered(self) -> None:
        """A queue has answered: gave leases or none, or extended some."""


class Observers(Observer):
    """Several observers as one; a fault of one of them reaches neither the others nor the worker."""

    def __init__(self, *observers: Observer) -> None:
        """Take those who hear, in the order in which they do."""
        self._observers = observers

    def settled(self, settlement: Settlement, record: Record, row: JobRow) -> None:
        """Tell all."""
        self._tell(lambda each: each.settled(settlement, record, row))

    def retried(self, lease: Lease, failure: Failure) -> None:
        """Tell all."""
        self._tell(lambda each: each.retried(lease, failure))

    def ended(self, lease: Lease) -> None:
        """Tell all."""
        self._tell(lambda each: each.ended(lease))

    def held(self, count: int) -> None:
        """Tell all."""
        self._tell(lambda each: each.held(count))

    def batch_begun(self, lane: Lane, jobs: int, audio_s: float) -> None:
        """Tell all."""
        self._tell(lambda each: each.batch_begun(lane, jobs, audio_s))

    def model_loaded(self, model: str, seconds: float, pid: int) -> None:
        """Tell all."""
        self._tell(lambda each: each.model_loaded(model, seconds, pid))

    def queue_answered(self) -> None:
        """Tell all."""
        self._tell(lambda each: each.queue_answered())

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for each in self._observers:
            try:
                tell(each)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with who watches is no fault of the job
                name = type(each).__name__
                event(
                    _log,
                    "observer.failed",
                    level=logging.ERROR,
                    observer=name,
                    error=f"{type(error).__name__}: {error}",
                )
