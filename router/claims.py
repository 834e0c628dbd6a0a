"""Claims: which router queues a job, where the queue itself cannot tell that it is there already."""

from typing import Protocol

from earmark.domain import Job


class Claims(Protocol):
    """At most one router queues a job, however many are told of it at the same moment."""

    def take(self, job: Job) -> bool:
        """Whether this router is to queue the job; False when it waits or runs already.

        Raises:
            Unavailable: another router is at it, or the claims cannot be reached; route it again in a moment.
        """
        ...

    def confirm(self, job: Job) -> None:
        """Note that the job is queued.  Until then the claim runs out by itself, should its router die."""
        ...


class NoClaims:
    """For a queue that does not add a job that is there."""

    def take(self, job: Job) -> bool:  # noqa: ARG002
        """Yes."""
        return True

    def confirm(self, job: Job) -> None:
        """Nothing to note."""
