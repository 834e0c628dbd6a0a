"""``model_span``: a question to a model as OpenTelemetry's conventions for generative AI name it (1.41, development).

What was asked and what was answered is in no attribute: it is a customer's.
"""

from typing import Final

from earmark.domain import Analysis
from earmark.rows import JobRow
from earmark.stage import Stage, StageName
from earmark.trace import TraceContext
from runtime.tracing.span import Attribute, Span, SpanEvent, SpanKind

OPERATION: Final = "generate_content"
"""Of the conventions: audio in, text out."""
OURS: Final = "earmark"
"""Provider of models that run in a process of our own."""
IN_PROCESS: Final = frozenset({"", "onnxruntime", "transformers"})
"""Engines that are no server."""


def model_span(stage: Stage, parent: TraceContext, analysis: Analysis | None, row: JobRow) -> Span:
    """The span of a stage in which a model was asked."""
    fallback = stage.name is StageName.FALLBACK
    provider, _, model = stage.model.rpartition("/") if fallback else ("", "", stage.model)
    local = not fallback and stage.engine in IN_PROCESS
    about: dict[str, Attribute | None] = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": provider or (OURS if local else stage.engine),
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": stage.input_tokens,
        "gen_ai.usage.output_tokens": stage.output_tokens,
        "earmark.stage": stage.name,
        "earmark.engine": stage.engine or None,
        "earmark.jobs": stage.jobs,
    }
    events: list[SpanEvent] = []
    if analysis is not None and not stage.error:
        about |= _of_fallback(analysis, row) if fallback else _of_primary(analysis, row)
        confidence = analysis.confidence if fallback else analysis.provenance.primary_confidence
        if confidence is not None:
            told: dict[str, Attribute | None] = {"gen_ai.evaluation.name": "confidence"}
            told["gen_ai.evaluation.score.value"] = confidence
            events.append(SpanEvent("gen_ai.evaluation.result", stage.ended_at, told))
    kind = SpanKind.INTERNAL if local else SpanKind.CLIENT
    name = f"{OPERATION} {model}"
    return Span(name, kind, parent.child(), parent, stage.began_at, stage.ended_at, about, events, stage.error)


def _of_primary(analysis: Analysis, row: JobRow) -> dict[str, Attribute | None]:
    provenance = analysis.provenance
    return {
        "earmark.model_version": provenance.model_version,
        "earmark.predict_s": row.predict_s,
        "earmark.covered_s": provenance.covered_s,
        "earmark.warm": row.warm,
        "earmark.hardware": provenance.hardware or None,
    }


def _of_fallback(analysis: Analysis, row: JobRow) -> dict[str, Attribute | None]:
    provenance = analysis.provenance
    return {
        "earmark.model_version": provenance.fallback_version,
        "earmark.covered_s": provenance.fallback_covered_s,
        "earmark.fallback.reasons": sorted({route.reason for route in provenance.routes}) or None,
        "earmark.fallback.fields": list(provenance.fallback_fields) or None,
        "earmark.cost_usd": row.fallback_usd,
    }
