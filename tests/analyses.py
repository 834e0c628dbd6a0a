"""Makes analyses and records of them for tests."""

from typing import Any

from earmark.domain import Analysis, Provenance, Record, Technical, Timings
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Genre, Instrument, Mood, Vocals
from tests.making import EPOCH, make_job, make_upload


def sure(value: Any, confidence: float = 0.9) -> Any:
    """An answer with a calibrated confidence."""
    return Rated[type(value)](value=value, confidence=confidence, basis=Basis.CALIBRATED, score=confidence)  # type: ignore[misc]


def raw(value: Any, score: float) -> Any:
    """An answer with a score alone."""
    return Rated[type(value)](value=value, score=score)  # type: ignore[misc]


def make_metadata(**fields: Any) -> AudioMetadata:
    """Music, of which some is sure and some is not."""
    given = {
        "content_type": sure(ContentType.MUSIC, 0.99),
        "genres": (raw(Genre.HIP_HOP, 0.7), raw(Genre.JAZZ, 0.3)),
        "moods": (raw(Mood.CALM, 0.6), raw(Mood.DARK, 0.2)),
        "instruments": (sure(Instrument.DRUMS), sure(Instrument.BASS, 0.5)),
        "vocals": sure(Vocals.NONE),
        "tempo_bpm": sure(119.7),
        "key": sure("C# minor"),
        "language": sure("en"),
        "transcript": sure("=Hello, wörld\n音楽", 0.85),
        "description": Rated[str](value="Calm hip hop.", confidence=0.9, basis=Basis.DERIVED),
        "tags": (raw("beat", 0.55),),
    }
    return AudioMetadata.model_validate({**given, **fields})


def make_analysis(content: str = "sound", tenant: str = "acme", container: str = "mp3", **fields: Any) -> Analysis:
    """The analysis of these bytes."""
    job = make_job(content, upload=make_upload(content, tenant))
    metadata = fields.pop("metadata", None) or make_metadata()
    given = {
        "job_id": job.id,
        "tenant": tenant,
        "content_sha256": job.upload.content_sha256,
        "confidence": 0.9,
        "model": "scripted",
        "metadata": metadata,
        "technical": Technical(
            duration_s=200.516,
            sample_rate_hz=44_100,
            channels=2,
            codec=fields.pop("codec", "mp3"),
            container=container,
            bit_rate_bps=128_000,
            size_bytes=3_208_256,
            loudness_lufs=-14.0,
        ),
        "provenance": Provenance(model="scripted", model_version="1", pipeline="test", arm="primary", covered_s=200.5),
        "timings": Timings(queued_s=0.1, decode_s=0.2, predict_s=0.3, total_s=0.6),
        "cost_usd": 0.0,
        "created_at": EPOCH,
    }
    return Analysis.model_validate({**given, **fields})


def make_record(content: str = "sound", tenant: str = "acme", **fields: Any) -> Record:
    """A record with such an analysis."""
    analysis = make_analysis(content, tenant, **fields)
    return Record(
        job_id=analysis.job_id,
        tenant=tenant,
        status="done",
        analysis=analysis,
        enqueued_at=EPOCH,
        settled_at=EPOCH,
    )
