"""``WebhookEvent``: what a customer's server is told: thin, so that it asks the API for all else."""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, StringConstraints

from earmark.domain import Record, TenantName
from earmark.metadata import Frozen
from router.batches.batch import Batch

EventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{32}$")]


class EventType(StrEnum):
    """What can be told."""

    ANALYSIS_COMPLETED = "analysis.completed"
    ANALYSIS_FAILED = "analysis.failed"
    """Every try failed, or the audio cannot be analysed."""
    BATCH_COMPLETED = "batch.completed"
    """All jobs of a batch have ended."""
    TEST = "webhook.test"
    """Somebody asked for a call to see whether it arrives."""


CHOICES: Final = frozenset(EventType) - {EventType.TEST}
"""What an endpoint chooses from; a test goes to whom it is about."""


class WebhookEvent(Frozen):
    """One event; told again it has the same id and the same bytes."""

    id: EventId
    type: EventType
    tenant: TenantName
    at: AwareDatetime
    """When it happened."""
    subject: str
    """Id of what it is about: a job, a batch, or the endpoint that is tested."""
    data: dict[str, Any]
    """What is said of it; ids, states and links, no more."""

    @property
    def body(self) -> bytes:
        """What is posted."""
        told = {"type": self.type.value, "timestamp": self.at.isoformat(), "data": self.data}
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def analysis_event(record: Record, api_url: str) -> WebhookEvent:
    """That a job has ended.

    Args:
        record: how.
        api_url: where customers reach the API; empty = links begin with its path.
    """
    data: dict[str, Any] = {
        "id": record.job_id,
        "status": record.status,
        "batch": record.batch,
        "links": {"self": f"{api_url.rstrip('/')}/v1/analyses/{record.job_id}"},
    }
    if record.status != "done" and record.failures:
        data["error"] = {"kind": record.failures[-1].kind}
    kind = EventType.ANALYSIS_COMPLETED if record.status == "done" else EventType.ANALYSIS_FAILED
    moment = record.settled_at.isoformat()  # a job that failed may be done later, which is another event
    return _event(kind, record.tenant, record.job_id, record.settled_at, data, moment)


def batch_event(batch: Batch, api_url: str) -> WebhookEvent:
    """That a batch has ended.

    Args:
        batch: as it is then.
        api_url: as for ``analysis_event``.
    """
    itself = f"{api_url.rstrip('/')}/v1/batches/{batch.id}"
    data = {
        "id": batch.id,
        "name": batch.name,
        "status": batch.state.value,
        "entries": batch.entries,
        "links": {"self": itself, "results": f"{itself}/results"},
    }
    return _event(EventType.BATCH_COMPLETED, batch.tenant, batch.id, batch.ended_at or batch.made_at, data)


def trial_event(tenant: str, endpoint: str, at: datetime) -> WebhookEvent:
    """A call to see whether it arrives."""
    return _event(EventType.TEST, tenant, endpoint, at, {"id": endpoint}, at.isoformat())


def _event(
    kind: EventType, tenant: str, subject: str, at: datetime, data: dict[str, Any], which: str = ""
) -> WebhookEvent:
    """An event; ``which`` tells it from others of its kind about the same."""
    digest = hashlib.sha256(f"{kind}\0{tenant}\0{subject}\0{which}".encode()).hexdigest()[:32]
    return WebhookEvent(id=f"evt_{digest}", type=kind, tenant=tenant, at=at, subject=subject, data=data)
