"""``Backend``: the adapters of one way to run, and what else differs between one machine and Google Cloud."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from earmark.domain import Record, Upload
from earmark.ports import ObjectStore, Queue, Warehouse
from earmark.vocabulary import Lane
from router.claims import Claims, NoClaims


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How full a queue is at one moment."""

    waiting: int
    """Jobs that could be leased now."""
    delayed: int
    """Jobs released to come again later."""
    leased: int
    oldest_age_s: float
    """Seconds for which the longest due of the waiting jobs has been due; 0 when none waits."""


def nobody_listens(_: Sequence[Record]) -> None:
    """Announce to nobody."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The adapters."""

    lanes: Mapping[Lane, Queue]
    dead: Queue
    depths: Mapping[str, Callable[[], QueueDepth]]
    """How full each queue is, by name; empty where that cannot be known from here."""
    results: ObjectStore
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
