"""``earmark analyze --explain``: for each field of a record who answered it, why, and what that cost."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from earmark.domain import Analysis, FieldRoute
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis

VALUE_CHARS = 40

WHY = {
    "weak": "below the threshold",
    "no_answer": "no answer",
    "content_type": "hangs on the content type",
    "primary_failed": "the primary failed over this clip",
    "primary_down": "the primary is down",
    "degraded": "the lane waits too long",
}
REFUSED = {
    "region": "not asked: the tenant's region",
    "daily_cap": "not asked: the daily cap is reached",
    "tenant_cap": "not asked: the tenant's daily cap is reached",
    "breaker_open": "not asked: the fallback's breaker is open",
    "rate_limited": "not asked: our own limit on its use",
    "fallback_failed": "asked, no answer",
}


def explained(source: str, analysis: Analysis) -> Iterator[Table | Text]:
    """What to print about one record."""
    provenance = analysis.provenance
    version = f"{provenance.model} {provenance.model_version}" + f" on {provenance.engine}" * bool(provenance.engine)
    yield Text(f"{source}: {version}", style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("field", "answer", "sure", "basis", "from", "why"):
        table.add_column(name, overflow="fold", justify="right" if name == "sure" else "left")
    routes = {route.field: route for route in provenance.routes}
    for field in AudioMetadata.model_fields:
        entry = _first(analysis.metadata, field)
        route = routes.get(field)
        if entry is not None or route is not None:
            table.add_row(field, *_answer(entry), _from(analysis, route, entry), _why(route))
    yield table
    yield Text(_summary(analysis))


def _first(metadata: AudioMetadata, field: str) -> Rated[Any] | None:
    rated = getattr(metadata, field)
    entry: Rated[Any] | None = (rated[0] if rated else None) if isinstance(rated, tuple) else rated
    return None if entry is None or entry.value is None else entry


def _answer(entry: Rated[Any] | None) -> tuple[Text, str, str]:
    if entry is None:
        return Text("-"), "", ""
    text = " ".join(str(entry.value).split())
    sure = f"{entry.confidence:.0%}" if entry.confidence is not None else ""
    score = f" (score {entry.score:.2f})" if entry.confidence is None and entry.score is not None else ""
    return Text(text[:VALUE_CHARS] + "…" * (len(text) > VALUE_CHARS)), sure, str(entry.basis) + score


def _from(analysis: Analysis, route: FieldRoute | None, entry: Rated[Any] | None) -> str:
    if route is not None and route.chosen == "fallback":
        return analysis.provenance.fallback_model
    return "" if entry is None else analysis.provenance.model


def _why(route: FieldRoute | None) -> Text:
    """Why the fallback came up, and how the two answers compare."""
    if route is None:
        return Text("")
    parts = [WHY.get(route.reason, route.reason)]
    if route.refused is not None:
        parts.append(REFUSED.get(route.refused, route.refused))
    else:
        parts += [
            f"{who} said {value} ({'nothing known' if worth is None else f'{worth:.0%}'})"
            for who, value, worth in (
                ("primary", route.primary_value, route.primary_worth),
                ("fallback", route.fallback_value, route.fallback_worth),
            )
            if value is not None
        ]
    if route.cost_usd:
        parts.append(f"${route.cost_usd:.5f}")
    return Text("; ".join(parts))


def _shipped(analysis: Analysis) -> str:
    """What there is without an artefact of one's own."""
    entries = [_first(analysis.metadata, field) for field in AudioMetadata.model_fields]
    return "as shipped" if any(entry and entry.basis is Basis.CALIBRATED for entry in entries) else "none"


def _summary(analysis: Analysis) -> str:
    provenance = analysis.provenance
    fallback_usd = sum(route.cost_usd for route in provenance.routes) + provenance.vain_usd
    machine_usd = provenance.machine_usd
    of_it = f", ${machine_usd:.5f} of it the primary's time" if machine_usd else ""
    confidence = "unknown" if analysis.confidence is None else f"{analysis.confidence:.0%}"
    heard = f"{provenance.covered_s:g} of {analysis.technical.duration_s:.1f} s heard"
    if provenance.fallback_covered_s:
        heard += f", {provenance.fallback_covered_s:g} s by the fallback"
    return (
        f"record: confidence {confidence}{', for review' if provenance.review else ''}; {heard}; "
        f"calibration {provenance.calibration or _shipped(analysis)}; "
        f"fallback {provenance.fallback_model or 'not asked'}, ${fallback_usd:.5f}; "
        f"cost ${analysis.cost_usd:.5f}{of_it}\n"
    )
