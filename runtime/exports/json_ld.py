"""An analysis as JSON-LD: a schema.org ``AudioObject`` (schema.org/AudioObject), of that vocabulary's terms alone.

What can be told as a fact is a property of the recording.  Everything that was found, with its confidence, is a data
set about the recording (``subjectOf``): schema.org has ``additionalProperty`` for products and places, and none for
recordings; for a data set it has ``variableMeasured``.
"""

import math
from collections.abc import Iterable
from typing import Any, Final

from earmark.domain import Analysis
from earmark.metadata import AudioMetadata, Rated
from runtime.exports.media_types import media_type
from runtime.exports.trusted import all_trusted, trusted

MEDIA_TYPE: Final = "application/ld+json"
CONTEXT: Final = "https://schema.org"
_UNITS: Final = {"tempo_bpm": "beats per minute"}
_NAMES: Final = {"tempo_bpm": "tempo"}


def json_ld(analysis: Analysis, threshold: float) -> dict[str, Any]:
    """The recording as an ``AudioObject``.

    Args:
        analysis: what is known of it.
        threshold: confidence, 0 to 1, from which an answer is told as a fact.
    """
    metadata, technical = analysis.metadata, analysis.technical
    content_type = trusted(metadata.content_type, threshold)
    lists: tuple[tuple[Rated[Any], ...], ...] = (metadata.moods, metadata.instruments, metadata.tags)
    keywords = [str(each) for entries in lists for each in all_trusted(entries, threshold)]
    told: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "AudioObject",
        "@id": f"urn:sha256:{analysis.content_sha256}",
        "identifier": analysis.job_id,
        "sha256": analysis.content_sha256,
        "duration": iso_duration(technical.duration_s),
        "encodingFormat": media_type(technical.container, technical.codec).name,
        "contentSize": f"{technical.size_bytes} B",
        "bitrate": f"{technical.bit_rate_bps} bit/s" if technical.bit_rate_bps else None,
        "description": trusted(metadata.description, threshold),
        "genre": [str(each) for each in all_trusted(metadata.genres, threshold)],
        "keywords": ([content_type.value] if content_type else []) + keywords,
        "inLanguage": trusted(metadata.language, threshold),
        "transcript": trusted(metadata.transcript, threshold),
        "subjectOf": _findings(analysis),
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def iso_duration(seconds: float) -> str:
    """A length as ISO 8601 writes it, as ``PT3M20.52S``, to the hundredth of a second."""
    hundredths = math.floor(seconds * 100 + 0.5)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    whole, fraction = divmod(rest, 100)
    tail = f"{whole}.{fraction:02}".rstrip("0").rstrip(".")
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else "", f"{tail}S" if rest else ""]
    return f"PT{''.join(parts) or '0S'}"


def _findings(analysis: Analysis) -> dict[str, Any]:
    """What was found, with how sure it is, by what, and when."""
    provenance = analysis.provenance
    return {
        "@type": "Dataset",
        "name": f"Analysis {analysis.job_id}",
        "description": "What Earmark heard in this recording, with the confidence of each answer.",
        "dateCreated": analysis.created_at.isoformat(),
        "measurementTechnique": f"{provenance.model} {provenance.model_version}".strip(),
        "variableMeasured": list(_measured(analysis.metadata)),
    }


def _measured(metadata: AudioMetadata) -> Iterable[dict[str, Any]]:
    for name in AudioMetadata.model_fields:
        entries = getattr(metadata, name)
        for rated in entries if isinstance(entries, tuple) else (entries,):
            if rated.value is not None:
                yield _property(name, rated)


def _property(name: str, rated: Rated[Any]) -> dict[str, Any]:
    known = rated.confidence if rated.confidence is not None else rated.score
    word = "confidence" if rated.confidence is not None else "score"
    how_sure = {"@type": "PropertyValue", "name": word, "value": known, "minValue": 0, "maxValue": 1}
    told = {
        "@type": "PropertyValue",
        "name": _NAMES.get(name, name),
        "value": rated.value if isinstance(rated.value, int | float) else str(rated.value),
        "unitText": _UNITS.get(name),
        "measurementMethod": rated.basis.value,
        "valueReference": how_sure if known is not None else None,
    }
    return {key: value for key, value in told.items() if value is not None}
