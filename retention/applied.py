"""``Applied``: what came of a plan; and how far a run is meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from pydantic import NonNegativeInt

from earmark.metadata import Frozen
from retention.candidates import Candidate
from retention.notifying import Notified


class Progress(NamedTuple):
    """How far a run is."""

    done: int
    """Deletions of the plan that have ended, whatever the outcome."""
    total: int
    outcomes: Mapping[str, int]


class Notify(Protocol):
    """Sends the notices of a plan: ``Notifying.notify``."""

    def __call__(
        self,
        candidates: Iterator[Candidate],
        *,
        plan: str,
        actor: str,
        stop: Callable[[], bool],
        beat: Callable[[], None],
    ) -> Notified:
        """See there."""
        ...


class Applied(Frozen):
    """What came of it."""

    plan: str
    executed: bool
    """False = nothing was changed; the outcomes are what would be."""
    outcomes: dict[str, int]
    """Deletions of the plan by ``Outcome``, those of earlier runs of it too."""
    deleted_bytes: NonNegativeInt
    notified: Notified
    notices_due: NonNegativeInt = 0
    """Without execution: objects of which customers would be told."""
    exceeded: tuple[str, ...] = ()
    """Limits that the plan is over, in words."""
    stopped: str = ""
    """Why it was stopped before its end; empty = it was not."""
    resumed: bool = False
    """Whether an earlier run of the plan had begun."""
    finished_before: bool = False
    """Whether an earlier run had carried it out, so that nothing was done now."""
