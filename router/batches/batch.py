"""``Batch``: many entries that a customer sent at once, and how far they have come."""

import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, NonNegativeInt, StringConstraints

from earmark.domain import Sha256, TenantName
from earmark.metadata import Frozen
from router.batches.form import ManifestForm
from router.batches.manifest import Cursor

BATCH_ID: Final = re.compile(r"[0-9a-f]{32}")
MAX_NAME_CHARS: Final = 200
_RANDOM_BYTES: Final = 10
_LATEST_MS: Final = (1 << 48) - 1
"""Milliseconds since 1970 that fit into the first 12 digits of an id."""


class BatchState(StrEnum):
    """Where a batch stands."""

    ACCEPTING = "accepting"
    """What lies under its prefix is being listed."""
    FEEDING = "feeding"
    """Its entries are becoming jobs."""
    FED = "fed"
    """All have; some jobs have not ended."""
    ENDED = "ended"
    """Every entry has its result, or says why not."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """It could not be fed; ``error`` says why."""


OPEN: Final = frozenset({BatchState.ACCEPTING, BatchState.FEEDING, BatchState.FED})
"""States in which there is something to do."""


class Batch(Frozen):
    """One batch."""

    id: Annotated[str, StringConstraints(pattern=BATCH_ID.pattern)]
    """Sorts before those that were made earlier."""
    tenant: TenantName
    state: BatchState
    made_at: AwareDatetime
    made_by: str
    """A key, as ``key:ID``, or a person."""
    name: str | None = None
    """What the customer calls it."""
    prefix: str | None = None
    """The address under which everything is an entry, as it was written; ``None`` = there is a manifest."""
    form: ManifestForm | None = None
    """``None`` while its entries are being listed."""
    manifest_sha256: Sha256 | None = None
    """Of the manifest as it was sent; ``None`` = it was listed here."""
    manifest_bytes: NonNegativeInt = 0
    paths_on: str = ""
    """The machine whose files its paths are; empty = it may have none."""
    folder: str = ""
    """Where relative paths begin, on that machine."""

    cursor: Cursor = Cursor()
    """What was fed of the manifest."""
    queued: NonNegativeInt = 0
    known: NonNegativeInt = 0
    duplicate: NonNegativeInt = 0
    rejected: NonNegativeInt = 0
    feeder: str = ""
    """Who is feeding it; empty = nobody."""
    feeder_until: AwareDatetime | None = None
    """When another may take it over."""

    fed_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    """When it ended, was cancelled or failed."""
    rerouted: NonNegativeInt = 0
    """How often jobs that did not move were looked after."""
    rerouted_at: AwareDatetime | None = None
    error: str | None = None

    @property
    def entries(self) -> int:
        """Entries that were routed so far."""
        return self.queued + self.known + self.duplicate + self.rejected

    @property
    def fed_share(self) -> float:
        """Share of the manifest's bytes that was fed."""
        if self.fed_at is not None:
            return 1.0
        return min(1.0, self.cursor.byte / self.manifest_bytes) if self.manifest_bytes else 0.0


def new_batch_id(now: datetime) -> str:
    """An id that sorts before all earlier ones: what is left of time in milliseconds, then 80 random bits."""
    return f"{_LATEST_MS - int(now.timestamp() * 1000):012x}{secrets.token_hex(_RANDOM_BYTES)}"


def made_at_of(batch_id: str) -> datetime:
    """When a batch of that id was made, in UTC, cut off to milliseconds."""
    return datetime.fromtimestamp((_LATEST_MS - int(batch_id[: -2 * _RANDOM_BYTES], 16)) / 1000, UTC)
