"""``DeadLetter``: one job that came to no answer, with all its lives and all that was done about it.

::

                                  ┌──── a record is there ────► resolved
      (buried) ──► open ──claim──► replayed ──buried again──► open, or quarantined after the last replay allowed
                    │ ▲              │
                    │ └─interrupted──┘          discarded, resolved ──buried anew──► open
                    └──discard──► discarded
"""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, ConfigDict

from earmark.domain import Failure, Job
from earmark.metadata import Frozen

NO_FINGERPRINT = "none"
"""Group of the letters whose history could not be read."""


class State(StrEnum):
    """What is to be done about a letter."""

    OPEN = "open"
    """Somebody should look."""
    REPLAYED = "replayed"
    """It was put in its lane again, and its end is awaited."""
    RESOLVED = "resolved"
    """It has its answer."""
    DISCARDED = "discarded"
    """Somebody decided, for a reason, that nothing is to be done."""
    QUARANTINED = "quarantined"
    """It failed again after so many replays that it is not replayed along with others."""


UNSETTLED = frozenset({State.OPEN, State.REPLAYED, State.QUARANTINED})
"""What a list shows unless asked for more."""
WAITING = frozenset({State.OPEN, State.QUARANTINED})
"""What waits for a person."""


class _Kept(Frozen):
    """A stored value; fields that a later version added are passed over."""

    model_config = ConfigDict(extra="ignore")


class Life(_Kept):
    """From being put in a lane to being buried."""

    enqueued_at: AwareDatetime
    """Tells the lives of a job apart: each time it is put it bears another."""
    buried_at: AwareDatetime
    failures: tuple[Failure, ...]
    """Its tries, oldest first."""


class Replay(_Kept):
    """One more life that somebody asked for."""

    at: AwareDatetime
    by: str
    model: str | None = None
    """The model it was to run on; ``None`` = whatever the workers run."""
    enqueued_at: AwareDatetime
    """Of the job as it was put."""
    was: State
    """What it goes back to should it be interrupted."""
    until: AwareDatetime | None
    """Until when whoever claimed it has to see it through; ``None`` = it is in its lane."""
    outcome: Literal["pending", "done", "failed", "interrupted"] = "pending"
    ended_at: AwareDatetime | None = None


class Act(_Kept):
    """Something that was done to a letter, for the audit log."""

    at: AwareDatetime
    actor: str
    action: Literal["dlq.replay", "dlq.discard", "dlq.quarantine", "dlq.expire"]
    reason: str = ""
    detail: str = ""


class DeadLetter(_Kept):
    """All there is to know about a job that came to no answer."""

    state: State
    """First, so that counting by state need not read on."""
    job: Job
    """As it was last put."""
    lives: tuple[Life, ...]
    """By the time they were put, oldest first."""
    replays: tuple[Replay, ...] = ()
    acts: tuple[Act, ...] = ()
    reason: str = ""
    """Why it was discarded or quarantined."""
    first_buried_at: AwareDatetime
    last_buried_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    expires_at: AwareDatetime
    """From then on it is gone."""

    @property
    def id(self) -> str:
        """The id of its job."""
        return self.job.id

    @property
    def tenant(self) -> str:
        """Whose job it is."""
        return self.job.upload.tenant

    @property
    def failure(self) -> Failure | None:
        """The last failure of the last life that has any."""
        return next((life.failures[-1] for life in reversed(self.lives) if life.failures), None)

    @property
    def fingerprint(self) -> str:
        """The group it belongs to."""
        return self.failure.fingerprint if self.failure else NO_FINGERPRINT

    @property
    def kind(self) -> str:
        """Class of the last failure; empty where that is not known."""
        return self.failure.kind if self.failure else ""

    @property
    def model(self) -> str:
        """Model of the last failure; empty where none was at work."""
        return self.failure.model if self.failure else ""

    @property
    def pending(self) -> Replay | None:
        """The replay whose end is awaited."""
        last = self.replays[-1] if self.replays else None
        return last if last is not None and last.outcome == "pending" else None

    @property
    def failed_replays(self) -> int:
        """Replays that failed since the job last had an answer."""
        failed = 0
        for replay in self.replays:
            failed = 0 if replay.outcome == "done" else failed + (replay.outcome == "failed")
        return failed
