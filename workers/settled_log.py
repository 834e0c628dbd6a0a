"""The log lines of jobs: one canonical line for each that ended, one for each try that is followed by another."""

import logging
from collections.abc import Sequence

from earmark.domain import Failure, Lease, Record, Settlement
from earmark.log import event
from earmark.rows import JobRow
from earmark.stage import Stage, StageName
from earmark.trace import trace_id_of

_log = logging.getLogger("workers.settle")


def log_settled(settlement: Settlement, record: Record, row: JobRow) -> None:
    """The canonical line, from the row that the warehouse gets of the job; ``docs/tracing.md`` describes each field."""
    analysis, upload = record.analysis, settlement.lease.job.upload
    routes = analysis.provenance.routes if analysis else ()
    ended_s = max(0.0, (record.settled_at - record.enqueued_at).total_seconds())
    event(
        _log,
        "job.settled",
        job_id=row.row_id,
        trace_id=trace_id_of(upload.trace),
        tenant=row.tenant,
        status=row.status,
        kind=row.error_kind,
        error=record.failures[-1].message if row.error_kind is not None else None,
        stage=record.failures[-1].stage if row.error_kind is not None else None,
        lane=row.lane,
        tier=row.tier,
        origin=row.origin,
        arm=row.arm,
        experiment=row.experiment,
        diverted=analysis.provenance.diverted if analysis else settlement.diverted,
        batch=upload.batch,
        region=row.region,
        tries=row.tries,
        model=row.model,
        model_version=analysis.provenance.model_version if analysis else None,
        content_type=row.content_type,
        confidence=row.confidence,
        review=row.review,
        fallback=row.fallback_model,
        fallback_fields=row.fallback_fields,
        fallback_why=_distinct([route.reason for route in routes]),
        fallback_refused=_distinct([route.refused for route in routes if route.refused is not None]),
        seconds=round(row.total_s if analysis else ended_s, 3),
        late=analysis.timings.late if analysis else None,
        queued_s=round(row.queued_s, 3),
        decode_s=_seconds(settlement.stages, StageName.DECODE),
        predict_s=round(row.predict_s, 3) if analysis else None,
        primary_s=_seconds(settlement.stages, StageName.PRIMARY),
        fallback_s=_seconds(settlement.stages, StageName.FALLBACK),
        audio_s=round(row.audio_s, 2),
        size_bytes=row.size_bytes,
        cost_usd=row.cost_usd,
        fallback_usd=row.fallback_usd,
        warm=row.warm,
        hardware=settlement.hardware or None,
        worker=record.failures[-1].worker if row.error_kind is not None else None,
    )


def log_retried(lease: Lease, failure: Failure, after_s: float) -> None:
    """A try that failed, and after how many seconds the next one may begin."""
    event(
        _log,
        "job.retried",
        level=logging.WARNING,
        job_id=lease.job.id,
        trace_id=trace_id_of(lease.job.upload.trace),
        tenant=lease.job.upload.tenant,
        try_number=lease.try_number,
        stage=failure.stage,
        kind=failure.kind,
        error=failure.message,
        after_s=round(after_s, 2),
    )


def _seconds(stages: Sequence[Stage], name: StageName) -> float | None:
    """How long a stage of this try took, whichever model was asked how often; ``None`` = it was never entered."""
    found = [stage.seconds for stage in stages if stage.name is name]
    return round(sum(found), 3) if found else None


def _distinct(words: Sequence[str]) -> list[str] | None:
    return sorted(set(words)) or None
