"""``Backend``: the adapters of one way to run, and what else differs between one machine and Google Cloud."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from earmark.domain import Record, Upload
from earmark.ports import ObjectStore, Queue, Warehouse
from earmark.vocabulary import Lane
from router.claims import Claims, NoClaims


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How full a queue is at one moment; None = this queue cannot tell."""

    waiting: int | None
    """Jobs that could be leased now."""
    delayed: int | None
    """Jobs released to come again later."""
    leased: int
    oldest_age_s: float | None
    """Seconds for which the longest due of the waiting jobs has been due; 0 when none waits."""


Arrive = Callable[[str, str, int | None], object]
"""Takes bucket, name and generation of a new object; may raise ``Unavailable``, and then is called again."""


class Listener(Protocol):
    """Tells of new objects."""

    def __call__(self, stop: threading.Event, *, until_empty: bool = False) -> None:
        """Until ``stop`` is set or, if asked, until there is nothing new."""
        ...


def nobody_listens(_: Sequence[Record]) -> None:
    """Announce to nobody."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The adapters."""

    lanes: Mapping[Lane, Queue]
    dead: Queue
    depths: Mapping[str, Callable[[], QueueDepth]]
    """How full each queue is, by name; raises ``Unavailable`` where it cannot be reached."""
    results: ObjectStore
    state: ObjectStore
    """What has to be remembered of jobs outside of queues: letters, claims, tries."""
    warehouse: Warehouse
    scratch: Path
    """A folder for decoded audio."""
    results_place: str
    """Where a person finds the results."""
    fetch: Callable[[Upload], AbstractContextManager[Path]]
    """Gives the uploaded bytes as a local file for as long as the context lasts."""
    place: Callable[[Path, Upload], Upload] = lambda _, upload: upload
    """Puts a local file where every worker can fetch it, and says where that is."""
    claims: Claims = field(default_factory=NoClaims)
    """What keeps two routers from queueing the same job."""
    announce: Callable[[Sequence[Record]], None] = nobody_listens
    """Tells whoever listens that jobs ended."""
    chores: Sequence[Callable[[], object]] = ()
    """Bounded steps for a worker to take now and then."""
    upload_bucket: str = ""
    """The bucket whose new objects ``listen`` tells of; empty = there is none."""
    bucket: Callable[[str], ObjectStore] | None = None
    """Opens any bucket by name."""
    listen: Callable[[Arrive], Listener] | None = None
    """Gives what runs until it is told to stop and calls back for each new object with bucket, name and generation."""
