"""What two models said of one recording, field by field."""

from earmark.domain import Analysis, FieldRoute
from earmark.metadata import AudioMetadata
from tests.making import EPOCH, make_upload
from workers.agreement import Agreement, agreements


def analysis(metadata: dict[str, object], *routes: FieldRoute) -> Analysis:
    """An analysis that says this."""
    upload = make_upload()
    technical = {"duration_s": 1, "sample_rate_hz": 8000, "channels": 1, "codec": "pcm", "container": "wav"}
    provenance = {"model": "m", "model_version": "1", "pipeline": "1", "arm": "primary", "covered_s": 1}
    return Analysis.model_validate(
        {
            "job_id": "0" * 32,
            "tenant": upload.tenant,
            "content_sha256": upload.content_sha256,
            "confidence": None,
            "model": "m",
            "metadata": AudioMetadata.model_validate(metadata),
            "technical": {**technical, "size_bytes": 1},
            "provenance": {**provenance, "routes": routes, "fallback_fields": [route.field for route in routes]},
            "timings": {"queued_s": 0, "decode_s": 0, "predict_s": 0, "total_s": 0},
            "cost_usd": 0,
            "created_at": EPOCH,
        }
    )


def replaced(field: str, value: str | None) -> FieldRoute:
    """A field that the fallback answered better than the primary, which had said this."""
    return FieldRoute(field=field, reason="weak", chosen="fallback", primary_value=value)


def test_fields_that_both_answered_are_compared() -> None:
    """By the rules that answers are judged by: a tempo within 4 %, the first of a list among the other's."""
    shown = analysis(
        {
            "content_type": {"value": "music"},
            "tempo_bpm": {"value": 100.0},
            "key": {"value": "C major"},
            "genres": [{"value": "rock"}, {"value": "pop"}],
            "moods": [{"value": "calm"}],
        }
    )
    shadow = analysis(
        {
            "content_type": {"value": "music"},
            "tempo_bpm": {"value": 103.0},
            "key": {"value": "A minor"},
            "genres": [{"value": "pop"}, {"value": "rock"}],
            "moods": [{"value": "dark"}],
            "language": {"value": "en"},
        }
    )
    assert {each.field: each.agrees for each in agreements(shown, shadow)} == {
        "content_type": True, "tempo_bpm": True, "key": False, "genres": True, "moods": False,
    }  # fmt: skip


def test_what_the_fallback_replaced_is_compared_as_the_primary_had_it() -> None:
    """Else only answers that the primary was sure of would be compared."""
    better = {"content_type": {"value": "speech"}, "vocals": {"value": "none"}, "tempo_bpm": {"value": 90.0}}
    routes = [replaced("content_type", "music"), replaced("vocals", "male"), replaced("tempo_bpm", "120.0")]
    shown = analysis({**better, "transcript": {"value": "a b"}}, *routes, replaced("transcript", "a"))
    shadow = analysis(
        {
            "content_type": {"value": "music"},
            "vocals": {"value": "male"},
            "tempo_bpm": {"value": 90.0},
            "transcript": {"value": "a b"},
        }
    )
    assert list(agreements(shown, shadow)) == [
        Agreement("content_type", True, "music", "music"),  # noqa: FBT003
        Agreement("vocals", True, "male", "male"),  # noqa: FBT003
        Agreement("tempo_bpm", False, "120.0", "90.0"),  # noqa: FBT003
    ]
