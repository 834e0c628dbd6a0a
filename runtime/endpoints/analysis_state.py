"""``AnalysisState``: an analysis as customers see it, whatever has become of it so far."""

from enum import StrEnum
from typing import Any, Final

from pydantic import AwareDatetime, Field
from starlette.requests import Request

from earmark.domain import Analysis, JobId, Record
from earmark.metadata import Frozen
from runtime.api.awaited_jobs import AwaitedJob
from runtime.endpoints.customer_words import for_customer, remedy_for
from runtime.endpoints.parts import parts_of


class AnalysisStatus(StrEnum):
    """How far an analysis has come."""

    QUEUED = "queued"
    """It waits, or is being made."""
    DONE = "done"
    REJECTED = "rejected"
    """The audio is at fault; sending it again does not help."""
    FAILED = "failed"
    """Every try failed."""


class AnalysisError(Frozen):
    """Why there is no analysis."""

    kind: str = Field(description="A closed word, as `not_audio`.", examples=["damaged"])
    message: str = Field(description="For a person.", examples=["The audio cannot be decoded."])
    remedy: str = Field(description="What to do about it.", examples=["Export or send it again."])


class AnalysisLinks(Frozen):
    """Where there is more."""

    self: str = Field(examples=["https://api.example/v1/analyses/5f2b8c0de4a94a1b8d2c4e6f70819a3b"])
    events: str = Field(description="Server-sent events until it has ended.")
    export: str | None = Field(description="The analysis in other formats; `null` = there is none yet.")


EXAMPLE: Final[dict[str, Any]] = {
    "id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b",
    "status": "queued",
    "created_at": "2026-03-01T12:00:00Z",
    "settled_at": None,
    "analysis": None,
    "error": None,
    "links": {
        "self": "https://api.example/v1/analyses/5f2b8c0de4a94a1b8d2c4e6f70819a3b",
        "events": "https://api.example/v1/analyses/5f2b8c0de4a94a1b8d2c4e6f70819a3b/events",
        "export": None,
    },
}


class AnalysisState(Frozen):
    """One analysis."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": EXAMPLE}}
    id: JobId = Field(description="The same audio of the same customer has the same id.")
    status: AnalysisStatus = Field(description="`queued`, `done`, `rejected` (the audio is at fault) or `failed`.")
    created_at: AwareDatetime = Field(description="When the audio came.")
    settled_at: AwareDatetime | None = Field(description="When it ended; `null` = it has not.")
    analysis: Analysis | None = Field(description="What the audio is; only with `done`.")
    error: AnalysisError | None = Field(description="Why there is no analysis; only with `rejected` and `failed`.")
    links: AnalysisLinks


def state_of(record: Record, request: Request) -> AnalysisState:
    """One that has ended."""
    return AnalysisState(
        id=record.job_id,
        status=AnalysisStatus(record.status),
        created_at=record.received_at or record.enqueued_at,
        settled_at=record.settled_at,
        analysis=record.analysis,
        error=_error(record),
        links=links_of(record.job_id, request, done=record.status == "done"),
    )


def queued(asked: AwaitedJob, request: Request) -> AnalysisState:
    """One that has not."""
    return AnalysisState(
        id=asked.job_id,
        status=AnalysisStatus.QUEUED,
        created_at=asked.created_at,
        settled_at=None,
        analysis=None,
        error=None,
        links=links_of(asked.job_id, request, done=False),
    )


def links_of(job_id: str, request: Request, *, done: bool) -> AnalysisLinks:
    """Where there is more of an analysis."""
    own = f"{base_url(request)}/v1/analyses/{job_id}"
    return AnalysisLinks(self=own, events=f"{own}/events", export=f"{own}/export" if done else None)


def base_url(request: Request) -> str:
    """Where the API is reached, without a slash at the end."""
    return (parts_of(request).settings.api_url or str(request.base_url)).rstrip("/")


def error_of(kind: str, message: str, remedy: str, own: str = "") -> AnalysisError:
    """A fault, without addresses and paths of ours, and with a remedy for customers; ``own`` is what they wrote."""
    return AnalysisError(kind=kind, message=for_customer(message, own), remedy=remedy_for(kind, remedy))


def _error(record: Record) -> AnalysisError | None:
    if record.status == "done":
        return None
    if not record.failures:
        return error_of("unknown", "It was not said why.", "")
    failure = record.failures[-1]
    return error_of(failure.kind, failure.message, failure.remedy)
