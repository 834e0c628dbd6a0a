"""The warehouse's tables, each derived from one row type.

A row's ``row_id`` makes appending idempotent; its ``at`` decides which version is the latest.
"""

from typing import ClassVar

from pydantic import AwareDatetime

from earmark.domain import Failure, Record
from earmark.metadata import Frozen, Rated


class Row(Frozen):
    """One row of a table."""

    table: ClassVar[str]
    row_id: str
    tenant: str
    at: AwareDatetime


class JobRow(Row):
    """One row per job, however it ended."""

    table = "jobs"
    status: str
    lane: str
    tier: str
    origin: str
    arm: str
    model: str
    pipeline: str
    region: str | None
    tries: int
    error_kind: str | None
    content_type: str | None
    confidence: float | None
    tempo_bpm: float | None
    key: str | None
    language: str | None
    vocals: str | None
    review: bool
    audio_s: float
    covered_s: float
    size_bytes: int
    queued_s: float
    decode_s: float
    predict_s: float
    total_s: float
    cost_usd: float
    """All of it, the fallback's part too."""
    fallback_model: str | None = None
    """The fallback that was asked; ``None`` = none was."""
    fallback_fields: int | None = None
    """Fields that it answered better."""
    fallback_usd: float | None = None
    warm: bool


class LabelRow(Row):
    """One row per entry of a list field (genres, moods, instruments, tags), so that dashboards can group."""

    table = "labels"
    job_id: str
    field: str
    value: str
    confidence: float | None
    score: float | None


class FailureRow(Row):
    """One row per try that failed."""

    table = "failures"
    job_id: str
    try_number: int
    stage: str
    kind: str
    message: str
    fingerprint: str
    model: str
    model_version: str
    worker: str
    final: bool


class AuditRow(Row):
    """One row per thing that somebody did: who, when, to what and why."""

    table = "audit"
    actor: str
    action: str
    """As ``dlq.discard``."""
    subject: str
    """Id of what it was done to."""
    reason: str
    detail: str


class ReviewRow(Row):
    """One row per answer that a person judged; of several judgements of an answer the last one counts."""

    table = "reviews"
    job_id: str
    field: str
    value: str
    """The answer, its beginning where it is long."""
    right: bool
    truth: str | None
    """What is right, where the reviewer said so."""
    reviewer: str
    score: float | None
    confidence: float | None
    model: str
    """That gave this answer: the primary, or the fallback."""
    model_version: str
    engine: str
    prompt_version: str


TABLES: dict[str, type[Row]] = {row.table: row for row in (JobRow, LabelRow, FailureRow, AuditRow, ReviewRow)}


def label_rows(record: Record) -> list[Row]:
    """The entries of a record's list fields."""
    if record.analysis is None:
        return []
    metadata = record.analysis.metadata
    fields: dict[str, tuple[Rated[str], ...]] = {
        "genres": metadata.genres,  # type: ignore[dict-item]  # an enum member is its string
        "moods": metadata.moods,  # type: ignore[dict-item]
        "instruments": metadata.instruments,  # type: ignore[dict-item]
        "tags": metadata.tags,
    }
    return [
        LabelRow(
            row_id=f"{record.job_id}:{field}:{entry.value}",
            tenant=record.tenant,
            at=record.settled_at,
            job_id=record.job_id,
            field=field,
            value=str(entry.value),
            confidence=entry.confidence,
            score=entry.score,
        )
        for field, entries in fields.items()
        for entry in entries
    ]


def failure_row(job_id: str, tenant: str, failure: Failure, *, final: bool) -> FailureRow:
    """A failed try as a row."""
    return FailureRow(
        row_id=f"{job_id}:{failure.at.isoformat()}:{failure.try_number}",
        tenant=tenant,
        at=failure.at,
        job_id=job_id,
        try_number=failure.try_number,
        stage=failure.stage,
        kind=failure.kind,
        message=failure.message,
        fingerprint=failure.fingerprint,
        model=failure.model,
        model_version=failure.model_version,
        worker=failure.worker,
        final=final,
    )
