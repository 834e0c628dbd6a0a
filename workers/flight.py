"""A flight: one leased job on its way through a worker, and the batches flights are grouped into."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from earmark.domain import Clip, Lease, Prediction, Record
from earmark.errors import NoAnswer, TransientError
from earmark.stage import Stage
from earmark.vocabulary import Lane
from workers.cascade import Reason
from workers.primary import Primary

SUSPECT_KINDS = frozenset({"worker_lost", "model_crashed", "timed_out"})
"""Failures that a job may have caused for others; after one it runs alone, so that it can take nobody along."""

URGENT_WAIT = timedelta(seconds=0.5)
"""How long a low batch that is ready lets a high job be decoded first: a clip is, and a long recording need not be."""


@dataclass(eq=False, slots=True)
class Flight:
    """What the worker knows of a job it holds."""

    lease: Lease
    leased_at: datetime
    clip: Clip | None = None
    """Set once decoded."""
    decode_s: float = 0.0
    error: Exception | None = None
    """What ended the decoding."""
    known: Record | None = None
    """The job's record, when an earlier delivery already wrote one."""
    primary: Prediction | TransientError | None = None
    """What the primary model came to."""
    instead: Reason | None = None
    """Why the fallback is asked instead of the primary, which has not heard the clip."""
    primary_only: bool = False
    """Whether the fallback could not help, so that the job waits for the primary."""
    unanswered: NoAnswer | None = None
    """What the fallback came to that heard it in this try and had no answer of use; ``None`` = it did not."""
    vain_usd: float = 0.0
    """Dollars that the fallback was paid in this try for nothing."""
    model: Primary | None = None
    """The primary that hears it."""
    diverted: bool = False
    """Whether that is another model than its arm's."""
    shunned: bool = False
    """Whether the model of its arm broke over its batch and is not to hear it again."""
    warm: bool = True
    """False where it was heard right after the model was loaded, or beside another model."""
    stages: list[Stage] = field(default_factory=list)
    """Those that ended."""

    @property
    def urgent(self) -> bool:
        """Whether it came from the high lane."""
        return self.lease.job.lane is Lane.HIGH

    @property
    def shadow(self) -> bool:
        """Whether it is heard for comparison only."""
        return self.lease.job.shadow_of is not None

    @property
    def suspect(self) -> bool:
        """Whether its last try may have killed a worker or a model."""
        return is_suspect(self.lease)

    @property
    def queued_s(self) -> float:
        """Seconds it waited before this worker took it."""
        return max(0.0, (self.leased_at - self.lease.job.enqueued_at).total_seconds())

    @property
    def hardware(self) -> str:
        """What it was heard on; empty where nobody heard it."""
        return self.model.model.hardware if self.model is not None else ""

    @property
    def audio_s(self) -> float:
        """Length in seconds, 0 before it is decoded."""
        return self.clip.duration_s if self.clip else 0.0


def is_suspect(lease: Lease) -> bool:
    """Whether the last try of the leased job may have killed a worker or a model."""
    return bool(lease.history) and lease.history[-1].kind in SUSPECT_KINDS


def one_suspect(leases: Sequence[Lease], *, free: bool, max_tries: int) -> tuple[list[Lease], list[Lease]]:
    """The leases to keep, with at most one suspect among them, and those to hand back.

    Should a suspect kill this worker too, it takes no other one along.  One whose tries are spent is not tried again.

    Args:
        leases: as they came.
        free: whether the worker has no suspect yet.
        max_tries: tries a job gets.
    """
    kept: list[Lease] = []
    returned: list[Lease] = []
    for lease in leases:
        if not is_suspect(lease) or lease.try_number > max_tries:
            kept.append(lease)
        elif free:
            free = False
            kept.append(lease)
        else:
            returned.append(lease)
    return kept, returned


def next_batch(
    ready: Sequence[Flight], *, decoding: Sequence[Flight], max_jobs: int, max_audio_s: float, now: datetime
) -> list[Flight]:
    """The flights the model should hear next; none while it pays to wait for more.

    High flights go at once and never wait for low ones.  Low flights wait for high ones that have just come and are
    being decoded, for at most ``URGENT_WAIT``, and for low ones that are being decoded until the batch is full.  A
    batch is of one lane and for one model, that of the flight that is ready longest; it is of similar length (shortest
    first, so padding is little), within ``max_jobs`` and within ``max_audio_s`` seconds of audio; one longer flight, or
    a suspect one, goes alone.
    """
    high = [flight for flight in ready if flight.urgent]
    lane = high or list(ready)
    if not lane:
        return []
    lane = [flight for flight in lane if flight.model is lane[0].model]
    if not high and any(flight.urgent and (now - flight.leased_at) < URGENT_WAIT for flight in decoding):
        return []
    more_coming = any(not flight.urgent for flight in decoding)
    if not high and more_coming and len(lane) < max_jobs and sum(flight.audio_s for flight in lane) < max_audio_s:
        return []
    suspects = [flight for flight in lane if flight.suspect]
    sound = sorted((flight for flight in lane if not flight.suspect), key=lambda flight: flight.audio_s)
    if not sound:
        return suspects[:1]
    batch, audio_s = sound[:1], sound[0].audio_s
    for flight in sound[1:max_jobs]:
        if audio_s + flight.audio_s > max_audio_s:
            break
        batch.append(flight)
        audio_s += flight.audio_s
    return batch
