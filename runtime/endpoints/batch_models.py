"""What the endpoints of batches take and answer."""

from datetime import datetime
from typing import Any, Final, Literal, Self

from fastapi import Request
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from earmark.domain import JobId
from earmark.metadata import Frozen
from router.addresses import MAX_ADDRESS_CHARS
from router.batches.batch import MAX_NAME_CHARS, OPEN, Batch, BatchState
from router.batches.entry import MAX_REFERENCE_CHARS
from runtime.batches.progress import BatchProgress
from runtime.batches.results import EntryResult
from runtime.batches.room import TOO_MUCH_AUDIO
from runtime.endpoints.analysis_state import AnalysisError, base_url

ENTRIES_MAX: Final = 10_000
"""In JSON; a manifest may have many more."""
_ID: Final = "5e1d5668115b561dcca6b5cc117d2f00"
_OWN: Final = f"https://api.example/v1/batches/{_ID}"


class BatchEntry(Frozen):
    """One entry, in JSON."""

    uri: str | None = Field(None, min_length=1, max_length=MAX_ADDRESS_CHARS, description="Address of the audio.")
    upload: str | None = Field(None, pattern="^[0-9A-Za-z_-]{1,64}$", description="Id of a direct upload.")
    id: str | None = Field(None, max_length=MAX_REFERENCE_CHARS, description="Your own name of it; comes back.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.uri is None) == (self.upload is None):
            message = "an entry has either uri or upload"
            raise ValueError(message)
        return self


class BatchRequest(Frozen):
    """A batch in JSON: everything under a prefix, or some entries."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"prefix": "uploads/acme/albums/", "name": "Back catalogue"}},
    )
    prefix: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ADDRESS_CHARS,
        description="`uploads/TENANT/…`, or `gs://BUCKET/…` below a source of yours: each object is an entry.",
    )
    entries: tuple[BatchEntry, ...] | None = Field(None, min_length=1, max_length=ENTRIES_MAX)
    name: str | None = Field(None, max_length=MAX_NAME_CHARS, description="What you call it.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.prefix is None) == (self.entries is None):
            message = "a batch has either prefix or entries"
            raise ValueError(message)
        return self


class BatchCounts(Frozen):
    """Entries; each is one of pending, done, failed, rejected, duplicate, cancelled."""

    entries: int = Field(description="That were taken so far.")
    pending: int = Field(description="Whose analyses have not ended.")
    done: int = Field(description="With an analysis, those that were known before among them.")
    known: int = Field(description="Answered at once, for the same audio was analysed before.")
    failed: int = Field(description="Every try failed.")
    rejected: int = Field(description="The line or the audio is at fault.")
    duplicate: int = Field(description="With the same audio as an earlier entry, whose result is theirs.")
    cancelled: int = Field(description="Not analysed when the batch was cancelled, nor since for somebody else.")


class BatchLinks(Frozen):
    """Where there is more."""

    self: str
    failures: str
    results: str


_EXAMPLE: Final[dict[str, Any]] = {
    "id": _ID,
    "name": "Back catalogue",
    "status": "feeding",
    "created_at": "2026-03-01T12:00:00Z",
    "ended_at": None,
    "fed_share": 0.52,
    "counts": {
        "entries": 52000,
        "pending": 41000,
        "done": 10500,
        "known": 300,
        "failed": 7,
        "rejected": 93,
        "duplicate": 400,
        "cancelled": 0,
    },
    "rate_per_s": 12.5,
    "left_s": 7121.0,
    "paused_until": None,
    "paused_why": None,
    "error": None,
    "links": {"self": _OWN, "failures": f"{_OWN}/failures", "results": f"{_OWN}/results"},
}
_PAGE_EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {name: _EXAMPLE[name] for name in ("id", "name", "status", "created_at", "ended_at")}
        | {"entries": 52000, "link": _OWN}
    ],
    "next_cursor": None,
}
_FAILURES_EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {
            "entry": 7,
            "id": "track-7",
            "source": "uploads/acme/albums/7.pdf",
            "status": "rejected",
            "analysis_id": None,
            "error": {
                "kind": "not_audio",
                "message": "The bytes are those of no audio format that is known.",
                "remedy": "Send WAV, FLAC, MP3, Ogg, M4A or another format that FFmpeg decodes.",
            },
        }
    ],
    "next_cursor": "7",
}
_STATUS: Final = (
    "`accepting` (what lies under its prefix is being listed), `feeding` (entries become jobs), `fed` (all have, some "
    "have not ended), `ended`, `cancelled`, or `failed` (`error` says why)."
)


class BatchStanding(Frozen):
    """How far a batch has come."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _EXAMPLE}}
    id: JobId
    name: str | None
    status: BatchState = Field(description=_STATUS)
    created_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="When it ended, was cancelled or failed; `null` = it has not.")
    fed_share: float = Field(description="Share of the manifest that was taken, of 1.")
    counts: BatchCounts
    rate_per_s: float = Field(description="Analyses of it that ended a second, over the last minutes.")
    left_s: float | None = Field(description="Seconds until it has ended if it goes on so; `null` = nobody can tell.")
    paused_until: AwareDatetime | None = Field(
        description="No entries are taken until then; `null` = nothing holds them up."
    )
    paused_why: Literal["too_much_audio"] | None = Field(
        description="`too_much_audio`: your seconds of audio of this day (UTC) are used up; only with `paused_until`."
    )
    error: str | None = Field(description="Why it could not be taken; only with `failed`.")
    links: BatchLinks


