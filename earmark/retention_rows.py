"""Rows about what we keep for customers and how it ends."""

from typing import Final

from pydantic import AwareDatetime

from earmark.row import Index, Row

LIVE_STATES: Final = "('active', 'noticed')"
"""In SQL, the states of an object that is there; of the index too, which serves a query that says it the same way."""


class CatalogueRow(Row):
    """One row per generation of an object that we keep for a customer; ``at`` is when this was found out.

    ``row_id`` is ``object_id(bucket, name, generation)``.  Nobody deletes by what stands here alone.
    """

    table = "catalogue"
    indexes = (
        Index(
            "catalogue_age", ("tenant", "object_class", "created_at", "size_bytes", "state"), f"state IN {LIVE_STATES}"
        ),
        Index("catalogue_name", ("bucket", "name", "generation", "state", "tenant")),
    )
    bucket: str
    name: str
    generation: int
    object_class: str
    """An ``ObjectClass``."""
    tier: str
    """Of the customer when it came; what counts is the tier now."""
    region: str | None
    size_bytes: int
    content_type: str
    content_sha256: str | None
    """Of an upload, where the router read it."""
    job_id: str | None
    """The analysis it belongs to, where there is one."""
    created_at: AwareDatetime
    """When it came to us; from then on it is kept."""
    state: str
    """An ``ObjectState``."""
    expires_at: AwareDatetime | None
    """By the policy and extensions when the row was written; ``None`` = not computed.  Plans compute it anew."""
    policy_version: int | None
    notice: str | None
    """Id of the notice that told of its end, ``tenant/2026-01-31``."""
    delete_after: AwareDatetime | None
    """The moment that notice speaks of."""
    packed: bool = False
    """Whether it is kept as FLAC and would be given back as it came."""


class DeletionRow(Row):
    """One row per object that a run of retention came to, whatever became of it; ``row_id`` is plan and object."""

    table = "deletions"
    plan: str
    object_id: str
    object_class: str
    outcome: str
    """``deleted``, ``missing``, or ``skipped_`` and why: hold, extended, changed, notice, policy, error."""
    reason: str
    """Why it was to go, as ``expired``."""
    policy_version: int
    size_bytes: int
    created_at: AwareDatetime
    expires_at: AwareDatetime
    notice: str | None
    notice_confirmed_at: AwareDatetime | None


class NoticeRow(Row):
    """One row per digest that told a customer what will be deleted."""

    table = "notices"
    state: str
    """``sent``, ``failed`` (to be tried again) or ``bounced``."""
    objects: int
    size_bytes: int
    first_delete_after: AwareDatetime | None
    confirmed_at: AwareDatetime | None
    channels: str
    """Those that took it, divided by commas: ``topic``, ``webhook``, ``email``."""
    detail: str


class InventoryRow(Row):
    """One row per bucket and comparison of the catalogue with what is there; ``tenant`` is empty."""

    table = "inventories"
    bucket: str
    objects: int
    size_bytes: int
    orphans: int
    """Objects without a row, and files that are no objects."""
    ghosts: int
    """Rows without an object."""
    overdue: int
    """Objects that should be gone and are there."""
    overdue_s: float
    """Seconds that the one longest overdue is so."""
    seconds: float
    nobodys: int = 0
    """Orphans that belong to no customer we know, so that nothing ever deletes them."""
