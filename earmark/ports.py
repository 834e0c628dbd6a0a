"""The ports.  The sentences of each docstring are the contract; each has a test in ``tests/contracts/``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from earmark.domain import Clip, Failure, Job, Lease, Prediction
from earmark.rows import Row

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime."""


class Queue(Protocol):
    """Jobs waiting for a worker.  High, low and dead are three queues.

    Nothing put is lost when any process dies.  All methods raise ``Unavailable`` when the queue cannot be
    reached, and are safe to call from several threads and processes.
    """

    def put(self, jobs: Sequence[Job]) -> int:
        """Add jobs durably, all or none; a job whose id is waiting or leased here already is not added again.

        Returns how many were added.
        """
        ...

    def lease(self, limit: int, lease_s: float) -> list[Lease]:
        """Take up to ``limit`` jobs for ``lease_s`` seconds, longest due first; never waits.

        A leased job is given to nobody else until its lease expires.  Each lease counts one try.  A job
        whose lease expired comes back with the next try number and a ``worker_lost`` failure in its
        history.  A job that is delayed is not given before its time.
        """
        ...

    def extend(self, leases: Sequence[Lease], lease_s: float) -> list[Lease]:
        """Let leases expire ``lease_s`` seconds from now; returns the lost ones, which are not extended."""
        ...

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove finished jobs durably; returns the lost leases, whose jobs stay."""
        ...

    def release(self, lease: Lease, *, after_s: float = 0.0, failure: Failure | None = None) -> bool:
        """Give a job back, to be leased again after ``after_s`` seconds; False when the lease was lost.

        With a failure the try stays spent and the failure joins the history; without one (a drain) the
        try is given back.
        """
        ...

    def bury(self, lease: Lease, failure: Failure) -> bool:
        """Move a job with its whole history to the dead queue, at once and once; False when the lease was lost.

        On the dead queue a job waits with its history and can be leased and acknowledged like any other.
        """
        ...


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows about an object."""

    name: str
    generation: int
    """Changes with every write and never comes back."""
    size_bytes: int
    created_at: datetime
    content_type: str
    held: bool = False
    """Whether ``protect`` keeps it from being deleted or overwritten."""


class ObjectStore(Protocol):
    """Named bytes in one bucket.

    A name is 1 to 1024 bytes of UTF-8 in segments divided by ``/``; none is empty, ``.`` or ``..``, and none
    holds a control character; others raise ``InvalidName``.  All methods raise ``Unavailable`` when the
    store cannot be reached.
    """

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """The bytes in chunks, all of one generation even while it is overwritten.

        Raises ``ObjectMissing`` at once where there is no such object or it has another generation.
        """
        ...

    def write(
        self, name: str, content: bytes | BinaryIO, *, content_type: str, if_generation: int | None = None
    ) -> ObjectInfo:
        """Store bytes durably, all or none; a reader sees the old or the new, never a mixture.

        ``if_generation`` 0 demands that no such object exists, another number that this is its present
        generation; otherwise raises ``PreconditionFailed`` and changes nothing.  Of several writers with
        the same precondition at most one succeeds.
        """
        ...

    def stat(self, name: str) -> ObjectInfo | None:
        """What is known about an object, or None where there is none."""
        ...

    def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose name starts with ``prefix`` and sorts after ``start_after``, in order of their UTF-8 bytes."""
        ...

    def delete(self, name: str, *, if_generation: int) -> bool:
        """Remove that generation; False where there is no such object.

        Raises ``PreconditionFailed`` when the object has another generation, and leaves it.
        """
        ...

    def protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        """Change what becomes of that generation without changing it; False where there is no such object.

        While ``held``, a delete or an overwrite raises ``ObjectHeld`` and changes nothing.  ``not_needed_after`` tells
        a store that cleans up by itself when nobody can need the object any more; it only ever moves later.  ``None``
        leaves either as it is.  Raises ``PreconditionFailed`` when the object has another generation.
        """
        ...


class Warehouse(Protocol):
    """Rows for analysts.  All methods raise ``Unavailable`` when the warehouse cannot be reached."""

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows durably; a row appended again counts once for every reader, the latest version winning."""
        ...

    def query(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Run one of the named queries in ``earmark/queries`` and return its rows.

        Raises ``ConfigurationError`` for a name or parameter that does not exist.
        """
        ...

    def purge(
        self,
        table: str,
        *,
        before: datetime,
        tenant: str | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> int:
        """Remove the rows of a table older than ``before`` (of one tenant, if named); returns how many.

        With ``only``, those whose column has one of the values.
        """
        ...


class Model(Protocol):
    """Something that listens."""

    name: str
    version: str

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """One answer per clip, in order; None = no answer for that clip.

        Batched answers equal single ones.  Raises ``ModelUnavailable`` only for the whole batch.
        """
        ...
