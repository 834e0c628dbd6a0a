"""``RouterSpans``: the router's part of a trace, one span for each upload that it routed."""

from dataclasses import dataclass

from router.fate import Fate
from router.handoff import Handoff
from runtime.tracing.span import Span, SpanKind
from runtime.tracing.spans import Spans


@dataclass(frozen=True, slots=True)
class RouterSpans:
    """Hears of every upload that is routed."""

    spans: Spans

    def handed(self, handoff: Handoff) -> None:
        """``send LANE``, whose place in the trace travels with the job; ``route`` where nothing was put in a queue."""
        if not self.spans.records(handoff.here):
            return
        queued = handoff.fate is Fate.QUEUED
        sent = {
            "messaging.system": self.spans.system,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": handoff.lane,
            "messaging.message.id": handoff.job_id,
        }
        self.spans.add(
            Span(
                f"send {handoff.lane}" if queued else "route",
                SpanKind.PRODUCER if queued else SpanKind.INTERNAL,
                handoff.here,
                handoff.parent,
                handoff.began_at,
                handoff.ended_at,
                {
                    **(sent if queued else {}),
                    "earmark.job.id": handoff.job_id,
                    "earmark.fate": handoff.fate,
                    "earmark.lane": handoff.lane,
                    "earmark.tier": handoff.upload.tier,
                    "earmark.origin": handoff.upload.origin,
                    "earmark.batch": handoff.upload.batch,
                },
            )
        )
