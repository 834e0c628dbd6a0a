"""``EXAMPLE``: an analysis for the OpenAPI page, from which the examples of all its forms are made."""

from datetime import UTC, datetime
from typing import Final

from earmark.domain import Analysis, Provenance, Record, Technical, Timings
from earmark.metadata import (
    AudioMetadata,
    RatedContentType,
    RatedGenre,
    RatedInstrument,
    RatedMood,
    RatedNumber,
    RatedText,
    RatedVocals,
)
from earmark.vocabulary import Basis, ContentType, Genre, Instrument, Mood, Vocals

_CAME: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXAMPLE: Final = Analysis(
    job_id="5f2b8c0de4a94a1b8d2c4e6f70819a3b",
    tenant="acme",
    content_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    confidence=0.91,
    model="listener",
    metadata=AudioMetadata(
        content_type=RatedContentType(value=ContentType.MUSIC, confidence=0.99, basis=Basis.CALIBRATED, score=0.97),
        genres=(RatedGenre(value=Genre.JAZZ, confidence=0.88, basis=Basis.CALIBRATED, score=0.74),),
        moods=(RatedMood(value=Mood.CALM, score=0.61),),
        instruments=(RatedInstrument(value=Instrument.DRUMS, confidence=0.93, basis=Basis.CALIBRATED, score=0.8),),
        vocals=RatedVocals(value=Vocals.NONE, confidence=0.94, basis=Basis.CALIBRATED, score=0.9),
        tempo_bpm=RatedNumber(value=124.0, confidence=0.92, basis=Basis.CALIBRATED, score=0.85),
        key=RatedText(value="C# minor", confidence=0.91, basis=Basis.CALIBRATED, score=0.7),
    ),
    technical=Technical(
        duration_s=182.4,
        sample_rate_hz=44_100,
        channels=2,
        codec="flac",
        container="flac",
        size_bytes=7_301_244,
        loudness_lufs=-14.2,
        true_peak_dbtp=-0.9,
    ),
    provenance=Provenance(model="listener", model_version="1", pipeline="1", arm="primary", covered_s=182.4),
    timings=Timings(queued_s=0.1, decode_s=0.4, predict_s=0.6, total_s=1.2),
    cost_usd=0.0,
    created_at=_CAME,
)
EXAMPLE_RECORD: Final = Record(
    job_id=EXAMPLE.job_id,
    tenant=EXAMPLE.tenant,
    status="done",
    analysis=EXAMPLE,
    enqueued_at=_CAME,
    settled_at=_CAME.replace(second=1),
)
