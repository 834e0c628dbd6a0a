"""What a record says beside the model's answer: whether to look at it, and where the time went."""

from datetime import timedelta
from pathlib import Path

import pytest

from earmark.domain import Analysis, Clip, Prediction, Technical
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType
from tests.making import EPOCH, make_lease
from workers.compose import compose_analysis


def composed(confidence: float | None, *, leased_s: float = 3, now_s: float = 5) -> Analysis:
    """An analysis of a sound, its times in seconds after it was queued."""
    technical = Technical(duration_s=1, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1)
    lease = make_lease()
    kind = Rated(value=ContentType.SOUND, confidence=confidence, basis=Basis.CALIBRATED)
    return compose_analysis(
        lease,
        Clip(lease.job.id, Path("clip"), 16_000, technical),
        Prediction(AudioMetadata.model_validate({"content_type": kind}), covered_s=1, predict_s=0.5),
        model="scripted",
        model_version="1",
        leased_at=EPOCH + timedelta(seconds=leased_s),
        decode_s=0.25,
        now=EPOCH + timedelta(seconds=now_s),
        threshold=0.8,
        target_s=5.0,
    )


@pytest.mark.parametrize(("now_s", "late"), [(5, False), (5.1, True)])
def test_a_record_says_that_it_came_late(now_s: float, late: bool) -> None:  # noqa: FBT001  # a parameter
    """Later than a job of its lane should be; just in time is in time."""
    timings = composed(0.9, now_s=now_s).timings
    assert (timings.total_s, timings.late) == (now_s, late)


@pytest.mark.parametrize(("confidence", "review"), [(0.79, True), (0.8, False), (0.9, False), (None, True)])
def test_what_is_below_the_threshold_or_unknown_is_to_be_reviewed(
    confidence: float | None,
    review: bool,  # noqa: FBT001  # a parameter
) -> None:
    """The threshold itself is enough."""
    assert composed(confidence).provenance.review is review


def test_a_description_made_of_fields_follows_them() -> None:
    """What was calibrated or answered anew since is what it tells of, and it is no surer than that."""
    stale = Rated(value="Silence.", confidence=0.97, basis=Basis.DERIVED)
    kind = Rated(value=ContentType.SPEECH, confidence=0.06, basis=Basis.CALIBRATED)
    answers = {"content_type": kind, "description": stale}
    lease = make_lease()
    technical = Technical(duration_s=9, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1)
    analysis = compose_analysis(
        lease,
        Clip(lease.job.id, Path("clip"), 9 * 16_000, technical),
        Prediction(AudioMetadata.model_validate(answers), covered_s=9),
        model="scripted",
        model_version="1",
        leased_at=EPOCH,
        decode_s=0,
        now=EPOCH,
        threshold=0.8,
    )
    assert analysis.metadata.description.value == "Speech, 9 seconds."
    assert analysis.metadata.description.confidence == 0.06


def test_the_time_is_told_apart() -> None:
    """Waiting ends with the lease, the total with the record; a clock that is behind makes no time negative."""
    timings = composed(0.9).timings
    assert (timings.queued_s, timings.decode_s, timings.predict_s, timings.total_s) == (3, 0.25, 0.5, 5)
    assert composed(0.9, leased_s=-1).timings.queued_s == 0
