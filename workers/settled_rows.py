"""``SettledRows``: what the warehouse is told of a job that has ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from earmark.domain import Lease, Provenance, Record, Settlement
from earmark.rows import JobRow, Row, TrialRow, failure_row, label_rows
from earmark.vocabulary import Lane

TIME_MOST_S: Final = 1e8
"""Some three years: what a job's times and its audio are at most, in the row of an experiment."""
COST_MOST_USD: Final = 1e6


@dataclass(frozen=True, slots=True)
class SettledRows:
    """Makes the rows of one ended job."""

    threshold: float = 0.8
    """Confidence below which an answer counts as unsure."""
    sla_s: Mapping[Lane, float] = field(default_factory=dict)
    """Seconds that a job of each lane may take; a lane without a promise is never late."""

    def of(self, settlement: Settlement, record: Record) -> list[Row]:
        """All rows; of a job that came back from the dead letters no trial, for that has ended before."""
        trial = self.trial(settlement, record)
        rows = [self.job(settlement, record), *label_rows(record), *_failure_rows(record)]
        return [*rows, trial] if trial is not None else rows

    @staticmethod
    def job(settlement: Settlement, record: Record) -> JobRow:
        """The row of the job itself; log line, metrics and spans come from it too."""
        return _job_row(settlement, record)

    def trial(self, settlement: Settlement, record: Record) -> TrialRow | None:
        """The row of the experiment the job takes part in; ``None`` = none, or it has had it.

        What a model or a clock got absurdly wrong is bounded, or told as not known where that can be told.
        """
        job, exposure, analysis = settlement.lease.job, settlement.lease.job.exposure, record.analysis
        if exposure is None or exposure.replayed:
            return None
        provenance = analysis.provenance if analysis else None
        by_primary = provenance is not None and _by_primary(provenance)
        failure = record.failures[-1] if record.status != "done" and record.failures else None
        tried = failure if failure is not None and failure.stage == "predict" else None
        confidence = _known(provenance.primary_confidence if provenance else None, 1.0)
        total_s = _bounded(analysis.timings.total_s if analysis else _seconds(record), TIME_MOST_S)
        return TrialRow(
            row_id=f"{exposure.experiment}:{exposure.version}:{record.job_id}",
            tenant=record.tenant,
            at=record.settled_at,
            experiment=exposure.experiment,
            version=exposure.version,
            arm=exposure.arm,
            unit=exposure.unit,
            share=exposure.share,
            job_id=record.job_id,
            shadow=job.shadow_of is not None,
            diverted=provenance.diverted if provenance else settlement.diverted,
            status=record.status,
            error_kind=failure.kind if failure else None,
            tries=tries_of(settlement.lease, record),
            lane=job.lane,
            tier=job.upload.tier,
            origin=job.upload.origin,
            content_type=analysis.metadata.content_type.value if analysis else None,
            language=analysis.metadata.language.value if analysis else None,
            model=provenance.model if provenance else (tried.model if tried else ""),
            model_version=provenance.model_version if provenance else (tried.model_version if tried else ""),
            engine=provenance.engine if provenance else "",
            hardware=provenance.hardware if provenance else (settlement.hardware if tried else ""),
            warm=settlement.warm,
            audio_s=_bounded(analysis.technical.duration_s if analysis else settlement.audio_s, TIME_MOST_S),
            queued_s=_bounded(analysis.timings.queued_s if analysis else settlement.queued_s, TIME_MOST_S),
            predict_s=_known(analysis.timings.predict_s if analysis and by_primary else None, TIME_MOST_S),
            total_s=total_s,
            over_sla=total_s > self.sla_s.get(job.lane, float("inf")),
            raw_confidence=_known(provenance.primary_score if provenance else None, math.inf),
            confidence=confidence,
            low_confidence=confidence is None or confidence < self.threshold,
            fallback=bool(provenance and provenance.fallback_model),
            fallback_fields=len(provenance.fallback_fields) if provenance else 0,
            review=provenance.review if provenance else False,
            cost_usd=_bounded(analysis.cost_usd if analysis else _vain_usd(record), COST_MOST_USD),
        )


def tries_of(lease: Lease, record: Record) -> int:
    """Tries that were made: a job found with all of them spent was leased once more, and not tried."""
    return len(record.failures) if record.status == "failed" else lease.try_number


def _by_primary(provenance: Provenance) -> bool:
    """Whether the primary answered; where only the fallback did, it stands as the model."""
    return provenance.model != provenance.fallback_model


def _known(value: float | None, most: float) -> float | None:
    """The value, where it is a finite one that can be."""
    return value if value is not None and math.isfinite(value) and value <= most else None


def _bounded(value: float, most: float) -> float:
    """The value or ``most``; what is no number, or below zero, is zero."""
    return min(value, most) if value > 0 else 0.0


def _seconds(record: Record) -> float:
    return max(0.0, (record.settled_at - record.enqueued_at).total_seconds())


def _failure_rows(record: Record) -> list[Row]:
    last = record.failures[-1] if record.failures and record.status != "done" else None
    return [failure_row(record.job_id, record.tenant, each, final=each is last) for each in record.failures]


def _fallback_usd(provenance: Provenance) -> float:
    """All that the fallback was paid for a job that was answered."""
    return sum(route.cost_usd for route in provenance.routes) + provenance.vain_usd


def _vain_usd(record: Record) -> float:
    """All that the fallback was paid for a job without an answer."""
    return sum(failure.cost_usd for failure in record.failures)


def _job_row(settlement: Settlement, record: Record) -> JobRow:
    lease, analysis = settlement.lease, record.analysis
    job, upload = lease.job, lease.job.upload
    metadata = analysis.metadata if analysis else None
    timings = analysis.timings if analysis else None
    return JobRow(
        row_id=record.job_id,
        tenant=record.tenant,
        at=record.settled_at,
        status=record.status,
        lane=job.lane,
        tier=upload.tier,
        origin=upload.origin,
        arm=job.arm,
        experiment=job.exposure.experiment if job.exposure else None,
        model=analysis.model if analysis else (record.failures[-1].model if record.failures else ""),
        pipeline=job.pipeline,
        region=upload.region,
        tries=tries_of(lease, record),
        error_kind=record.failures[-1].kind if record.status != "done" and record.failures else None,
        content_type=metadata.content_type.value if metadata else None,
        confidence=analysis.confidence if analysis else None,
        tempo_bpm=metadata.tempo_bpm.value if metadata else None,
        key=metadata.key.value if metadata else None,
        language=metadata.language.value if metadata else None,
        vocals=metadata.vocals.value if metadata else None,
        review=analysis.provenance.review if analysis else False,
        audio_s=analysis.technical.duration_s if analysis else settlement.audio_s,
        covered_s=analysis.provenance.covered_s if analysis else 0.0,
        size_bytes=upload.size_bytes,
        queued_s=timings.queued_s if timings else settlement.queued_s,
        decode_s=timings.decode_s if timings else 0.0,
        predict_s=timings.predict_s if timings else 0.0,
        total_s=timings.total_s if timings else 0.0,
        cost_usd=analysis.cost_usd if analysis else _vain_usd(record),
        machine_usd=analysis.provenance.machine_usd if analysis else None,
        hardware=(analysis.provenance.hardware or None) if analysis else None,
        fallback_model=(analysis.provenance.fallback_model or None) if analysis else None,
        fallback_fields=len(analysis.provenance.fallback_fields) if analysis else None,
        fallback_usd=_fallback_usd(analysis.provenance) if analysis else _vain_usd(record) or None,
        warm=settlement.warm,
    )
