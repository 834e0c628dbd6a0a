"""``Shadows``: uploads that another arm's model hears too, to compare it with the answer the customer got.

A shadow is a job of its own on the low lane.  Its answer is stored nowhere but in figures: one ``PairRow``, and an
``AgreementRow`` for each field that both answered.  It never reaches the fallback, the results, a dead letter or the
customer, and when its experiment ends it is dropped.
"""

import logging
from collections.abc import Callable, Sequence

from earmark.domain import Analysis, Job, Record, Settlement, job_id
from earmark.errors import Unavailable
from earmark.log import event
from earmark.ports import Queue
from earmark.rows import AgreementRow, PairRow, Row
from earmark.trace import trace_id_of
from earmark.vocabulary import Lane
from workers.agreement import agreements
from workers.settled_rows import SettledRows

_log = logging.getLogger(__name__)


class Shadows:
    """Makes shadows of answered jobs, and rows of shadows."""

    def __init__(
        self,
        *,
        lane: Queue | None = None,
        arms: Callable[[Job], Sequence[str]] = lambda _: (),
        find_record: Callable[[str, str], Record | None] = lambda _tenant, _job: None,
    ) -> None:
        """Take the low lane, the arms that are to hear a job in the shadow, and a look-up of records.

        Without a lane nothing is ever heard twice.
        """
        self._lane = lane
        self._arms = arms
        self._find_record = find_record

    def cast(self, settlement: Settlement, record: Record) -> bool:
        """Queue the shadows of an answered job; one that cannot be queued is told of and left out.

        Returns whether its audio is to be heard again.
        """
        job, exposure = settlement.lease.job, settlement.lease.job.exposure
        if exposure is None or not exposure.shadow or record.status != "done" or settlement.diverted:
            return False
        shadows = [
            job.model_copy(
                update={
                    "id": shadow_id(job, arm),
                    "lane": Lane.LOW,
                    "arm": arm,
                    "exposure": exposure.model_copy(update={"arm": arm, "shadow": False}),
                    "shadow_of": job.id,
                    "enqueued_at": record.settled_at,
                }
            )
            for arm in self._arms(job)
        ]
        if shadows and self._lane is not None:
            try:
                self._lane.put(shadows)
            except Unavailable as error:
                event(_log, "shadow.left_out", level=logging.WARNING, job_id=job.id, error=str(error),
                      trace_id=trace_id_of(job.upload.trace))  # fmt: skip
            else:
                return True
        return False

    def rows(self, settlement: Settlement, record: Record, rows: SettledRows) -> list[Row]:
        """What the warehouse is told of a shadow that has ended; nothing where its experiment had ended before."""
        job, exposure = settlement.lease.job, settlement.lease.job.exposure
        if exposure is None or job.shadow_of is None or settlement.diverted:
            return []
        shown = self._find_record(record.tenant, job.shadow_of)
        if shown is None or shown.analysis is None:
            return []  # it was deleted since
        trial = rows.trial(settlement, record)
        pair = PairRow(
            row_id=f"{exposure.experiment}:{exposure.version}:{exposure.arm}:{job.shadow_of}",
            tenant=record.tenant,
            at=record.settled_at,
            experiment=exposure.experiment,
            version=exposure.version,
            arm=exposure.arm,
            job_id=job.shadow_of,
            error_kind=record.failures[-1].kind if record.status != "done" and record.failures else None,
            audio_s=shown.analysis.technical.duration_s,
            primary_predict_s=shown.analysis.timings.predict_s,
            shadow_predict_s=record.analysis.timings.predict_s if record.analysis else None,
            primary_confidence=shown.analysis.provenance.primary_confidence,
            shadow_confidence=record.analysis.provenance.primary_confidence if record.analysis else None,
            warm=settlement.warm,
        )
        agreeing = _agreement_rows(pair, shown.analysis, record.analysis) if record.analysis else []
        return [pair, *agreeing, *([trial] if trial is not None else [])]


def shadow_id(job: Job, arm: str) -> str:
    """The id of the job in whose shadow ``arm`` hears the same audio."""
    exposure = job.exposure
    assert exposure is not None  # noqa: S101  # only jobs of an experiment have shadows
    pipeline = f"{job.pipeline}+shadow-{exposure.experiment}-{exposure.version}-{arm}"
    return job_id(job.upload.tenant, job.upload.content_sha256, pipeline)


def _agreement_rows(pair: PairRow, shown: Analysis, shadow: Analysis) -> list[Row]:
    return [
        AgreementRow(
            row_id=f"{pair.row_id}:{each.field}",
            tenant=pair.tenant,
            at=pair.at,
            experiment=pair.experiment,
            version=pair.version,
            arm=pair.arm,
            job_id=pair.job_id,
            field=each.field,
            agrees=each.agrees,
            primary_value=each.primary,
            shadow_value=each.shadow,
        )
        for each in agreements(shown, shadow)
    ]
