"""``Backend``: the adapters of one way to run, and what else differs between one machine and Google Cloud."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from earmark.address import Address
from earmark.domain import Record, Upload
from earmark.kept_bucket import KeptBucket
from earmark.ports import ObjectInfo, ObjectStore, Queue, Warehouse
from earmark.vocabulary import Lane
from retention.catalogue import Catalogue
from router.claims import Claims, NoClaims
from router.fate import Fate


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


UPLOADS: Final = "uploads"
RESULTS: Final = "results"
TEMPORARY: Final = "temporary"
ARCHIVE: Final = "archive"
"""Short names of the buckets that the catalogue knows."""
BUCKETS: Final = (UPLOADS, RESULTS, TEMPORARY, ARCHIVE, "state", "audit", "notices")
"""Short names of all buckets of ours; on Google Cloud a topic stands for the last."""

Arrive = Callable[[str, str, int | None], object]
"""Takes bucket, name and generation of a new object; may raise ``Unavailable``, and then is called again."""


class Listener(Protocol):
    """Tells of new objects."""

    def __call__(self, stop: threading.Event, *, until_empty: bool = False) -> None:
        """Until ``stop`` is set or, if asked, until there is nothing new."""
        ...


class SignedUpload(NamedTuple):
    """An address where one object may be put, once and for a while."""

    url: str
    headers: Mapping[str, str]
    """That the request must have."""


SignUpload = Callable[[str, str, int, float], SignedUpload | None]
"""Takes the name of an object of the upload bucket, its content type, how many bytes it must have, and for how many
seconds the address holds; ``None`` = the API must take it itself."""


def nobody_signs(name: str, content_type: str, size_bytes: int, valid_s: float) -> SignedUpload | None:
    """The API takes it itself."""
    del name, content_type, size_bytes, valid_s
    return None


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
    catalogue: Catalogue
    temporary: ObjectStore
    """Audio that nobody wants back once its job has ended."""
    archive: ObjectStore
    """Audio that is kept for long and read seldom."""
    audit: ObjectStore
    """The links of the audit trail."""
    bucket: Callable[[str], ObjectStore]
    """Opens a bucket: by the short name that the catalogue has, or any other by its full name, where there is one."""
    kept: Mapping[str, KeptBucket]
    """Those that customers' audio comes into, by short name: ``uploads`` and ``temporary``."""
    uri_of: Callable[[str, ObjectInfo], str]
    """Where workers find an object of a bucket of ours."""
    object_of: Callable[[str], Address | None]
    """Bucket (its short name), name and generation, where it is known, of what lies at an upload's address; ``None`` =
    it is in no bucket of ours."""
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
    routed: Callable[[Upload, Lane, Fate], None] = lambda _upload, _lane, _fate: None
    """Hears of each upload that was routed: its lane, and what became of it."""
    watched: Mapping[str, Callable[[], QueueDepth]] = field(default_factory=dict)
    """The same as ``depths`` from whoever watches the queues, minutes late and with leased jobs among those that wait;
    of queues that cannot tell themselves."""
    mean_waiting_bytes: Callable[[Lane], float | None] = lambda _: None
    """Size of the audio of a waiting job, on average over some; ``None`` = none waits, or nobody can tell."""
    announce: Callable[[Sequence[Record]], None] = nobody_listens
    """Tells whoever listens that jobs ended."""
    publish_notice: Callable[[Mapping[str, Any]], None] = lambda _: None
    """Tells whoever listens what will be deleted of a customer: one CloudEvent, that may come twice."""
    chores: Sequence[Callable[[], object]] = ()
    """Bounded steps for a worker to take now and then."""
    upload_bucket: str = UPLOADS
    """Full name of the bucket ``uploads``, whose new objects ``listen`` tells of."""
    short_name: Callable[[str], str | None] = lambda name: name
    """What the catalogue calls a bucket; ``None`` = it is not ours, and nothing in it is catalogued."""
    listen: Callable[[Arrive], Listener] | None = None
    """Gives what runs until it is told to stop and calls back for each new object with bucket, name and generation."""
    sign_upload: SignUpload = nobody_signs
    """Where a customer puts a file without us in between."""
