"""The warehouse's tables, each derived from one row type.

A row's ``row_id`` makes appending idempotent; its ``at`` decides which version is the latest.
"""

from pydantic import ConfigDict

from earmark.api_rows import BatchEntryRow, DeliveryRow
from earmark.domain import Failure, Record
from earmark.metadata import Rated
from earmark.retention_rows import CatalogueRow, DeletionRow, InventoryRow, NoticeRow
from earmark.row import Row

__all__ = [
    "TABLES",
    "AgreementRow",
    "AssignmentRow",
    "AuditRow",
    "BatchEntryRow",
    "CatalogueRow",
    "DeletionRow",
    "DeliveryRow",
    "ExperimentRow",
    "FailureRow",
    "InventoryRow",
    "JobRow",
    "LabelRow",
    "NoticeRow",
    "PairRow",
    "ReviewRow",
    "Row",
    "TrialRow",
    "failure_row",
    "label_rows",
]


class JobRow(Row):
    """One row per job, however it ended."""

    table = "jobs"
    status: str
    lane: str
    tier: str
    origin: str
    arm: str
    experiment: str | None = None
    """The experiment the arm is of; ``None`` = none."""
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
    machine_usd: float | None = None
    """The primary's time at the price of its machine, a part of ``cost_usd``."""
    hardware: str | None = None
    """What the primary ran on, or the worker that asked a provider; ``None`` = the primary did not answer."""
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
    """One row per thing that somebody did: who, when, to what and why; ``earmark.audit`` has the chain behind them."""

    table = "audit"
    actor: str
    action: str
    """As ``dlq.discard``."""
    subject: str
    """Id of what it was done to: an id, never the name of a customer's file."""
    reason: str
    detail: str
    before: str = ""
    """State before, in short; empty where there was none."""
    after: str = ""
    policy_version: int | None = None
    """Of the retention policy in force; ``None`` = it has nothing to do with it."""
    link: int | None = None
    """Number of the link of the chain that holds it."""
    link_hash: str | None = None


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


class ExperimentRow(Row):
    """One row per change of an experiment's state; ``tenant`` is empty, for it is about all of them."""

    table = "ab_experiments"
    experiment: str
    version: int
    state: str
    coverage: float
    actor: str
    reason: str
    definition: str
    """The experiment as JSON."""
    evidence: str
    """What spoke for the change, as JSON; empty where a person decided."""


class AssignmentRow(Row):
    """One row per job that an experiment covered, written when it was routed."""

    table = "ab_assignments"
    experiment: str
    version: int
    arm: str
    unit: str
    share: float
    coverage: float
    shadow: bool
    job_id: str
    tier: str


class TrialRow(Row):
    """One row per job of an experiment, however it ended: success, failure or dead letter.

    Its numbers are finite: one that is not would spoil the sums of all others.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    table = "ab_trials"
    experiment: str
    version: int
    arm: str
    unit: str
    share: float
    """Of the arm among covered units when the job was routed."""
    job_id: str
    shadow: bool
    """Whether only the comparison heard it, and no customer."""
    diverted: bool
    """Whether another model than the arm's answered, as after a rollback; such rows are compared nowhere."""
    status: str
    """``done``, ``failed`` (every try failed) or ``rejected`` (the input is at fault, whatever the arm)."""
    error_kind: str | None
    tries: int
    lane: str
    tier: str
    origin: str
    content_type: str | None
    language: str | None
    model: str
    model_version: str
    engine: str
    hardware: str
    warm: bool
    """False for the first batch after the model was loaded; such rows are left out of times, in both arms."""
    audio_s: float
    queued_s: float
    predict_s: float | None
    """Inference of the primary model alone, this job's share of its batch; ``None`` = it gave no answer."""
    total_s: float
    over_sla: bool
    raw_confidence: float | None
    """Of the arm's model, before calibration."""
    confidence: float | None
    """Of the arm's model, calibrated, before the fallback was asked."""
    low_confidence: bool
    """Whether that is below the threshold, or there is none."""
    fallback: bool
    """Whether the fallback was asked."""
    fallback_fields: int
    """Fields that it answered better."""
    review: bool
    cost_usd: float
    """All of it, the fallback's part too."""


class PairRow(Row):
    """One row per upload that two models heard: the customer's answer and the shadow's."""

    table = "ab_pairs"
    experiment: str
    version: int
    arm: str
    """The arm whose model listened in the shadow."""
    job_id: str
    """Of the customer's answer."""
    error_kind: str | None
    """Why the shadow has no answer."""
    audio_s: float
    primary_predict_s: float | None
    shadow_predict_s: float | None
    primary_confidence: float | None
    """Calibrated, before the fallback."""
    shadow_confidence: float | None
    warm: bool


class AgreementRow(Row):
    """One row per field of an upload that both models of a pair answered."""

    table = "ab_agreements"
    experiment: str
    version: int
    arm: str
    job_id: str
    field: str
    agrees: bool
    primary_value: str
    """In short, as for a person."""
    shadow_value: str


TABLES: dict[str, type[Row]] = {
    row.table: row
    for row in (
        JobRow,
        LabelRow,
        FailureRow,
        AuditRow,
        ReviewRow,
        ExperimentRow,
        AssignmentRow,
        TrialRow,
        PairRow,
        AgreementRow,
        CatalogueRow,
        DeletionRow,
        NoticeRow,
        InventoryRow,
        BatchEntryRow,
        DeliveryRow,
    )
}


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
