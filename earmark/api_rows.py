"""Rows about what customers ask for: entries of batches, and calls of webhooks."""

from earmark.row import Index, Row


class BatchEntryRow(Row):
    """One row per line of a batch's manifest, as it was routed; how its job ended is in ``jobs``."""

    table = "batch_entries"
    indexes = (
        Index("batch_entries_in_order", ("tenant", "batch", "entry")),
        Index("batch_entries_by_job", ("job_id",)),
    )
    batch: str
    """Id of the batch."""
    entry: int
    """Number of the line, from 1."""
    source: str
    """The line's address of the audio, as text that can be printed."""
    reference: str | None = None
    """The customer's own name of the entry."""
    job_id: str | None
    """``None`` = it became none."""
    routed: str
    """``queued``; ``known``: answered from the store; ``duplicate``: the same content as an earlier entry; or
    ``rejected``."""
    error_kind: str | None = None
    error: str | None = None
    """Why it was rejected, for a person."""
    remedy: str | None = None


class DeliveryRow(Row):
    """One row per call of a customer's webhook."""

    table = "deliveries"
    indexes = (Index("deliveries_of_endpoint", ("tenant", "endpoint", "row_id")),)
    endpoint: str
    """Id of the webhook."""
    event: str
    """Id of the event, the ``webhook-id`` of the call."""
    event_type: str
    """As ``analysis.completed``."""
    subject: str
    """Id of the job or batch it tells of."""
    attempt: int
    """Number of the call about this event, from 1."""
    status: int | None
    """HTTP status of the answer; ``None`` = there was none."""
    outcome: str
    """``delivered``, ``retrying``, ``given_up`` or ``disabled``."""
    detail: str
    """What went wrong, for a person; empty = nothing."""
    took_s: float
