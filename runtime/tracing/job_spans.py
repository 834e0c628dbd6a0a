"""``JobSpans``: a worker's part of a trace, made when the job has settled, from what was written down meanwhile.

Nothing is added to a job's way but a few looks at the clock.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from earmark.domain import Record, Settlement
from earmark.ports import Clock
from earmark.rows import JobRow
from earmark.stage import StageName
from earmark.trace import TraceContext, begun, parsed
from runtime.tracing.model_span import model_span
from runtime.tracing.span import Attribute, Span, SpanEvent, SpanKind
from runtime.tracing.spans import Spans
from workers.observer import Observer


class JobSpans(Observer):
    """Hears of every job that has settled."""

    def __init__(self, spans: Spans, clock: Clock) -> None:
        """Take where spans go, and the present."""
        self._spans, self._clock = spans, clock

    def settled(self, settlement: Settlement, record: Record, row: JobRow) -> None:
        """The job's wait, its last try, and the stages of that below it."""
        parent = parsed(settlement.lease.job.upload.trace)
        context = parent.child() if parent else begun()
        if self._spans.records(context):
            self._spans.add(*self._of(settlement, record, row, context, parent))

    def _of(
        self,
        settlement: Settlement,
        record: Record,
        row: JobRow,
        context: TraceContext,
        parent: TraceContext | None,
    ) -> Iterator[Span]:
        lease, now = settlement.lease, self._clock()
        enqueued_at = lease.job.enqueued_at
        leased_at = enqueued_at + timedelta(seconds=settlement.queued_s)
        yield Span(
            f"queue {row.lane}",
            SpanKind.INTERNAL,
            context.child(),
            parent or context,
            enqueued_at,
            leased_at,
            {"earmark.job.id": row.row_id, "earmark.lane": row.lane, "earmark.tries": row.tries},
            list(_failed_tries(settlement)),
        )
        yield Span(
            f"process {row.lane}",
            SpanKind.CONSUMER,
            context,
            parent,
            leased_at,
            now,
            _about(settlement, record, row, self._spans.system),
            error=row.error_kind or "",
        )
        for stage in settlement.stages:
            if stage.name is StageName.DECODE:
                about = {"earmark.audio_s": row.audio_s, "earmark.size_bytes": row.size_bytes}
                kind = SpanKind.INTERNAL
                yield Span("decode", kind, context.child(), context, stage.began_at, stage.ended_at, about,
                           error=stage.error)  # fmt: skip
            else:
                yield model_span(stage, context, record.analysis, row)
        began_at = _within(record.settled_at, leased_at, now)
        yield Span("settle", SpanKind.INTERNAL, context.child(), context, began_at, now)


def _failed_tries(settlement: Settlement) -> Iterator[SpanEvent]:
    """The tries before the last one: what is known of them is how and when they ended."""
    for failure in settlement.lease.history:
        yield SpanEvent(
            "job.try_failed",
            failure.at,
            {
                "earmark.try": failure.try_number,
                "earmark.stage": failure.stage,
                "error.type": failure.kind,
                "earmark.worker": failure.worker,
            },
        )


def _about(settlement: Settlement, record: Record, row: JobRow, system: str) -> dict[str, Attribute | None]:
    """What is known of the whole job; nothing that tells whose it is or what is in it."""
    analysis = record.analysis
    routes = analysis.provenance.routes if analysis else ()
    return {
        "messaging.system": system,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": row.lane,
        "messaging.message.id": row.row_id,
        "earmark.job.id": row.row_id,
        "earmark.status": row.status,
        "earmark.lane": row.lane,
        "earmark.tier": row.tier,
        "earmark.origin": row.origin,
        "earmark.arm": row.arm,
        "earmark.experiment": row.experiment,
        "earmark.batch": settlement.lease.job.upload.batch,
        "earmark.tries": row.tries,
        "earmark.model": row.model,
        "earmark.confidence": row.confidence,
        "earmark.review": row.review,
        "earmark.fallback": row.fallback_model,
        "earmark.fallback.reasons": sorted({route.reason for route in routes}) or None,
        "earmark.fallback.refused": sorted({route.refused for route in routes if route.refused}) or None,
        "earmark.late": analysis.timings.late if analysis else None,
        "earmark.audio_s": row.audio_s,
        "earmark.cost_usd": row.cost_usd,
        "earmark.stage": record.failures[-1].stage if row.error_kind is not None else None,
    }


def _within(at: datetime, first: datetime, last: datetime) -> datetime:
    """A moment no earlier than the first and no later than the last one; a record may be older than this try."""
    return min(max(at, first), last)
