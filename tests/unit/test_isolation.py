"""Finding the guilty clip."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.domain import Clip, Prediction, Technical
from earmark.errors import ModelCrashed, ModelUnavailable, TransientError
from earmark.metadata import AudioMetadata
from workers.isolation import predict_isolated

SOUND = Prediction(AudioMetadata(), covered_s=1.0)


def clip(name: str) -> Clip:
    """A clip of that name."""
    technical = Technical(duration_s=1, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1)
    return Clip(name, Path(name), 16000, technical)


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=3))
def test_only_the_guilty_fail(count: int, guilty: set[int]) -> None:
    """Every innocent clip gets its answer, every guilty one its error, in at most 2 log2 n calls a culprit."""
    calls = 0

    def predict(clips: Sequence[Clip]) -> list[Prediction | None]:
        nonlocal calls
        calls += 1
        if any(int(each.job_id) in guilty for each in clips):
            message = "boom"
            raise ModelCrashed(message)
        return [SOUND] * len(clips)

    answers = predict_isolated(predict, [clip(str(index)) for index in range(count)])
    assert [isinstance(answer, TransientError) for answer in answers] == [index in guilty for index in range(count)]
    assert calls <= 1 + len(guilty) * 2 * (math.ceil(math.log2(count)) + 1)


def test_no_model_is_nobodys_fault() -> None:
    """A batch without a model is not halved."""

    def predict(_: Sequence[Clip]) -> list[Prediction | None]:
        message = "no weights"
        raise ModelUnavailable(message)

    with pytest.raises(ModelUnavailable):
        predict_isolated(predict, [clip("0"), clip("1")])
