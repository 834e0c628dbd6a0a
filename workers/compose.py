"""Composes the stored ``Analysis`` from what the stages found."""

import math
from datetime import datetime
from typing import Final

from earmark.domain import Analysis, Clip, FieldRoute, Lease, Prediction, Provenance, Timings
from earmark.metadata import REQUIRED, record_confidence, record_score
from earmark.vocabulary import Basis
from workers.description import describe

HOUR_S: Final = 3600.0


def compose_analysis(
    lease: Lease,
    clip: Clip,
    prediction: Prediction,
    *,
    model: str,
    model_version: str,
    leased_at: datetime,
    decode_s: float,
    now: datetime,
    threshold: float,
    target_s: float = math.inf,
    calibration: str = "",
    hardware: str = "",
    primary: Prediction | None = None,
    diverted: bool = False,
    routes: tuple[FieldRoute, ...] = (),
    fallback_model: str = "",
    fallback_version: str = "",
    fallback_covered_s: float = 0.0,
    usd_per_hour: float = 0.0,
    vain_usd: float = 0.0,
) -> Analysis:
    """One record; it is marked for review when its confidence, or that of a required field, is low or unknown.

    ``primary`` is what the primary said, calibrated, before the fallback was asked; ``None`` = nothing.  ``target_s``
    is how long a job of its lane should take.  ``usd_per_hour`` is the price of the machine the primary runs on,
    ``vain_usd`` what the fallback was paid for answers to this job of which nothing came, those of earlier tries too.
    """
    job, metadata = lease.job, prediction.metadata
    total_s = _seconds(now, job.enqueued_at)
    if metadata.description.basis is Basis.DERIVED:  # from fields that were calibrated, or answered anew, since
        metadata = metadata.model_copy(update={"description": describe(metadata, clip.duration_s)})
    confidence = record_confidence(metadata)
    machine_usd = time_usd(primary, usd_per_hour)
    return Analysis(
        job_id=job.id,
        tenant=job.upload.tenant,
        content_sha256=job.upload.content_sha256,
        confidence=confidence,
        model=model,
        metadata=metadata,
        technical=clip.technical,
        provenance=Provenance(
            model=model,
            model_version=model_version,
            prompt_version=prediction.prompt_version,
            engine=prediction.engine,
            hardware=hardware,
            calibration=calibration,
            primary_score=record_score(primary.metadata) if primary else None,
            primary_confidence=record_confidence(primary.metadata) if primary else None,
            fallback_model=fallback_model,
            fallback_version=fallback_version,
            fallback_covered_s=round(fallback_covered_s, 3),
            fallback_fields=tuple(route.field for route in routes if route.chosen == "fallback"),
            routes=routes,
            pipeline=job.pipeline,
            arm=job.arm,
            experiment=f"{job.exposure.experiment}:{job.exposure.version}" if job.exposure else "",
            diverted=diverted,
            uncalibrated=prediction.uncalibrated,
            covered_s=round(prediction.covered_s, 3),
            machine_usd=machine_usd,
            vain_usd=vain_usd,
            review=confidence is None or confidence < threshold or _doubtful(prediction, routes, threshold),
        ),
        timings=Timings(
            queued_s=_seconds(leased_at, job.enqueued_at),
            decode_s=round(decode_s, 4),
            predict_s=round(prediction.predict_s, 4),
            total_s=total_s,
            late=total_s > target_s,
        ),
        cost_usd=prediction.cost_usd + machine_usd + vain_usd,
        created_at=now,
    )


def time_usd(primary: Prediction | None, usd_per_hour: float) -> float:
    """Dollars of the primary's time over one clip: ``predict_s`` times the price of an hour, by 3600.

    ``predict_s`` is the clip's share of its batch, so the shares of a batch add up to the time it took.  A primary that
    sends a bill is paid by that: its seconds are somebody else's.  Hours in which a machine waits, loads a model or
    makes tries that fail are nobody's, and in no record.
    """
    if primary is None or primary.cost_usd > 0 or not math.isfinite(primary.predict_s):
        return 0.0
    return max(0.0, primary.predict_s) * usd_per_hour / HOUR_S


def _doubtful(prediction: Prediction, routes: tuple[FieldRoute, ...], threshold: float) -> bool:
    """Whether a required field stands on an answer worth less than the threshold though it has no confidence."""
    kind = prediction.metadata.content_type.value
    worths = {
        route.field: route.fallback_worth if route.chosen == "fallback" else route.primary_worth for route in routes
    }
    required = () if kind is None else REQUIRED[kind]
    return any((worths.get(field, threshold) or 0.0) < threshold for field in required)


def _seconds(later: datetime, earlier: datetime) -> float:
    # Clocks of two machines may disagree; a job is never settled before it was queued.
    return round(max(0.0, (later - earlier).total_seconds()), 4)