class BatchSummary(Frozen):
    """A batch in short."""

    id: JobId
    name: str | None
    status: BatchState = Field(description=_STATUS)
    created_at: AwareDatetime
    ended_at: AwareDatetime | None
    entries: int = Field(description="That were taken so far.")
    link: str = Field(description="Where there is more of it.")


class BatchPage(Frozen):
    """Some batches."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _PAGE_EXAMPLE}}
    items: tuple[BatchSummary, ...]
    next_cursor: str | None = Field(description="Ask with it as `cursor` for the next page; `null` = this is the last.")


class BatchFailure(Frozen):
    """An entry without an analysis."""

    entry: int = Field(description="Number of its line, from 1.")
    id: str | None = Field(description="Your own name of it.")
    source: str = Field(description="What the line names.")
    status: str = Field(description="`rejected` (the line or the audio is at fault) or `failed`.")
    analysis_id: JobId | None = Field(description="`null` = it became none.")
    error: AnalysisError


class BatchFailurePage(Frozen):
    """Some of a batch's failures, in the order of their entries."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _FAILURES_EXAMPLE}}
    items: tuple[BatchFailure, ...]
    next_cursor: str | None = Field(description="Ask with it as `cursor` for the next page; `null` = this is the last.")


def standing_of(
    batch: Batch, progress: BatchProgress, request: Request, paused_until: datetime | None
) -> BatchStanding:
    """How far a batch has come, for its customer; ``paused_until``: when it is fed again, if it is not at present."""
    known = progress.left_s is not None and batch.state in OPEN and paused_until is None
    own = f"{base_url(request)}/v1/batches/{batch.id}"
    return BatchStanding(
        id=batch.id,
        name=batch.name,
        status=batch.state,
        created_at=batch.made_at,
        ended_at=batch.ended_at,
        fed_share=round(batch.fed_share, 4),
        counts=BatchCounts.model_validate({name: getattr(progress, name) for name in BatchCounts.model_fields}),
        rate_per_s=round(progress.rate_per_s, 3),
        left_s=round(progress.left_s or 0.0, 1) if known else None,
        paused_until=paused_until,
        paused_why=None if paused_until is None else TOO_MUCH_AUDIO,
        error=batch.error,
        links=BatchLinks(self=own, failures=f"{own}/failures", results=f"{own}/results"),
    )


def summary_of(batch: Batch, request: Request) -> BatchSummary:
    """A batch in short, for its customer."""
    return BatchSummary(
        id=batch.id,
        name=batch.name,
        status=batch.state,
        created_at=batch.made_at,
        ended_at=batch.ended_at,
        entries=batch.entries,
        link=f"{base_url(request)}/v1/batches/{batch.id}",
    )


def failure_of(result: EntryResult) -> BatchFailure:
    """An entry without an analysis, for its customer."""
    kind, message, remedy = result.error or (result.status, "It was not said why.", "")
    return BatchFailure(
        entry=result.entry,
        id=result.id,
        source=result.source,
        status=result.status,
        analysis_id=result.job_id,
        error=AnalysisError(kind=kind, message=message, remedy=remedy),
    )
