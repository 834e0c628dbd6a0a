"""``Handoff``: how an upload was routed, as a part of its trace."""

from dataclasses import dataclass
from datetime import datetime

from earmark.domain import Upload
from earmark.trace import TraceContext
from earmark.vocabulary import Lane
from router.fate import Fate


@dataclass(frozen=True, slots=True)
class Handoff:
    """One upload on its way through the router."""

    upload: Upload
    job_id: str
    lane: Lane | None
    """Where its job waits; ``None`` = there is none, for its content is known."""
    fate: Fate
    parent: TraceContext | None
    """What brought it, as a request to the API; ``None`` = its trace begins here."""
    here: TraceContext
    """Travels with the job, so that what becomes of it is of the same trace."""
    began_at: datetime
    ended_at: datetime
